"""GitHub's deployments and workflow runs as tasks: asked for once, answered by GitHub's own webhooks."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from mcp_servers.github.told import callback
from mcp_servers.tasks.proofs import Parcel, Unreadable
from mcp_servers.tasks.store import LEASE
from orchestrator.demo.github_deployments import status
from tests.support.github import AT, delivery, in_process, told
from tests.support.github import github as plain_github
from tests.support.receiving import WHSEC
from tests.support.tasks_client import Taking, call, cancel, get, over_http, words
from tests.support.tasks_github import github, rung
from tests.support.tasks_shop import event
from tests.support.tasks_template import over_stdio

DEPLOY = AT | {"ref": "master"}
_LEASE = LEASE + timedelta(seconds=1)
RUN = AT | {"workflow_id": "ci.yaml", "ref": "master", "inputs": {"why": "because"}}


@asynccontextmanager
async def house(tmp_path, **changes):
    async with github(tmp_path, **changes) as peer, over_http(peer.url, Taking()) as client:
        yield peer, client


def deployed(peer, state):
    """GitHub's webhook about the newest deployment."""
    return status(peer.state, max(peer.state.deployments), state)[1]


def ran(number=4_000_000_001, **changes):
    """The recorded webhook of a run that has ended, for another run."""
    recorded = delivery("workflow_run.completed")
    return recorded | {"workflow_run": recorded["workflow_run"] | {"id": number} | changes}


@pytest.mark.parametrize(
    ("state", "wrong"), [("success", False), ("failure", True), ("error", True)]
)
async def test_h4_a_deployment_is_answered_by_its_status(tmp_path, state, wrong):
    async with house(tmp_path) as (peer, client):
        handle = await call(client, "create_deployment", **DEPLOY)
        before = await get(client, handle.task_id)
        await rung(peer.url, deployed(peer, "in_progress"), "deployment_status")
        under_way = await get(client, handle.task_id)
        applied = await rung(peer.url, deployed(peer, state), "deployment_status")
        task = await get(client, handle.task_id)

    assert before.status_message == "deployment 145988746 of master to production is asked for"
    assert under_way.status_message == "deployment 145988746 is in_progress"
    assert applied == (200, {"reception": "applied"})
    assert task.result["isError"] is wrong
    assert json.loads(words(task))["state"] == state


async def test_h4_a_doorbells_forward_completes_it_as_well(tmp_path):
    async with house(tmp_path) as (peer, client):
        handle = await call(client, "create_deployment", **DEPLOY)
        payload = deployed(peer, "success")
        body, headers = event("deployment_status.created", None, payload=payload, secret=WHSEC)
        async with httpx2.AsyncClient(timeout=30) as http:
            await http.post(f"{peer.url}/callbacks", content=body, headers=headers)
        await rung(peer.url, payload, "deployment_status")
        task = await get(client, handle.task_id)

    assert task.status == "completed"


async def test_a2_a_deployment_whose_answer_was_lost_is_found_by_its_token(tmp_path):
    async with house(tmp_path, lose=1) as (peer, client):
        handle = await call(client, "create_deployment", "run/1", **DEPLOY)
        waiting = await get(client, handle.task_id)
        await rung(peer.url, deployed(peer, "success"), "deployment_status")
        task = await get(client, handle.task_id)

    assert "whether the write happened is unknown" in waiting.status_message
    assert (len(peer.state.deployments), task.status) == (1, "completed")


async def test_a2_who_asks_again_after_a_death_finds_the_deployment_and_asks_for_no_second(
    tmp_path,
):
    now = []
    async with house(tmp_path, lose=1) as (peer, client):
        first = await call(client, "create_deployment", "run/1", **DEPLOY)
        now = peer.desk.clock()
        async with _later(peer, now):
            again = await call(client, "create_deployment", "run/1", **DEPLOY)
            task = await get(client, again.task_id)

    assert again.task_id == first.task_id
    assert len(peer.state.deployments) == 1
    assert "is asked for" in task.status_message


@asynccontextmanager
async def _later(peer, now):
    """The same house once the lease of whoever asked first has run out."""
    from_store = peer.desk.store.open

    async def later(draft, at):
        return await from_store(draft, at + _LEASE)

    object.__setattr__(peer.desk, "store", _Shifted(peer.desk.store, later))
    yield


