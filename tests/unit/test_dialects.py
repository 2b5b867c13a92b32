"""How each source's verified bytes are read, and that nothing but `Malformed` ever comes of bad ones."""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Malformed, OperatorError, Reason
from orchestrator.events import Actor
from orchestrator.secrets import Secret
from orchestrator.sources import payload
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.github_shapes import SHAPES
from orchestrator.sources.operator import OperatorDialect, operator_source
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.standard_webhooks import StandardWebhooksDialect

REPOSITORY = {"full_name": "acme/api", "name": "api"}
SENDER = {"id": 583231, "login": "ann", "type": "User"}
BODIES = {
    "issues": {"action": "opened", "issue": {"number": 7}},
    "issue_comment": {"action": "created", "issue": {"number": 7}, "comment": {"id": 1}},
    "pull_request": {"action": "opened", "number": 8, "pull_request": {"number": 8}},
    "pull_request_review": {
        "action": "submitted",
        "pull_request": {"number": 8},
        "review": {"id": 1},
    },
    "pull_request_review_comment": {
        "action": "created",
        "pull_request": {"number": 8},
        "comment": {"id": 1},
    },
    "deployment": {"action": "created", "deployment": {"id": 5}, "workflow_run": None},
    "deployment_status": {
        "action": "created",
        "deployment": {"id": 5},
        "deployment_status": {"state": "success"},
    },
    "workflow_run": {"action": "completed", "workflow_run": {"id": 9}, "workflow": {}},
    "push": {"ref": "refs/heads/main", "before": "0", "after": "1", "commits": []},
    "ping": {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {}},
}


def headers(event="issues", **more):
    return {"x-github-event": event, "x-github-delivery": "72d3162e", **more}


def body(event="issues", **changes):
    return json.dumps(
        BODIES[event] | {"repository": REPOSITORY, "sender": SENDER} | changes
    ).encode()


def reason(dialect, given_headers, given_body):
    with pytest.raises(Malformed) as caught:
        dialect.read(given_headers, given_body)
    return caught.value.reason


def test_an_issue_is_read_in_the_words_of_github():
    reading = GithubDialect().read(headers(), body())

    assert reading.delivery_id == "72d3162e"
    assert reading.type == "issues.opened"
    assert reading.subject == "acme/api#7"
    assert reading.actor == Actor(id="583231", login="ann", bot=False)
    assert reading.keys == ("issue:acme/api#7",)
    assert reading.data["issue"] == {"number": 7}


@pytest.mark.parametrize(
    ("event", "type_", "subject", "keys"),
    [
        ("issue_comment", "issue_comment.created", "acme/api#7", ("issue:acme/api#7",)),
        ("pull_request", "pull_request.opened", "acme/api#8", ("issue:acme/api#8",)),
        ("pull_request_review", "pull_request_review.submitted", "acme/api#8", None),
        ("pull_request_review_comment", "pull_request_review_comment.created", "acme/api#8", None),
        ("deployment", "deployment.created", "acme/api", ("deployment:5",)),
        ("deployment_status", "deployment_status.created", "acme/api", ("deployment:5",)),
        ("workflow_run", "workflow_run.completed", "acme/api", ("workflow_run:9",)),
        ("push", "push", "acme/api", ()),
        ("ping", "ping", "acme/api", ()),
    ],
)
def test_each_event_has_its_type_subject_and_keys(event, type_, subject, keys):
    reading = GithubDialect().read(headers(event), body(event))

    assert (reading.type, reading.subject) == (type_, subject)
    assert reading.keys == (("issue:acme/api#8",) if keys is None else keys)


def test_a_form_body_says_the_same_as_json():
    form = urlencode({"payload": body().decode()}).encode()
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

    assert GithubDialect().read(headers(**kind), form) == GithubDialect().read(headers(), body())


def test_a_bot_says_so_and_an_organization_event_has_its_login():
    bot = body("ping", sender=SENDER | {"type": "Bot"}, repository=None)
    reading = GithubDialect().read(headers("ping"), bot)

    assert reading.actor.bot
    assert reading.subject is None
    owned = body("ping", repository=None, organization={"login": "acme"}, sender=None)
    assert GithubDialect().read(headers("ping"), owned).subject == "acme"
    assert GithubDialect().read(headers("ping"), owned).actor is None


