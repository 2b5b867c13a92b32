"""The GitHub hands: a real MCP client, the real child process, real HTTP to the stand-in."""

import asyncio
import sys
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from orchestrator.demo.github_deployments import status
from tests.support.github import (
    AT,
    ROOT,
    TOKEN,
    delivery,
    github,
    in_process,
    over_stdio,
    refused,
    told,
)
from tests.support.ports import free_port

ISSUE = AT | {"issue_number": 1}


async def test_an_issue_is_triaged_over_stdio_with_every_tool():
    async with github() as peer, over_stdio(peer.url) as client:
        me = await told(client, "get_me")
        issue = await told(client, "issue_read", method="get", **ISSUE)
        labels = await told(client, "list_label", **AT)
        found = await told(client, "search_issues", query=issue["title"], **AT)
        await told(client, "issue_write", method="update", labels=["bug", "needs-info"], **ISSUE)
        posted = await told(client, "add_issue_comment", body="Which release is it?", **ISSUE)
        said = await told(client, "issue_read", method="get_comments", **ISSUE)
        shown = await told(client, "issue_read", method="get_labels", **ISSUE)

    assert (me["login"], me["type"]) == ("doorbell-demo[bot]", "Bot")
    assert issue["title"] == "Spelling error in the README file"
    assert {"bug", "needs-info"} <= {label["name"] for label in labels}
    assert [one["title"] for one in found["items"]][:2] == [
        issue["title"],
        "README file: spelling error",
    ]
    assert [label["name"] for label in shown] == ["bug", "needs-info"]
    assert [(one["id"], one["body"]) for one in said] == [(posted["id"], "Which release is it?")]


async def test_a_server_without_a_token_starts_and_says_what_is_missing():
    async with github() as peer, over_stdio(peer.url, token=None) as client:
        tools = await client.list_tools()
        words = await refused(client, "get_me")

    assert len(tools.tools) == 8
    assert "set GITHUB_TOKEN" in words
    assert peer.recorded.exchanges == []


async def test_the_token_is_in_no_answer_and_in_no_failure():
    async with github() as peer, in_process(peer.url) as client:
        results = [
            await client.call_tool(tool, arguments)
            for tool, arguments in (
                ("get_me", {}),
                ("issue_read", ISSUE | {"method": "get"}),
                ("issue_read", ISSUE | {"method": "get", "issue_number": 999}),
                ("add_issue_comment", ISSUE | {"body": " "}),
                ("search_issues", {"query": " "}),
            )
        ]

    assert TOKEN not in " ".join(result.model_dump_json() for result in results)
    sent = [request.headers["authorization"] for request, _ in peer.recorded.exchanges]
    assert set(sent) == {f"Bearer {TOKEN}"}


async def test_the_annotations_tell_reads_from_writes_and_claim_no_idempotent_write():
    async with in_process("http://127.0.0.1:9") as client:
        tools = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}

    reads = {name for name, hints in tools.items() if hints.read_only_hint}
    assert reads == {"get_me", "issue_read", "list_label", "search_issues"}
    assert tools["issue_write"].destructive_hint
    assert not tools["add_issue_comment"].destructive_hint
    assert not any(tools[name].idempotent_hint for name in tools.keys() - reads)


async def test_an_idempotency_key_makes_no_difference_because_github_has_none():
    key = {"doorbell/idempotency-key": "run-1-turn-2"}
    arguments = ISSUE | {"body": "Twice"}
    async with github() as peer, in_process(peer.url) as client:
        for _ in range(2):
            await client.call_tool("add_issue_comment", arguments, meta=key)

    assert len(peer.state.comments[1]) == 2


async def test_an_issue_is_created_closed_and_reopened():
    async with github() as peer, in_process(peer.url) as client:
        made = await told(client, "issue_write", method="create", title="New", labels=["bug"], **AT)
        number = AT | {"issue_number": made["number"]}
        closed = await told(
            client,
            "issue_write",
            method="update",
            state="closed",
            state_reason="not_planned",
            **number,
        )
        again = await told(client, "issue_write", method="update", state="open", **number)

    assert (made["state"], made["labels"]) == ("open", ["bug"])
    assert (closed["state"], closed["state_reason"]) == ("closed", "not_planned")
    assert (again["state"], again["state_reason"]) == ("open", "reopened")
    assert "body" not in closed


async def test_a_deployment_is_asked_for_and_answered_with_the_id_its_status_will_carry():
    async with github() as peer, in_process(peer.url) as client:
        made = await told(client, "create_deployment", ref="main", environment="qa", **AT)
        [(event, payload)] = await peer.rings(1)
        name, said = status(peer.state, made["id"], "success")

    assert (made["ref"], made["environment"], made["task"]) == ("main", "qa", "deploy")
    assert peer.state.writes[0].body["auto_merge"] is False
    assert (event, payload["deployment"]["id"]) == ("deployment", made["id"])
    recorded = delivery("deployment_status.created")
    assert name == "deployment_status"
    assert said["deployment"]["id"] == made["id"]
    assert recorded["deployment_status"].keys() <= said["deployment_status"].keys()
    assert recorded["deployment"].keys() <= said["deployment"].keys()


