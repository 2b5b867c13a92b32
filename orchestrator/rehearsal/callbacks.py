"""What is doubtful about the events that a playbook's calls wait for; it rings for none of them."""

from collections.abc import Iterator, Mapping

from orchestrator.configuration.document import Place
from orchestrator.configuration.sources import kind_of
from orchestrator.errors import Flaw
from orchestrator.rehearsal.documented import unknown
from orchestrator.rules.load import closest
from orchestrator.rules.operators import is_glob, like
from orchestrator.sources.source import Source
from orchestrator.templates import Template
from workflows.playbook import Callback, Playbook


def callback_doubts(playbook: Playbook, sources: Mapping[str, Source]) -> Iterator[Flaw]:
    """Callbacks that nobody sends, or by a key that nobody gives, or that last longer than their run."""
    for tool, callback in playbook.waits.items():
        at: Place = ("waits", tool)
        yield from _senders(callback, sources, at)
        limit = playbook.budget.open
        if limit is not None and callback.timeout > limit:
            said = "the run itself may stay open for less than that (budget.open)"
            yield Flaw((*at, "timeout"), said)


def _senders(callback: Callback, sources: Mapping[str, Source], at: Place) -> Iterator[Flaw]:
    kind = kind_of(Template.parse(callback.key))
    for pattern in callback.events:
        named = pattern.partition("/")[0]
        ringing = [source for name, source in sources.items() if like(name, named)]
        if not ringing:
            near = "" if is_glob(named) else closest(named, sources)
            yield Flaw((*at, "for"), f"nobody rings as {named!r}{near}: the call waits to its end")
        yield from (Flaw((*at, "for"), said) for said in unknown(pattern, ringing))
        for source in ringing:
            published = source.dialect.publishes
            if kind is not None and kind not in published:
                said = ", ".join(published) or "none at all"
                yield Flaw(
                    (*at, "key"),
                    f"{source.name!r} publishes no keys of kind {kind!r} (it publishes {said}): "
                    "none of its events answers the call",
                )
