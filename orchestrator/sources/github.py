"""How GitHub speaks: its event name, action, sender, subject and correlation keys; pure, and it signs nothing.

GitHub signs the body and not the header that names the event, so the name is held against the body's shape
(promise D4): signed bytes of one event can't be passed off as another event that is known here.
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.errors import Malformed, Reason
from orchestrator.events import Actor
from orchestrator.sources.payload import bounded, form_field, is_form, json_object
from orchestrator.sources.source import Reading

EVENT: Final = "x-github-event"
DELIVERY: Final = "x-github-delivery"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a body of one event always has, and what it never has."""

    needs: frozenset[str]
    never: frozenset[str] = frozenset()


def _shape(needs: str, never: str = "") -> Shape:
    return Shape(frozenset(needs.split()), frozenset(never.split()))


SHAPES: Final[Mapping[str, Shape]] = {
    "check_run": _shape("check_run", "deployment"),
    "check_suite": _shape("check_suite", "check_run"),
    "commit_comment": _shape("comment", "issue pull_request discussion"),
    "create": _shape("ref ref_type master_branch"),
    "delete": _shape("ref ref_type", "master_branch"),
    "deployment": _shape("deployment", "deployment_status workflow_job"),
    "deployment_review": _shape("workflow_run reviewers", "deployment"),
    "deployment_status": _shape("deployment deployment_status"),
    "discussion": _shape("discussion", "comment"),
    "discussion_comment": _shape("discussion comment"),
    "fork": _shape("forkee"),
    "issue_comment": _shape("issue comment", "pull_request"),
    "issues": _shape("issue", "comment pull_request"),
    "label": _shape("label", "issue pull_request discussion"),
    "milestone": _shape("milestone", "issue pull_request"),
    "ping": _shape("zen hook_id"),
    "pull_request": _shape("pull_request number", "comment review thread"),
    "pull_request_review": _shape("pull_request review", "comment thread"),
    "pull_request_review_comment": _shape("pull_request comment", "review thread"),
    "pull_request_review_thread": _shape("pull_request thread", "comment review"),
    "push": _shape("ref before after commits", "ref_type"),
    "release": _shape("release"),
    "star": _shape("starred_at"),
    "status": _shape("sha state context"),
    "workflow_dispatch": _shape("workflow ref inputs"),
    "workflow_job": _shape("workflow_job"),
    "workflow_run": _shape("workflow_run", "deployment reviewers workflow_job"),
}
"""The events whose bodies can be told apart; of others GitHub's header is taken at its word."""


@dataclass(frozen=True, slots=True)
class GithubDialect:
    """The `github` preset's dialect, for JSON and for form bodies."""

    publishes: tuple[str, ...] = ("issue", "deployment", "workflow_run")

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        event = _event_name(headers)
        data = json_object(form_field(body, "payload") if is_form(headers) else body)
        _check_shape(event, data)
        reading = Reading(
            delivery_id=headers.get(DELIVERY) or None,
            type=_type(event, data),
            subject=_subject(data),
            actor=_actor(data),
            keys=_keys(data),
            data=data,
        )
        return bounded(reading)


def _event_name(headers: Mapping[str, str]) -> str:
    name = headers.get(EVENT, "")
    if not _NAME.fullmatch(name):
        raise Malformed(Reason.MALFORMED, f"expected an event name in {EVENT!r}, other text came")
    return name


def _check_shape(event: str, data: Mapping[str, Any]) -> None:
    shape = SHAPES.get(event)
    if shape is None:
        return
    present = {name for name, value in data.items() if value is not None}
    # `starred_at` is null when a star is taken away: a needed name may be null, a foreign one may not be there.
    if not shape.needs <= data.keys() or shape.never & present:
        raise Malformed(
            Reason.TYPE_MISMATCH,
            f"expected the body of {event!r}: {sorted(shape.needs)} and none of {sorted(shape.never)}",
        )


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


def _subject(data: Mapping[str, Any]) -> str | None:
    repository = _repository(data)
    number = _number(data)
    if repository is None:
        return _text(_object(data, "organization"), "login")
    return repository if number is None else f"{repository}#{number}"


def _keys(data: Mapping[str, Any]) -> tuple[str, ...]:
    repository, number = _repository(data), _number(data)
    deployment = _integer(_object(data, "deployment"), "id")
    workflow_run = _integer(_object(data, "workflow_run"), "id")
    found = (
        None if repository is None or number is None else f"issue:{repository}#{number}",
        None if deployment is None else f"deployment:{deployment}",
        None if workflow_run is None else f"workflow_run:{workflow_run}",
    )
    return tuple(key for key in found if key is not None)


def _repository(data: Mapping[str, Any]) -> str | None:
    return _text(_object(data, "repository"), "full_name")


def _number(data: Mapping[str, Any]) -> int | None:
    issue = _integer(_object(data, "issue"), "number")
    return _integer(_object(data, "pull_request"), "number") if issue is None else issue


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def _integer(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