class _Shifted:
    def __init__(self, store, opening):
        self._store, self.open = store, opening

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("conclusion", "wrong"),
    [
        ("success", False),
        ("neutral", False),
        ("failure", True),
        ("cancelled", True),
        ("timed_out", True),
    ],
)
async def test_h4_a_run_is_answered_by_its_conclusion(tmp_path, conclusion, wrong):
    async with house(tmp_path) as (peer, client):
        handle = await call(client, "run_workflow", **RUN)
        await rung(peer.url, ran(status="in_progress", conclusion=None), "workflow_run")
        under_way = await get(client, handle.task_id)
        await rung(peer.url, ran(conclusion=conclusion), "workflow_run")
        task = await get(client, handle.task_id)

    assert peer.dispatched == [
        {"ref": "master", "inputs": {"why": "because"}, "return_run_details": True}
    ]
    assert under_way.status_message == "run 4000000001 is in_progress"
    assert task.result["isError"] is wrong
    assert task.result["structuredContent"]["conclusion"] == conclusion


async def test_a5_a_run_whose_webhook_was_lost_is_found_by_looking(tmp_path):
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    async with house(tmp_path, clock=lambda: now[0]) as (peer, client):
        handle = await call(client, "run_workflow", **RUN)
        now[0] += timedelta(minutes=2)
        unknown = await get(client, handle.task_id)
        peer.run = ran(conclusion="success")["workflow_run"]
        now[0] += timedelta(minutes=2)
        task = await get(client, handle.task_id)

    assert unknown.status == "working"
    assert task.result["structuredContent"]["conclusion"] == "success"


async def test_a_run_that_is_called_off_is_cancelled_and_a_deployment_goes_on(tmp_path):
    async with house(tmp_path) as (peer, client):
        run = await call(client, "run_workflow", **RUN)
        deployment = await call(client, "create_deployment", **DEPLOY)
        for handle in (run, deployment):
            await cancel(client, handle.task_id)
        ended = [await get(client, handle.task_id) for handle in (run, deployment)]

    assert peer.cancelled == [4_000_000_001]
    assert [task.status for task in ended] == ["cancelled", "working"]
    assert "ask whoever deploys" in ended[1].status_message


async def test_a_github_that_does_not_say_which_run_ends_the_task_at_once(tmp_path):
    async with house(tmp_path, says_run=False) as (_, client):
        handle = await call(client, "run_workflow", **RUN)
        task = await get(client, handle.task_id)

    assert "nobody will say how it ended" in words(task)


async def test_without_a_mailroom_every_tool_answers_at_once(tmp_path):
    async with plain_github() as peer, in_process(peer.url) as client:
        made = await told(client, "create_deployment", **DEPLOY)
        (sent,) = [request for request, _ in peer.recorded.exchanges if request.method == "post"]

    assert made["ref"] == "master"
    assert "payload" not in json.loads(sent.body)


async def test_d1_what_github_did_not_sign_is_refused(tmp_path):
    async with house(tmp_path) as (peer, _):
        answers = [
            await rung(peer.url, ran(), secret="other"),
            await rung(peer.url, ran(), secret=""),
        ]
        async with httpx2.AsyncClient(timeout=30) as http:
            for value in ("", "sha256=", "sha256=zz", "sha1=" + "0" * 40):
                headers = {"x-hub-signature-256": value}
                url = f"{peer.url}/webhooks/github"
                answer = await http.post(url, content=b"{}", headers=headers)
                answers.append((answer.status_code, None))

    assert {status for status, _ in answers} == {401}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"deployment_status": {}},
        {"deployment_status": 1, "deployment": 2},
        {"workflow_run": None},
    ],
)
def test_an_event_of_another_shape_is_unreadable(payload):
    with pytest.raises(Unreadable):
        callback(Parcel(id="1", type="x", payload=payload))


def test_an_event_about_something_else_is_nobodys():
    assert callback(Parcel(id="1", type="issues", payload=delivery("issues.opened"))) is None


@pytest.mark.parametrize("name", ["github", "shopify", "slack", "stripe", "template"])
async def test_every_server_stands_alone_over_stdio(name, tmp_path):
    database = f"sqlite:///{tmp_path}/new/t.db"
    env = {"TASKS_DATABASE": database, "CALLBACK_SECRETS": WHSEC, "SHOPIFY_SHOP_URL": "https://x"}
    async with over_stdio(env, Taking(), name=name) as client:
        listed = await client.list_tools()

    assert listed.tools
    assert (tmp_path / "new" / "t.db").exists()
