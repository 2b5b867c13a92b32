"""Whatever is sent to the REST API gets a clear answer: never a 500, always a problem where it is refused."""

import json
import socket
import string

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.console.rest.app import PLACE
from tests.support.api import APPROVES, answering
from tests.support.builders import RUN, comment, rule
from tests.support.installed import Installed

TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\0", "%00", "..", "../..", "a/b", "%2e%2e%2f", "'; drop table entries; --", "%", "_",
         "*", "[", "?", "\ud7ff", "\U0001f514", "x" * 199, "x" * 300, "evt_1", RUN, "last"]
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.just("9" * 400), st.just("-1"), st.just("1e9"), st.just("")
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
ASKED = ["/events", "/runs", "/approvals", "/refusals", "/dead-letters", "/spend", "/rules"]
NAMED = [
    "/events/{}", "/events/{}/why", "/runs/{}", "/runs/{}/log", "/runs/{}/calls/1.0", "/approvals/{}",
    "/rules/{}",
]  # fmt: skip
SAID = [
    "/runs", "/runs/{}/cancel", "/runs/{}/retry", "/approvals/{}/approve", "/approvals/{}/deny",
    "/approvals/{}/answer", "/rules/{}/pause", "/sources/{}/pause", "/events/{}/redeliver",
    "/dead-letters/{}/discard",
]  # fmt: skip
KNOWN = ["source", "type", "is", "since", "until", "before", "limit", "state", "rule", "key",
         "playbook", "every", "day", "wait"]  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    there = Installed(tmp_path_factory.mktemp("hostile") / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    with answering(there, rule(), deciding=False) as api:
        yield api


def sound(answer):
    """A clear answer: what was asked, or a problem of the asker's."""
    assert answer.status_code < 500, (answer.request.url, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(st.sampled_from(ASKED), st.dictionaries(st.sampled_from(KNOWN), st.one_of(TEXTS, NUMBERS)))
def test_d7_any_parameters_get_an_answer_or_a_problem(api, path, asked):
    sound(api.get(path, params={name: str(one) for name, one in asked.items()}))


@MANY
@given(st.sampled_from(NAMED), TEXTS)
def test_d7_any_name_gets_an_answer_or_a_problem(api, path, name):
    sound(api.get(path.format(_quoted(name))))


@MANY
@given(st.sampled_from(SAID), TEXTS, JSON)
def test_d7_any_word_gets_an_answer_or_a_problem(api, path, name, said):
    body = json.dumps(said).encode()
    answer = api.post(
        path.format(_quoted(name)),
        token=APPROVES,
        content=body,
        params={"wait": 0},
        headers={"content-type": "application/json"},
    )
    sound(answer)


@MANY
@given(st.sampled_from(SAID), st.binary(max_size=50), st.text(string.printable, max_size=20))
def test_d7_any_bytes_as_a_body_get_an_answer_or_a_problem(api, path, body, key):
    shown = "".join(c for c in key if c.isprintable()).strip()
    headers = {"content-type": "application/json", "idempotency-key": shown}
    path = path.format("evt_1")
    sound(api.post(path, token=APPROVES, content=body, params={"wait": 0}, headers=headers))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"x" * 70_000, 413),
        ({"content-encoding": "gzip"}, b"{}", 415),
        ({"content-type": "text/plain"}, b"{}", 400),
        ({}, b'{"playbook": "x", "with": ' + b"[" * 5_000, 400),
        ({}, b'{"playbook": "\\ud800"}', 400),
        ({}, b'{"playbook": "x", "with": {"n": 1' + b"0" * 5_000 + b"}}", 400),
        ({}, b'{"playbook": "x", "playbook": "y"}', 404),
    ],
)
def test_d7_bodies_that_are_too_much_are_refused(api, headers, body, status):
    answer = api.post("/runs", token=APPROVES, content=body, headers=headers)

    assert answer.status_code == status, answer.text
    sound(answer)


def raw(api, head, body=b""):
    host, _, port = api.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as there:
        there.sendall(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        return b"".join(iter(lambda: there.recv(4_096), b""))


def test_d7_a_header_that_means_something_may_come_once(api):
    shown = f"Authorization: Bearer {APPROVES}\n".encode()
    head = f"GET {PLACE}/me HTTP/1.1\nHost: x\n".encode()

    assert b"200 OK" in raw(api, head + shown + b"Connection: close")
    answer = raw(api, head + shown + shown + b"Connection: close")
    assert b"400 Bad Request" in answer
    assert b"came more than once" in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_d7_other_methods_are_refused(api, method):
    answer = httpx2.request(method, f"{api.url}{PLACE}/runs", timeout=10)

    assert answer.status_code == 405
    sound(answer)


def _quoted(name):
    quoted = httpx2.URL("http://x", params={"n": name}).query.decode().removeprefix("n=")
    return quoted.replace("+", "%20") or "%20"
