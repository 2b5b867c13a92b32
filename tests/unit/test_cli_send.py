"""`doorbell send`: signs a payload as its sender would, and says what the door answered."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from orchestrator.cli.send import signed
from orchestrator.configuration.load import load
from orchestrator.errors import OperatorError
from orchestrator.inbox.inbox import EntryState
from orchestrator.secrets import Secret
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, read_secret_file
from tests.support.asgi import serving
from tests.support.builders import NOW, source
from tests.support.installed import Installed, door_at

SECRETS = {
    "GITHUB_SECRET": "a secret of the tests",
    "SHOP_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "BILLING_SECRET": "another secret of the tests",
}
SOURCES = """\
github:
  scheme: github
  secrets: [env:GITHUB_SECRET]
shop:
  scheme: standard-webhooks
  secrets: [env:SHOP_SECRET]
billing:
  scheme: {hmac: sha256, header: X-Signature, signed: "{timestamp}.{body}", timestamp: X-Timestamp, tolerance: 5m}
  secrets: [env:BILLING_SECRET]
  id: "{{ headers['x-delivery'] }}"
  type: "{{ headers['x-event'] }}"
unset:
  scheme: github
  secrets: [env:NOWHERE]
"""
STAR = {"action": "created", "starred_at": "2026-11-21T12:00:00Z"}


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    (tmp_path / "doorbell.d").mkdir()
    (tmp_path / "doorbell.d" / "sources.yaml").write_text(SOURCES)
    (tmp_path / "star.created.json").write_text(json.dumps(STAR))
    (tmp_path / "order.json").write_text('{"type": "order.paid", "timestamp": "x", "data": {}}')
    return Installed(tmp_path / "state")


async def sent(there, *words):
    """The command's result, and the entries that the real door kept for it."""
    stores = Stores.open(StateDirectory(there.path), None)
    configured = load(there.path.parent / "doorbell.d", SECRETS, read_secret_file)
    try:
        async with door_at(stores.inbox, configured.sources) as url:
            there.announced(url)
            result = await asyncio.to_thread(there.doorbell, "send", *words)
        return result, await stores.inbox.entries(9)
    finally:
        stores.close()


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("star.created.json",), ("github", "star.created", "mine")),
        (("order.json", "--source", "shop"), ("shop", "order.paid", "mine")),
        (("star.created.json", "--source", "billing"), ("billing", "star", "mine")),
        (("order.json", "--source", "billing", "--event", "paid"), ("billing", "paid", "mine")),
    ],
)
async def test_a_payload_is_signed_the_way_its_source_does_and_kept(there, words, kept):
    result, (entry,) = await sent(there, *words, "--id", "mine")

    assert result.exit_code == 0, result.output
    assert (entry.source, entry.type, entry.delivery_id) == kept
    assert result.stdout == f"202 kept: doorbell why {entry.id}\n"


async def test_json_is_the_doors_answer_and_its_http_status(there):
    result, (entry,) = await sent(there, "star.created.json", "--json")

    assert json.loads(result.stdout) == {
        "http_status": 202,
        "status": "kept",
        "event": entry.id,
        "duplicate_of": None,
        "hint": f"doorbell why {entry.id}",
    }


async def test_d3_the_same_delivery_again_is_named_a_duplicate(there):
    _, (entry,) = await sent(there, "star.created.json", "--id", "mine")
    result, entries = await sent(there, "star.created.json", "--id", "mine")

    assert result.exit_code == 0
    assert f"202 duplicate of {entry.id}: doorbell why {entry.id}" in result.stdout
    assert [one.state for one in entries] == [EntryState.RECEIVED]


