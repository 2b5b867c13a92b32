"""H3: an API that has no MCP server is a server like any other: configured, started, called, failing in words."""

from contextlib import asynccontextmanager

import pytest

from orchestrator.agent.hands.definitions import Answered, HandsUnreachable
from orchestrator.agent.hands.pool import Hands
from orchestrator.configuration.files import files_of
from orchestrator.configuration.load import configured, load
from orchestrator.settings import environment
from tests.support.configurations import SECRETS, configuration, mistakes, no_file
from tests.support.crm import DESCRIPTION, crm
from workflows.playbook import Effect

OPERATIONS = (
    "[searchContacts, createContact, contacts/get, replaceContact, breakIt, moved, picture]"
)
SERVERS = f"""\
crm:
  openapi: ./crm.openapi.yaml
  base_url: URL
  auth: {{bearer: env:CRM}}
  headers: {{X-Team: support}}
  operations: {OPERATIONS}
"""
TOKEN = "t0p-s3cret"


def texts(servers):
    return {"servers_yaml": servers, "crm.openapi.yaml": DESCRIPTION}


@asynccontextmanager
async def hands_of(path, url, token=TOKEN):
    (path / "servers.yaml").write_text(SERVERS.replace("URL", url))
    (path / "crm.openapi.yaml").write_text(DESCRIPTION)
    servers = load(path, {"CRM": token}, no_file).servers
    hands = Hands(servers, environment=environment(), connect_timeout=60, stderr=path)
    try:
        yield hands
    finally:
        await hands.close()


async def told(hands, tool, **given):
    outcome = await hands.call("crm", tool, given, deadline=60, key="k")
    assert isinstance(outcome, Answered)
    return outcome.is_error, outcome.content[0].get("text")


async def test_h3_named_operations_are_discovered_and_called(tmp_path):
    async with crm(token=TOKEN) as api, hands_of(tmp_path, api.url) as hands:
        found = await hands.discover("crm")
        made = await told(hands, "createContact", name="Ada")
        read = await told(hands, "contacts_get", id="a/../b")

    assert {one.name for one in found.tools} == {
        *("searchContacts", "createContact", "contacts_get", "replaceContact"),
        *("breakIt", "moved", "picture"),
    }
    assert made == (False, '{"id":"1","told":"{\\"name\\":\\"Ada\\"}"}')
    assert read == (False, '{"path":"/v1/contacts/a/../b","body":""}')
    assert [asked[:2] for asked in api.asked] == [
        ("POST", "/v1/contacts"),
        ("GET", "/v1/contacts/a/../b"),
    ]


async def test_h3_every_failure_of_an_api_is_told_in_words(tmp_path):
    async with crm(token=TOKEN) as api, hands_of(tmp_path, api.url) as hands:
        assert await told(hands, "contacts_get", id="nobody") == (
            True,
            "the API answered 404 (there is no nobody): there is no such thing; check the ids",
        )
        assert await told(hands, "breakIt") == (
            True,
            "the API answered 500 (Internal Server Error): whether it happened is unknown; look before you repeat it",
        )
        failed, said = await told(hands, "moved")
        assert failed
        assert "the operator must set the address" in said
        wrong, said = await told(hands, "searchContacts", limit=0)
        assert wrong
        assert said.startswith("nothing was sent; $.limit: ")
        api.token = "another"
        refused, said = await told(hands, "searchContacts", limit=1)
        assert refused
        assert "401 (Who are you?; no such token): its credential is not accepted" in said
    # A redirect is a second request, and what is wrong by its schema is none.
    assert [asked[1] for asked in api.asked].count("/v1/contacts") == 1


async def test_h3_an_api_that_is_down_is_told_and_nothing_was_sent(tmp_path):
    async with crm() as api:
        url = api.url
    async with hands_of(tmp_path, url) as hands:
        failed, said = await told(hands, "createContact", name="Ada")

    assert failed
    assert "it could not be reached and nothing was sent" in said


async def test_h3_a_description_that_changed_since_it_was_checked_is_not_served(tmp_path):
    async with crm() as api, hands_of(tmp_path, api.url) as hands:
        (tmp_path / "crm.openapi.yaml").write_text(DESCRIPTION + "# another\n")
        with pytest.raises(HandsUnreachable):
            await hands.discover("crm")
    # What the child said stands in its log.
    (log,) = tmp_path.glob("crm*.log")
    assert "has changed since it was checked" in log.read_text()


def test_h3_effects_are_what_http_promises_until_they_are_declared():
    declared = "  tools: {createContact: {idempotency: Idempotency-Key}}\n"
    server = configuration(**texts(SERVERS.replace("URL", "http://a") + declared)).servers["crm"]

    assert server.effects == {
        "searchContacts": Effect.READ,
        "createContact": Effect.WRITE,
        "contacts_get": Effect.READ,
        "replaceContact": Effect.WRITE,
        "breakIt": Effect.WRITE_ONCE,
        "moved": Effect.READ,
        "picture": Effect.READ,
    }


def test_h3_a_secret_stands_in_the_environment_of_the_child_and_not_in_its_arguments():
    environment_ = {**SECRETS, "CRM": TOKEN, "KEY": "k3y"}
    header = SERVERS.replace("URL", "http://a").replace("support", "env:KEY")
    server = configuration(environment=environment_, **texts(header)).servers["crm"]

    assert not {TOKEN, "k3y"} & {part for word in server.command for part in word.split("=")}
    assert server.env["OPENAPI_BEARER"].reveal() == TOKEN
    assert server.env["OPENAPI_HEADER_1"].reveal() == "k3y"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "createContact",
            "createContakt",
            "no operation 'createContakt'; did you mean 'createContact'",
        ),
        ("./crm.openapi", "./crn.openapi", "a file of this directory, named *.openapi.yaml"),
        (f"  operations: {OPERATIONS}\n", "", "expected `operations:`"),
        (
            "bearer: env:CRM",
            "oauth: {client_id: a, client_secret: env:B, issuer: 'https://c'}",
            "expected `bearer`",
        ),
        ("  base_url: URL\n", "  env: {A: b}\n", "'env' means nothing beside `openapi:`"),
        ("  base_url: URL\n", "  url: http://a\n", "expected one of `url:`"),
        ("URL", "ftp://a", "expected an http or https address"),
        (
            "operations: [",
            "tools: {nobody: {effect: read}}\n  operations: [",
            "no operation under `operations:`",
        ),
        ("[searchContacts,", "[searchContacts, searchContacts,", "is there already"),
    ],
)
def test_h3_a_mistake_in_a_described_server_is_named(old, new, said):
    assert any(said in one for one in mistakes(**texts(SERVERS.replace(old, new))))


def test_h3_a_description_without_an_address_needs_one():
    bare = {
        **texts(SERVERS.replace("  base_url: URL\n", "")),
        "crm.openapi.yaml": "openapi: 3.1.0\n",
    }

    assert any("expected `base_url:`" in one for one in mistakes(**bare))
    assert any(
        "expected `openapi: 3.x`" in one for one in mistakes(**{**bare, "crm.openapi.yaml": "a: 1"})
    )


def test_h3_a_description_counts_as_configuration(tmp_path):
    (tmp_path / "crm.openapi.yaml").write_text(DESCRIPTION)

    files = files_of(tmp_path)

    assert files.warnings == []
    assert (
        configured(files, {}, no_file).digest
        != configured(files_of(tmp_path.parent / "x"), {}, no_file).digest
    )
