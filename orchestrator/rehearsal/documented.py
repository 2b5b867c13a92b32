"""Whether GitHub documents an event that a file names; pure, and what it documents since is only not known here."""

from collections.abc import Iterator, Sequence

from orchestrator.rules.load import closest
from orchestrator.rules.operators import is_glob, like
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.github_actions import ACTIONS
from orchestrator.sources.github_shapes import SHAPES
from orchestrator.sources.source import Source


def unknown(pattern: str, sources: Sequence[Source]) -> Iterator[str]:
    """Why no event of GitHub's may ever fit the glob over `source/type`, in words; nothing about other senders."""
    source, _, type_ = pattern.partition("/")
    ours = [one for one in sources if like(one.name, source)]
    event, _, action = type_.partition(".")
    github = bool(ours) and all(isinstance(one.dialect, GithubDialect) for one in ours)
    if github and not is_glob(event):
        known = event in SHAPES or event in ACTIONS
        yield from _unknown_action(event, action) if known else _unknown_event(event)


def _unknown_event(event: str) -> Iterator[str]:
    near = closest(event, {*SHAPES, *ACTIONS})
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
