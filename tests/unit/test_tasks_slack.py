"""Slack's server: a question with buttons is a task, and who presses one, proved by Slack, ends it."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from slack_sdk.signature import SignatureVerifier

from mcp_servers.slack.server import build
from mcp_servers.slack.showing import shown
from mcp_servers.slack.told import by_slack, callback
from mcp_servers.tasks.proofs import Parcel, Unreadable
from tests.support.tasks_client import Taking, call, cancel, get, over_http, words
from tests.support.tasks_shop import event
from tests.support.tasks_vendors import SECRET, TOKEN, form, hands, post, slack_signed

DELIVERIES = Path(__file__).parents[1] / "deliveries" / "slack"
QUESTION = {"channel": "C1CHANNEL", "question": "Deploy *api*?", "answers": ["Approve", "Deny"]}
POSTED = {"ok": True, "channel": "C1CHANNEL", "ts": "1548261231.000200"}


@asynccontextmanager
async def house(tmp_path, posted=(POSTED,), history=({"ok": True, "messages": []},), **more):
    answers = {
        "chat.postMessage": list(posted),
        "chat.update": [{"ok": True}],
        "conversations.history": list(history),
        "response": [{}],
        **more,
    }
    follow = partial(shown, hosts=frozenset({"127.0.0.1"}))
    async with (
        hands(tmp_path, "slack", build, callback, by_slack, follow, **answers) as served,
        over_http(served.url, Taking()) as client,
    ):
        yield served, client


def pressed(served, which=0, user="U1", url="", at="1548426417.840180"):
    """What Slack sends when a button of the newest question is pressed."""
    sent = served.peer.of("chat.postMessage")[-1]
    button = sent["blocks"][1]["elements"][which]
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "ann"},
        "trigger_id": "t1",
        "channel": {"id": sent["channel"]},
        "message": {"ts": POSTED["ts"], "text": sent["text"]},
        "response_url": url,
        "actions": [
            {
                "action_id": button["action_id"],
                "block_id": sent["blocks"][1]["block_id"],
                "value": button["value"],
                "type": "button",
                "action_ts": at,
            }
        ],
    }


async def rung(served, payload, **signing):
    body = form(payload)
    return await post(f"{served.url}/webhooks/slack", body, slack_signed(body, **signing))


async def test_h4_a_question_is_answered_by_who_presses_a_button(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "ask", **QUESTION)
        waiting = await get(client, handle.task_id)
        first = await rung(served, pressed(served))
        again = await rung(served, pressed(served))
        other = await rung(served, pressed(served, which=1, user="U2", at="2.0"))
        task = await get(client, handle.task_id)

    assert waiting.status_message == "asked in C1CHANNEL; nobody has answered yet"
    assert [told["reception"] for _, told in (first, again, other)] == [
        *("applied", "duplicate", "late")
    ]
    assert {status for status, _ in (first, again, other)} == {200}
    assert words(task) == "ann (U1) answered: Approve"
    answered = {"answer": "Approve", "user": "U1", "name": "ann"}
    assert task.result["structuredContent"] == answered


async def test_a6_only_who_is_asked_may_answer(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "ask", people=["U7"], **QUESTION)
        await rung(served, pressed(served, user="U1"))
        stranger = await get(client, handle.task_id)
        await rung(served, pressed(served, user="U7", at="2.0"))
        task = await get(client, handle.task_id)

    assert stranger.status == "working"
    assert "is not one of those asked" in stranger.status_message
    assert task.result["structuredContent"]["user"] == "U7"


async def test_h4_a_doorbells_forward_carries_the_form_as_it_came(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "ask", **QUESTION)
        form_body = form(pressed(served))
        body, headers = event(
            "interaction.block_actions",
            None,
            raw=form_body,
            kind="application/x-www-form-urlencoded",
        )
        status, told = await post(f"{served.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert (status, told, task.status) == (200, {"reception": "applied"}, "completed")


async def test_an_answered_question_shows_its_answer_in_slack(tmp_path):
    async with house(tmp_path) as (served, client):
        await call(client, "ask", **QUESTION)
        api = f"http://{served.peer.headers[-1]['host']}/response"
        await rung(served, pressed(served, url=api))
        await rung(served, pressed(served, url=api))
        replaced = served.peer.of("response")

    (only,) = replaced
    assert only["text"] == "Deploy *api*?\n\u2714 ann (U1) answered: Approve"


async def test_an_answer_is_shown_at_slack_and_nowhere_else(tmp_path):
    async with house(tmp_path) as (served, client):
        await call(client, "ask", **QUESTION)
        api = f"http://{served.peer.headers[-1]['host']}/response"
        parcel = Parcel(id="1", type="", payload=form(pressed(served, url=api)))
        await shown(parcel, callback(parcel))

    assert served.peer.of("response") == []


async def test_a2_a_question_whose_post_was_lost_is_answered_all_the_same(tmp_path):
    async with house(tmp_path, posted=(502,)) as (served, client):
        handle = await call(client, "ask", **QUESTION)
        await rung(served, pressed(served))
        task = await get(client, handle.task_id)

    assert words(task) == "ann (U1) answered: Approve"


async def test_what_slack_refuses_is_no_task(tmp_path):
    async with house(tmp_path, posted=({"ok": False, "error": "not_in_channel"},)) as (
        served,
        client,
    ):
        refused = await call(client, "ask", **QUESTION)
        left = await served.desk.store.unfinished()

    assert "Slack refused chat.postMessage (not_in_channel)" in refused.content[0].text
    assert left == []


async def test_a_question_that_is_called_off_loses_its_buttons(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "ask", **QUESTION)
        await cancel(client, handle.task_id)
        task = await get(client, handle.task_id)

    assert task.status == "cancelled"
    assert served.peer.of("chat.update")[0]["blocks"] == []


async def test_a_message_is_posted_at_once(tmp_path):
    async with house(tmp_path) as (served, client):
        result = await call(client, "post_message", channel="C1CHANNEL", text="Hello")

    assert result.content[0].text == "posted 1548261231.000200 in C1CHANNEL"
    assert served.peer.headers[-1]["authorization"] == f"Bearer {TOKEN}"


async def test_d1_what_slack_did_not_sign_is_refused(tmp_path):
    async with house(tmp_path) as (served, client):
        await call(client, "ask", **QUESTION)
        old = datetime.now(UTC) - timedelta(minutes=6)
        payload = pressed(served)
        answers = [
            await rung(served, payload, secret="other"),
            await rung(served, payload, at=old),
            await post(f"{served.url}/webhooks/slack", form(payload), {}),
            await post(
                f"{served.url}/webhooks/slack",
                form(payload | {"user": {"id": "U9"}}),
                slack_signed(form(payload)),
            ),
        ]

    assert {status for status, _ in answers} == {401}


def test_d1_slacks_own_library_agrees_about_what_is_signed():
    body = (DELIVERIES / "block_actions.form").read_bytes()
    headers = {name.title(): value for name, value in slack_signed(body).items()}

    assert SignatureVerifier(SECRET).is_valid_request(body, headers)
    read = by_slack(slack_signed(body), body, [SECRET], datetime.now(UTC))
    assert callback(read) is None, "a button of another app is nobody's"


@pytest.mark.parametrize(
    "payload",
    [
        None,
        7,
        b"payload=no",
        b"",
        {"type": "block_actions"},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [{"action_id": "doorbell_answer_0"}]},
    ],
)
def test_an_interaction_of_another_shape_is_unreadable(payload):
    with pytest.raises(Unreadable):
        callback(Parcel(id="1", type="x", payload=payload))


def test_another_interaction_is_nobodys():
    parcel = Parcel(id="1", type="x", payload=form({"type": "view_submission"}))

    assert callback(parcel) is None
