"""Whether GitHub documents an event that a file names; pure, and what it documents since is only not known here."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.rehearsal.conditions import overlap
from orchestrator.rules.load import closest
from orchestrator.rules.operators import is_glob, like
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.github_actions import ACTIONS
from orchestrator.sources.github_shapes import SHAPES
from orchestrator.sources.source import Source

NAMES: Final = frozenset({*SHAPES, *ACTIONS})


def unknown(pattern: str, sources: Sequence[Source]) -> Iterator[str]:
    """Why no event of GitHub's may ever fit the glob over `source/type`, in words; nothing about other senders."""
    source, _, type_ = pattern.partition("/")
    ours = [one for one in sources if like(one.name, source)]
    event, _, action = type_.partition(".")
    github = bool(ours) and all(isinstance(one.dialect, GithubDialect) for one in ours)
    if github and is_glob(event):
        yield from () if any(_may_fit(type_, name) for name in NAMES) else _unfit(type_, event)
    elif github:
        yield from _unknown_action(event, action) if event in NAMES else _unknown_event(event)


def _may_fit(glob: str, event: str) -> bool:
    """Whether a type of this event, with one of its actions or without any, may fit the glob."""
    types = [f"{event}.{action}" for action in ACTIONS.get(event, ("*",))]
    return any(overlap(glob, type_) for type_ in types or (event,))


def _unfit(glob: str, event: str) -> Iterator[str]:
    near = _only_near(closest(event, NAMES))
    yield f"no event of GitHub's that is known here fits {glob!r}{near}"


def _unknown_event(event: str) -> Iterator[str]:
    near = closest(event, NAMES)
    yield f"GitHub has no event {event!r} that is known here{_only_near(near)}"


def _unknown_action(event: str, action: str) -> Iterator[str]:
    known = ACTIONS.get(event)
    if known is None or any(like(one, action) for one in known or ("",)):
        return
    if not known:
        yield f"GitHub's {event!r} comes without an action: say {event!r} alone"
    elif not action:
        yield f"GitHub's {event!r} comes with an action: say '{event}.*', or which one"
    else:
        near = _only_near(closest(action, known))
        yield f"GitHub's {event!r} has no action {action!r} that is known here{near}"


def _only_near(said: str) -> str:
    return said if "did you mean" in said else ""
