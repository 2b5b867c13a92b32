"""`forward:`: what a destination gets, what its answer means for the decision, and when nothing is sent at all."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from orchestrator.dispatch.destinations import MAX_HOPS
from orchestrator.dispatch.forwards import Finished
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.errors import Mistake
from orchestrator.secrets import Secret
from tests.support.builders import NOW, configuration, rule
from tests.support.receiving import (
    NEWER,
    WHSEC,
    answering,
    decision,
    destination,
    entry,
    receiving,
    sending,
)


async def test_a_destination_gets_one_signed_cloud_event():
    async with receiving() as receiver:
        out = sending(destination(receiver.url("/events?team=ops")))
        await out.forward()

    (came,) = receiver.came
    assert came.line == "POST /events?team=ops HTTP/1.1"
    assert came.headers["content-type"] == "application/cloudevents+json"
    assert came.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert came.headers["webhook-id"] == "dec_1"
    assert came.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    said = json.loads(came.body)
    assert (said["id"], said["type"], said["data"]) == ("evt_1", "github/issues.opened", {"n": 7})
    assert "cookie" not in came.headers


async def test_every_secret_signs_so_that_either_side_may_rotate_first(monkeypatch):
    secrets = (Secret("env:NEW", NEWER), Secret("env:OLD", WHSEC))
    async with receiving() as receiver:
        await sending(destination(receiver.url(), secrets=secrets)).forward()

    (came,) = receiver.came
    assert len(came.headers["webhook-signature"].split(" ")) == 2
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Then)
    for secret in (NEWER, WHSEC):
        assert Webhook(secret).verify(came.body, dict(came.headers))["id"] == "evt_1"


class Then(type(NOW)):
    """The clock of the vendor's package, which it reads itself."""

    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


async def test_a_repeat_has_the_id_of_the_first_and_the_time_of_now():
    """A kill between the destination's 2xx and our settling repeats it: at least once, told apart by its id."""
    async with receiving() as receiver:
        out = sending(destination(receiver.url()))
        await out.forward()
        out.clock.pass_by(60)
        await out.forward()

    first, again = receiver.came
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    assert first.headers["webhook-timestamp"] != again.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]


async def test_a_deliberate_redelivery_has_an_id_of_its_own():
    async with receiving() as receiver:
        out = sending(destination(receiver.url()))
        await out.forward()
        await out.forward(id="dec_2")

    assert [came.headers["webhook-id"] for came in receiver.came] == ["dec_1", "dec_2"]


async def test_headers_of_the_rule_go_along_and_none_twice():
    headers = {
        "Authorization": Secret("env:T", "Bearer t0ken"),
        "X-Team": "ops",
        "User-Agent": "we",
    }
    async with receiving() as receiver:
        await sending(destination(receiver.url(), headers=headers)).forward()

    (came,) = receiver.came
    assert came.headers["authorization"] == "Bearer t0ken"
    assert (came.headers["x-team"], came.headers["user-agent"]) == ("ops", "we")


async def test_no_proxy_of_the_environment_is_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiving() as receiver:
        await sending(destination(receiver.url())).forward()

    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_means_that_it_was_taken(status):
    async with receiving(answering(status, b"thanks" * (status != 204))) as receiver:
        await sending(destination(receiver.url())).forward()

    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422, 451])
async def test_a_refusal_for_good_is_finished_with_its_words(status):
    async with receiving(answering(status, b"no\x1b[2J such\nthing")) as receiver:
        out = sending(destination(receiver.url()))
        with pytest.raises(Finished) as raised:
            await out.forward()

    assert (
        str(raised.value)
        == f"http://127.0.0.1:{receiver.port} answered {status}: no [2J such thing"
    )
    assert out.to.status() == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_a_refusal_for_now_is_an_attempt(status):
    async with receiving(answering(status, b"busy")) as receiver:
        out = sending(destination(receiver.url()))
        with pytest.raises(Undeliverable, match=f"answered {status}: busy") as raised:
            await out.forward()

    assert raised.value.retry_after is None
    assert [standing.failures for standing in out.to.status()] == [1]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("999999", 3600),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 21 Nov 2036 11:00:00 GMT", 3600),
        ("9" * 40, None),
        ("soon", None),
        ("-5", None),
        ("1.5", 1.5),
        ("", None),
    ],
)
async def test_retry_after_is_heard_for_an_hour_at_most(asked, seconds):
    async with receiving(answering(429, retry_after=asked)) as receiver:
        with pytest.raises(Undeliverable) as raised:
            await sending(destination(receiver.url())).forward()

    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert raised.value.retry_after == wanted