@pytest.mark.parametrize("claimed", SHAPES)
@pytest.mark.parametrize("signed", BODIES)
def test_d4_a_signed_body_cannot_be_passed_off_as_another_event(signed, claimed):
    if signed == claimed:
        assert GithubDialect().read(headers(claimed), body(signed)).type.startswith(claimed)
    else:
        assert reason(GithubDialect(), headers(claimed), body(signed)) is Reason.TYPE_MISMATCH


RECORDED = sorted((Path(__file__).parents[1] / "deliveries" / "github").glob("*.json"))


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_d4_a_recorded_delivery_is_only_what_it_is(file):
    event = file.stem.partition(".")[0]
    accepted = []
    for claimed in SHAPES:
        with suppress(Malformed):
            accepted.append(GithubDialect().read(headers(claimed), file.read_bytes()).type)

    assert accepted == [".".join(file.stem.split(".")[:2])]
    assert event in SHAPES


def test_d4_an_event_that_is_not_known_here_is_taken_at_its_word():
    assert GithubDialect().read(headers("brand_new"), body()).type == "brand_new.opened"


@pytest.mark.parametrize(
    "event", ["", "Issues", "issues.opened", "issues\n", "a" * 200, "../x", "é"]
)
def test_d7_an_event_name_that_is_none_is_malformed(event):
    assert reason(GithubDialect(), headers(event), body()) is Reason.MALFORMED


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"{}{}",
        b"{} x",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"action": "opened", "action": "closed"}',
        b'{"x": {"a": 1, "b": {}, "a": 1}}',
        b'{"a": ' + b"1" * 10_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}",
        "{}".encode("utf-16"),
        b"payload=%7B%7D",
    ],
)
def test_d7_a_body_that_is_no_strict_json_object_is_malformed(bad):
    assert reason(GithubDialect(), headers("brand_new"), bad) is Reason.MALFORMED
    assert reason(StandardWebhooksDialect(), {"webhook-id": "m"}, bad) is Reason.MALFORMED


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"{}",
        b"payload=",
        b"payload=%7B%7D&payload=%7B%7D",
        b"a=%7B%7D",
        b"payload=%ff",
        b"\xff",
    ],
)
def test_d7_a_form_without_exactly_one_payload_is_malformed(form):
    kind = headers("brand_new", **{"content-type": "application/x-www-form-urlencoded"})

    assert reason(GithubDialect(), kind, form) is Reason.MALFORMED


def test_d7_nesting_that_is_deep_but_bounded_is_read():
    nested = b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}"

    assert GithubDialect().read(headers("brand_new"), nested).type == "brand_new"


@given(openers=st.text("[{", min_size=97, max_size=104), beside=st.integers(0, 120))
def test_d7_a_hundred_levels_are_read_and_no_more(openers, beside):
    nested = "1"
    for sign in reversed(openers):
        nested = f"[{nested}]" if sign == "[" else f'{{"a":{nested}}}'
    body = f"[{','.join(['{}'] * beside + [nested])}]".encode()

    if len(openers) < payload.MAX_DEPTH:
        assert len(payload.json_value(body)) == beside + 1
    else:
        with pytest.raises(Malformed):
            payload.json_value(body)


def test_wide_values_are_read_whole():
    wide = json.dumps({"items": list(range(100_000)), "e": [{}] * 1000}).encode()

    assert len(payload.json_object(wide)["items"]) == 100_000


@pytest.mark.parametrize(
    "changes",
    [
        {"action": 7},
        {"action": ""},
        {"action": "a" * 300},
        {"action": "a\nb"},
        {"repository": {"full_name": "a" * 600}},
        {"repository": {"full_name": "a\0b"}},
        {"sender": {"login": "x\ny", "id": 1}},
    ],
)
def test_d7_words_that_cannot_be_stored_or_shown_are_malformed(changes):
    assert reason(GithubDialect(), headers(), body(**changes)) is Reason.MALFORMED


@pytest.mark.parametrize("junk", [7, "text", [], {"number": True}, {"number": "7"}, {"number": {}}])
def test_d7_strange_shapes_give_no_key_and_no_failure(junk):
    reading = GithubDialect().read(headers(), body(issue=junk, sender=junk, repository=junk))

    assert reading.keys == ()


def test_names_that_mean_something_elsewhere_are_only_data():
    strange = {"__proto__": {}, "__class__": 1, "items": [], "keys": "{{7*7}}", "get": "{% x %}"}

    assert GithubDialect().read(headers("brand_new"), json.dumps(strange).encode()).data == strange