async def test_a_deployment_of_nothing_is_refused_in_words():
    async with github() as peer, peer.client() as http:
        answer = await http.post("/repos/Codertocat/Hello-World/deployments", json={"ref": ""})

    assert (answer.status_code, peer.state.deployments) == (422, {})


async def test_an_empty_list_takes_every_label_away():
    async with github() as peer, in_process(peer.url) as client:
        changed = await told(client, "issue_write", method="update", labels=[], **ISSUE)

    assert changed["labels"] == []
    assert peer.state.writes[0].body == {"labels": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "create"}, "needs a title"),
        ({"method": "create", "title": "x", "state": "closed"}, "takes no state"),
        ({"method": "update", "title": "x"}, "needs the issue_number"),
        ({"method": "update", "issue_number": 1}, "needs something to change"),
        ({"method": "delete", "issue_number": 1}, "'create' or 'update'"),
        ({"method": "update", "issue_number": 0, "title": "x"}, "greater than or equal to 1"),
    ],
)
async def test_a_write_that_makes_no_sense_is_refused_before_github_is_asked(arguments, words):
    async with github() as peer, in_process(peer.url) as client:
        assert words in await refused(client, "issue_write", **AT, **arguments)

    assert peer.recorded.exchanges == []


@pytest.mark.parametrize("repo", ["..", ".", "a/b", "a%2fb", "", "a b", "x?y", "x#y"])
async def test_no_repository_name_climbs_out_of_its_path(repo):
    async with github() as peer, in_process(peer.url) as client:
        await refused(client, "list_label", owner="Codertocat", repo=repo)

    assert peer.recorded.exchanges == []


@pytest.mark.parametrize(
    "query", ["x repo:victim/secret", "x OR (repo:victim/secret)", "-user:me x", "ORG:victim"]
)
async def test_a_search_in_one_repository_cannot_be_aimed_at_another(query):
    async with github() as peer, in_process(peer.url) as client:
        words = await refused(client, "search_issues", query=query, **AT)

    assert "owner and repo say where to search" in words
    assert peer.recorded.exchanges == []


async def test_what_a_search_finds_outside_its_repository_is_dropped():
    async with github() as peer, in_process(peer.url) as client:
        peer.state.issues[1]["repository_url"] = (
            "https://api.github.com/repos/Codertocat/Hello-World-2"
        )
        found = await told(client, "search_issues", query="spelling", **AT)

    assert [one["number"] for one in found["items"]] == [6]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"query": "x"}, "x is:issue"),
        ({"query": "x is:pr"}, "x is:pr"),
        ({"query": "this:x", "owner": "acme"}, "this:x is:issue user:acme"),
        ({"query": "x", "owner": "acme", "repo": "api"}, "x is:issue repo:acme/api"),
    ],
)
async def test_a_query_is_kept_to_issues_and_to_its_scope(asked, sent):
    async with github() as peer, in_process(peer.url) as client:
        await client.call_tool("search_issues", asked)

    assert peer.recorded.exchanges[0][0].parameters.query["q"] == sent


async def test_a_repository_without_its_owner_is_no_scope():
    async with in_process("http://127.0.0.1:9") as client:
        assert "expected owner" in await refused(client, "search_issues", query="x", repo="api")


async def test_a_search_shows_the_beginning_of_a_long_body_and_a_read_shows_it_whole():
    async with github() as peer, in_process(peer.url) as client:
        peer.state.issues[1]["body"] = "long " * 500
        found = await told(client, "search_issues", query="spelling error", **AT)
        whole = await told(client, "issue_read", method="get", **ISSUE)

    assert len(found["items"][0]["body"]) == 501
    assert whole["body"] == "long " * 500


async def test_all_labels_are_listed_page_by_page():
    async with github() as peer, in_process(peer.url) as client:
        await told(
            client, "issue_write", method="update", labels=[f"l{n}" for n in range(230)], **ISSUE
        )
        labels = await told(client, "list_label", **AT)

    assert len(labels) == len(peer.state.labels) == 237


async def test_an_issue_without_a_body_or_an_author_is_still_an_issue():
    async with github() as peer, in_process(peer.url) as client:
        peer.state.issues[1] |= {"body": None, "user": None}
        issue = await told(client, "issue_read", method="get", **ISSUE)

    assert "body" not in issue
    assert issue["user"] is None


async def test_the_same_server_serves_streamable_http():
    port = free_port()
    async with github() as peer, child_on(port, peer.url):
        url = f"http://127.0.0.1:{port}/mcp"
        async with (
            httpx2.AsyncClient(timeout=20) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            me = await told(client, "get_me")

    assert me["login"] == "doorbell-demo[bot]"


@asynccontextmanager
async def child_on(port, api):
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mcp_servers.github", "--http", str(port)),
        env={"GITHUB_API_URL": api, "GITHUB_TOKEN": TOKEN},
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(20):
            while not await is_open(port):
                assert child.returncode is None, "the server ended before it served"
                await asyncio.sleep(0.05)
        yield
    finally:
        child.terminate()
        await child.wait()


async def is_open(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