async def test_a_refusal_is_exit_one_in_the_doors_own_words(there):
    result, entries = await sent(there, "star.created.json", "--event", "push")

    assert result.exit_code == 1
    assert "400 The event's name does not fit its body: The header that names" in result.stdout
    assert entries == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "sources.yaml has no source 'nobody' without a mistake; known: "),
        ("gitub", "did you mean 'github'?; `doorbell check` names every mistake"),
        ("unset", "the secret of source 'unset' is unset here, so nothing can be signed as it"),
    ],
)
def test_a_source_that_cannot_sign_is_exit_two_and_says_why(there, name, said):
    result = there.doorbell("send", "star.created.json", "--source", name)

    assert result.exit_code == 2
    assert said in result.stderr


async def test_a_sample_rings_as_a_source_of_its_scheme_where_the_one_of_its_name_has_no_secret(
    there,
):
    sources = "github: {scheme: github, secrets: [env:NOWHERE]}\n"
    sources += "local: {scheme: github, secrets: [env:GITHUB_SECRET]}\n"
    (there.path.parent / "doorbell.d" / "sources.yaml").write_text(sources)

    result, entries = await sent(there, "github/issues.opened")

    assert result.exit_code == 0, result.stderr
    assert [one.source for one in entries] == ["local"]


def test_without_a_running_service_it_says_what_to_start(there):
    result = there.doorbell("send", "star.created.json")

    assert result.exit_code == 2
    assert "no service is running here; start `doorbell up`, or give --url" in result.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[", "http://a\x00b"])
def test_an_address_where_nobody_answers_is_exit_two_and_no_traceback(there, url):
    result = there.doorbell("send", "star.created.json", "--url", url)

    assert result.exit_code == 2, result.output
    assert f"nobody answers at {url}/hooks/github" in result.stderr


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
async def test_an_address_where_something_else_answers_is_exit_two(there, body):
    async with serving(answers(body)) as url:
        result = await asyncio.to_thread(there.doorbell, "send", "star.created.json", "--url", url)

    assert result.exit_code == 2
    assert f"what answers at {url}/hooks/github is no doorbell: 200" in result.stderr


def test_a_scheme_nobody_can_sign_for_is_said():
    strange = replace(
        source(), scheme=SimpleNamespace(name="strange"), secrets=(Secret("env:X", "x"),)
    )

    with pytest.raises(OperatorError, match="only the sender itself can sign as 'strange'"):
        signed(strange, b"{}", "mine", "star", NOW)


def answers(body):
    async def app(scope, _receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

    return app


async def test_a_sample_that_comes_with_doorbell_can_be_sent_changed(there):
    result, (entry,) = await sent(there, "github/issues.opened", "--set", "issue.number=77")

    assert result.exit_code == 0, result.output
    assert (entry.source, entry.type, entry.subject) == (
        "github",
        "issues.opened",
        "Codertocat/Hello-World#77",
    )


async def test_a_dry_run_is_a_raw_request_that_can_be_sent_as_it_is(there):
    printed = there.doorbell("send", "star.created.json", "--dry-run")
    assert printed.exit_code == 0
    (there.path.parent / "again.http").write_text(printed.stdout)

    result, (entry,) = await sent(there, "again.http", "--id", "mine")

    assert result.exit_code == 0, result.output
    assert (entry.type, entry.delivery_id) == ("star.created", "mine")


def test_samples_are_listed_and_an_unknown_one_is_exit_two(there):
    assert "github/issues.opened" in there.doorbell("send", "--list").stdout.splitlines()

    result = there.doorbell("send", "github/issue.opened")
    assert result.exit_code == 2
    assert "of 'github' there are github/deployment_status.created" in result.stderr


def test_a_raw_request_that_is_none_is_exit_two_with_its_line(there):
    (there.path.parent / "odd.http").write_text("GET /hooks/github HTTP/1.1\n\n")

    result = there.doorbell("send", "odd.http")

    assert result.exit_code == 2
    assert "odd.http:1: expected a POST" in result.stderr


def test_without_a_file_it_says_what_is_missing(there):
    assert "name a FILE or a sample" in there.doorbell("send").stderr