def test_a_standard_webhook_is_typed_by_its_body():
    reading = StandardWebhooksDialect().read({"webhook-id": "m1"}, b'{"type": "invoice.paid"}')

    assert (reading.delivery_id, reading.type) == ("m1", "invoice.paid")
    assert (reading.subject, reading.actor, reading.keys) == (None, None, ())
    assert reading.data == {"type": "invoice.paid"}


@pytest.mark.parametrize("bad", [b"{}", b'{"type": 7}', b'{"type": ""}', b'{"type": "a\\u0000"}'])
def test_a_standard_webhook_without_a_type_is_malformed(bad):
    assert reason(StandardWebhooksDialect(), {"webhook-id": "m1"}, bad) is Reason.MALFORMED


def test_a_standard_webhook_without_an_id_is_malformed():
    assert reason(StandardWebhooksDialect(), {}, b'{"type": "x"}') is Reason.MALFORMED


class At:
    """A template that is a path, and an error where the path ends in nothing."""

    def __init__(self, path):
        self.path = path.split(".")

    def render(self, scope):
        value = scope
        for name in self.path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            raise OperatorError("missing")
        return value


BILLING = DeclaredDialect(
    id=At("headers.x-delivery"),
    type=At("event.event"),
    subject=At("event.invoice.id"),
    actor=At("event.account.id"),
    keys=(At("event.invoice.id"), At("event.order.id")),
    publishes=("invoice", "order"),
)


def test_a_declared_source_is_read_by_its_templates():
    given_body = {"event": "paid", "invoice": {"id": "i1"}, "account": {"id": 12}}
    reading = BILLING.read({"x-delivery": "d9"}, json.dumps(given_body).encode())

    assert (reading.delivery_id, reading.type, reading.subject) == ("d9", "paid", "i1")
    assert (reading.actor, reading.keys) == (Actor(id="12"), ("i1",))


def test_a_declared_subject_may_be_missing_and_a_type_may_not():
    assert BILLING.read({"x-delivery": "d9"}, b'{"event": "paid"}').subject is None
    assert reason(BILLING, {"x-delivery": "d9"}, b"{}") is Reason.MALFORMED
    assert reason(BILLING, {}, b'{"event": "paid"}') is Reason.MALFORMED
    assert reason(BILLING, {"x-delivery": "d9"}, b'{"event": {}}') is Reason.MALFORMED
    assert reason(BILLING, {"x-delivery": "d9"}, b'{"event": true}') is Reason.MALFORMED


def test_a_declared_source_may_have_no_id():
    dialect = DeclaredDialect(id=None, type=At("event.event"))

    assert dialect.read({}, b'{"event": "paid"}').delivery_id is None


def test_the_operator_resumes_a_run():
    said = json.dumps({"type": "run.resume", "run": "triage/acme", "by": "ann"}).encode()
    reading = OperatorDialect().read({"webhook-id": "o1"}, said)

    assert (reading.type, reading.subject) == ("run.resume", "triage/acme")
    assert (reading.keys, reading.actor) == (("run:triage/acme",), Actor(login="ann"))


@pytest.mark.parametrize(
    "changes", [{"type": "run.delete"}, {"run": ""}, {"run": 7}, {"by": None}, {"type": []}]
)
def test_the_operator_can_ask_for_nothing_else(changes):
    said = {"type": "run.resume", "run": "w", "by": "ann"} | changes

    assert reason(OperatorDialect(), {"webhook-id": "o1"}, json.dumps(said).encode())


def test_the_presets_and_the_operator_are_what_the_documentation_says():
    github, standard = PRESETS["github"], PRESETS["standard-webhooks"]
    operator = operator_source(Secret("file:x", "whsec_AAAA"))

    assert (github.max_body, github.dedupe_body) == (25 * 1024 * 1024, True)
    assert (standard.max_body, standard.dedupe_body) == (1024 * 1024, False)
    assert github.dialect.publishes == ("issue", "discussion", "deployment", "workflow_run")
    assert (operator.name, operator.dedupe_body) == ("operator", False)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["issue", "action", "sender", "repository", "number", "type", "run"]),
            inner,
            max_size=5,
        )
    ),
)


@given(value=JSON, event=st.sampled_from([*SHAPES, "brand_new"]), tail=st.binary(max_size=2))
def test_d7_any_body_is_read_or_malformed_and_nothing_else(value, event, tail):
    given_body = json.dumps(value).encode() + tail
    for dialect in (GithubDialect(), StandardWebhooksDialect(), OperatorDialect(), BILLING):
        with suppress(Malformed):
            dialect.read(headers(event, **{"webhook-id": "m", "x-delivery": "d"}), given_body)
