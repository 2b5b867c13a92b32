"""The deliveries that come with Doorbell, by name: `github/issues.opened`; it reads files and sends nothing."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final

from orchestrator.errors import OperatorError
from orchestrator.rehearsal.fields import Sample
from orchestrator.rehearsal.reading import event_in
from orchestrator.rehearsal.sending import JSON, Payload, Wish, unsigned
from orchestrator.sources.payload import FORM
from orchestrator.sources.source import Source

KINDS: Final = {".json": JSON, ".form": FORM}
"""A sample's suffix, and the content type that its sender gives it."""

EVENTS: Final = {
    "bitbucket/pullrequest.created": "pullrequest:created",
    "shopify/orders.create": "orders/create",
    "shopify/refunds.create": "refunds/create",
}
"""What the header says of the event where it isn't the file's name up to the first dot."""


def deliveries() -> Path:
    """Where they are: beside the demo when installed, under tests/ in a checkout."""
    packaged = Path(str(resources.files("orchestrator.demo"))) / "deliveries"
    checkout = Path(__file__).parents[2] / "tests" / "deliveries"
    return packaged if packaged.is_dir() else checkout


def samples() -> Iterator[tuple[str, Path]]:
    """The name and the file of each, in order."""
    root = deliveries()
    for path in sorted(root.glob("*/*")):
        if path.suffix in KINDS:
            yield f"{path.parent.name}/{path.stem}", path


def sample_named(name: str) -> Path:
    """That sample's file. Raises `OperatorError`."""
    known = dict(samples())
    if name not in known:
        sender = name.partition("/")[0]
        near = [one for one in known if one.startswith(f"{sender}/")]
        hint = f"; of {sender!r} there are {', '.join(near)}" if near else ""
        said = "there is no such file, and no sample of that name"
        raise OperatorError(f"{name!r}: {said}{hint}; `doorbell send --list` shows all")
    return known[name]


def sampled(sources: Iterable[Source], now: datetime) -> list[Sample]:
    """The samples of these sources' senders, read as each of them would."""
    ours = list(sources)
    return [
        sample
        for name, path in samples()
        for source in ours
        if source.scheme.name == name.partition("/")[0]
        if (sample := _sample(name, path, source, now)) is not None
    ]


def _sample(name: str, path: Path, source: Source, now: datetime) -> Sample | None:
    payload = Payload(body=path.read_bytes(), headers={"content-type": KINDS[path.suffix]})
    event = EVENTS.get(name, path.name.split(".")[0])
    try:
        request = unsigned(source, payload, Wish(identity=name, event=event, now=now))
        return Sample(name=name, event=event_in(request, source, now))
    except OperatorError:
        # A batch holds several events: no single one stands for it.
        return None
