"""How GitHub speaks: its event name, action, sender, subject and correlation keys; pure, and it signs nothing.

GitHub signs the body and not the header that names the event, so the name is held against the body's shape
(promise D4): signed bytes of one event can't be passed off as another event that is known here.
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from orchestrator.errors import Malformed, Reason
from orchestrator.events import Actor
from orchestrator.sources.github_shapes import SHAPES
from orchestrator.sources.payload import MAX_KEYS, bounded, form_field, is_form, json_object
from orchestrator.sources.source import Reading

EVENT: Final = "x-github-event"
DELIVERY: Final = "x-github-delivery"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_RELATIVES: Final = ("parent_issue", "sub_issue", "blocked_issue", "blocking_issue")
_TESTS: Final = ("check_run", "check_suite", "workflow_run")
_TESTED: Final = frozenset({"pull_requests", *_TESTS})
_NUMBERED: Final = frozenset({"issue", "pull_request", "discussion"})
_RUNNING: Final = frozenset({"deployment", "workflow_run", "workflow_job"})
_ABOUT: Final = (
    "organization.login",
    "installation.account.login",
    "installation.account.slug",
    "account.login",
    "account.slug",
    "marketplace_purchase.account.login",
    "sponsorship.sponsorable.login",
    "security_advisory.ghsa_id",
    "enterprise.slug",
    "user.login",
)
"""What an event without a repository is about, the nearest first."""


@dataclass(frozen=True, slots=True)
class GithubDialect:
    """The `github` preset's dialect, for JSON and for form bodies."""

    publishes: tuple[str, ...] = ("issue", "discussion", "deployment", "workflow_run")

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        event = _event_name(headers)
        data = json_object(form_field(body, "payload") if is_form(headers) else body)
        _check_shape(event, data)
        place = _place(data)
        reading = Reading(
            delivery_id=headers.get(DELIVERY) or None,
            type=_type(event, data),
            subject=_subject(data, place),
            actor=_actor(data),
            keys=_keys(data, place),
            data=data,
        )
        return bounded(reading)


class _Place(NamedTuple):
    """The repository that a body is about, and the number in it of an issue or pull request, or of a discussion."""

    repository: str | None
    number: int | None
    talk: int | None


def _event_name(headers: Mapping[str, str]) -> str:
    name = headers.get(EVENT, "")
    if not _NAME.fullmatch(name):
        raise Malformed(Reason.MALFORMED, f"expected an event name in {EVENT!r}, other text came")
    return name


def _check_shape(event: str, data: Mapping[str, Any]) -> None:
    shape = SHAPES.get(event)
    if shape is not None and not shape.fits(data):
        raise Malformed(Reason.TYPE_MISMATCH, f"expected the body of {event!r}, another one came")


def _type(event: str, data: Mapping[str, Any]) -> str:
    action = data.get("action")
    if action is None:
        return event
    # A repository_dispatch names its own action, so only the sign that separates the two words is taken.
    if not (isinstance(action, str) and action):
        raise Malformed(Reason.MALFORMED, "expected the action as text")
    return f"{event}.{action}"


def _actor(data: Mapping[str, Any]) -> Actor | None:
    sender = _object(data, "sender")
    id_, login = _integer(sender, "id"), _text(sender, "login")
    if id_ is None and login is None:
        return None
    return Actor(id=None if id_ is None else str(id_), login=login, bot=sender.get("type") == "Bot")


def _place(data: Mapping[str, Any]) -> _Place:
    number = talk = None
    # Most events have none of these, and looking for them all costs more than the rest of this.
    if not data.keys().isdisjoint(_NUMBERED):
        issue = _integer(_object(data, "issue"), "number")
        number = _integer(_object(data, "pull_request"), "number") if issue is None else issue
        talk = _integer(_object(data, "discussion"), "number")
    return _Place(_text(_object(data, "repository"), "full_name"), number, talk)


def _subject(data: Mapping[str, Any], place: _Place) -> str | None:
    if place.repository is None:
        return next((text for about in _ABOUT if (text := _text_at(data, about))), None)
    # A discussion is counted with the issues and pull requests of its repository.
    number = place.number or place.talk
    return place.repository if number is None else f"{place.repository}#{number}"


def _keys(data: Mapping[str, Any], place: _Place) -> tuple[str, ...]:
    repository, number, talk = place
    found: list[str] = []
    if repository is not None and number is not None:
        found.append(f"issue:{repository}#{number}")
    if repository is not None and talk is not None:
        found.append(f"discussion:{repository}#{talk}")
    if not data.keys().isdisjoint(_RELATIVES):
        found += _relatives(data, repository)
    if not data.keys().isdisjoint(_TESTED):
        found += _tested(data, repository)
    if not data.keys().isdisjoint(_RUNNING):
        found += _running(data)
    return tuple(found[:MAX_KEYS])


def _running(data: Mapping[str, Any]) -> Iterator[str]:
    """The deployment and the workflow run."""
    deployment = _integer(_object(data, "deployment"), "id")
    workflow_run = _integer(_object(data, "workflow_run"), "id")
    if workflow_run is None:
        workflow_run = _integer(_object(data, "workflow_job"), "run_id")
    if deployment is not None:
        yield f"deployment:{deployment}"
    if workflow_run is not None:
        yield f"workflow_run:{workflow_run}"


def _relatives(data: Mapping[str, Any], repository: str | None) -> Iterator[str]:
    """The issues of `sub_issues` and `issue_dependencies`; the one elsewhere names its repository beside it."""
    for name in _RELATIVES:
        number = _integer(_object(data, name), "number")
        home = _text(_object(data, f"{name}_repo"), "full_name") or repository
        if number is not None and home is not None:
            yield f"issue:{home}#{number}"


def _tested(data: Mapping[str, Any], repository: str | None) -> Iterator[str]:
    """The pull requests that a check, a workflow run or a deployment is about, those of this repository."""
    own = _integer(_object(data, "repository"), "id")
    for place in (data, *(_object(data, name) for name in _TESTS)):
        pulls = place.get("pull_requests")
        for pull in pulls if isinstance(pulls, list) else []:
            number = _integer(pull, "number") if isinstance(pull, dict) else None
            if number is not None and repository is not None and own == _base(pull):
                yield f"issue:{repository}#{number}"


def _base(pull: Mapping[str, Any]) -> int | None:
    return _integer(_object(_object(pull, "base"), "repo"), "id")


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _text_at(data: Mapping[str, Any], place: str) -> str | None:
    *outer, last = place.split(".")
    for name in outer:
        data = _object(data, name)
    return _text(data, last)


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def _integer(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