async def test_a7_a_destination_that_repeats_our_secrets_gets_none_into_inbox_or_log():
    token = Secret("env:T", "Bearer t0ken-of-ours")
    said = b"you sent Bearer t0ken-of-ours and " + WHSEC.encode()
    async with receiving(answering(500, said)) as receiver:
        out = sending(destination(receiver.url(), headers={"Authorization": token}))
        with pytest.raises(Undeliverable, match=r"you sent \*\*\* and \*\*\*") as raised:
            await out.forward()

    told = f"{raised.value} {out.log} {out.to.status()}"
    assert "t0ken" not in told
    assert WHSEC not in told


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [
        ("Bearer t0ken-of-ours", b'{"error": "invalid token \\"t0ken-of-ours\\""}'),
        ("token t0ken-of-ours", b"no such token: t0ken-of-ours"),
        ("Basic YW5uOnQwa2VuLW9mLW91cnM=", b"wrong password t0ken-of-ours of ann"),
        ("Basic YW5uOnQwa2VuLW9mLW91cnM=", b"what is YW5uOnQwa2VuLW9mLW91cnM=?"),
    ],
)
async def test_a7_a_secret_inside_a_headers_value_that_is_repeated_alone_comes_into_no_note(
    sent, repeated
):
    headers = {"Authorization": Secret("env:T", sent)}
    async with receiving(answering(401, repeated)) as receiver:
        out = sending(destination(receiver.url(), headers=headers))
        with pytest.raises(Finished, match=r"answered 401: .*secret env:T") as raised:
            await out.forward()

    told = f"{raised.value} {out.log} {out.to.status()}"
    assert "t0ken" not in told
    assert "YW5uOnQwa2Vu" not in told


async def test_a_rule_that_is_gone_or_forwards_no_more_is_finished():
    out = sending()
    with pytest.raises(Finished, match="'onward' is gone"):
        await out.forward()
    out.rules.append(rule("onward"))
    with pytest.raises(Finished, match="forwards nothing any more"):
        await out.forward()


async def test_a_slip_of_the_pen_in_the_rules_buries_nothing():
    mistake = Mistake(file="rules/a.yaml", line=1, column=1, message="no")
    out = sending()
    out.to.configuration = lambda: replace(configuration(), mistakes=(mistake,))
    with pytest.raises(Unreachable, match="doorbell check") as raised:
        await out.forward()

    assert raised.value.until == NOW + timedelta(minutes=1)


async def test_while_a_secret_is_unset_it_waits_and_nothing_is_sent():
    async with receiving() as receiver:
        out = sending(destination(receiver.url(), secrets=(), unset=("env:NEW",)))
        with pytest.raises(Unreachable, match="env:NEW is unset") as raised:
            await out.forward()

    assert raised.value.until == NOW + timedelta(minutes=1)
    assert receiver.connections == 0


async def test_r4_doorbells_that_forward_in_a_circle_stop():
    async with receiving() as receiver:
        out = sending(destination(receiver.url()))
        headers = {"x-doorbell-hops": str(MAX_HOPS - 1)}
        await out.to.forward(decision(), entry(headers=headers))
        with pytest.raises(Finished, match="circle"):
            await out.to.forward(decision(), entry(headers=dict(receiver.came[0].headers)))

    assert len(receiver.came) == 1


async def test_a_large_payload_is_forwarded_whole():
    body = json.dumps({"text": "ä" * 400_000}).encode()
    async with receiving() as receiver:
        await sending(destination(receiver.url())).to.forward(decision(), entry(body))

    assert json.loads(receiver.came[0].body)["data"] == json.loads(body)
