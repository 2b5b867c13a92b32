"""The door over a real socket: 2xx only for what is on disk, and what cannot be kept is deferred."""

import asyncio
from urllib.parse import urlencode

import pytest

from orchestrator.database import DatabaseUnavailable
from orchestrator.doorbell.body import Room
from orchestrator.errors import Reason
from orchestrator.inbox.batches import Overloaded
from orchestrator.signatures import github, standard_webhooks
from tests.support.doors import ISSUE, NOW, SECRET, WHSEC, house, says


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as place:
        yield place


async def test_d2_a_signed_delivery_is_on_disk_when_it_is_answered(home):
    answer = await home.ring()

    assert answer.status_code == 202
    assert answer.json() == {
        "event": "e1",
        "status": "kept",
        "duplicate_of": None,
        "hint": "doorbell why e1",
    }
    entry = await home.inbox.entry("e1")
    assert (entry.body, entry.type, entry.delivery_id) == (ISSUE, "issues.opened", "d1")
    assert entry.keys == ("issue:acme/api#7",)
    assert entry.headers["x-github-event"] == "issues"


async def test_a_form_body_and_a_ping_are_kept_too(home):
    form = urlencode({"payload": ISSUE.decode()}).encode()
    ping = b'{"zen": "Design for failure.", "hook_id": 1}'

    answer = await home.ring(form, content_type="application/x-www-form-urlencoded")
    assert answer.json()["status"] == "kept"
    answer = await home.ring(ping, event="ping", x_github_delivery="d2")
    assert answer.json()["status"] == "kept"
    assert [entry.type for entry in await home.inbox.entries(9)] == ["ping", "issues.opened"]


async def test_a_body_of_megabytes_is_kept_while_others_are_answered(home):
    heavy = ISSUE[:-1] + b',"text":"' + b"x" * 4_000_000 + b'"}'

    answers = await asyncio.gather(home.ring(heavy, x_github_delivery="d2"), home.ring())

    assert [answer.json()["status"] for answer in answers] == ["kept", "kept"]
    [entry] = await home.inbox.find("d2")
    assert entry.body == heavy


async def test_a_standard_webhook_is_kept(home):
    body = b'{"type": "invoice.paid"}'
    headers = standard_webhooks.sign(WHSEC, "m1", body, NOW)

    answer = await home.http.post("/hooks/billing", content=body, headers=headers)

    assert answer.json()["status"] == "kept"
    assert (await home.inbox.entry("e1")).type == "invoice.paid"


async def test_the_operator_rings_at_the_same_door(home):
    body = b'{"type": "run.resume", "run": "w1", "by": "ann"}'
    headers = standard_webhooks.sign(WHSEC, "o1", body, NOW)

    answer = await home.http.post("/hooks/operator", content=body, headers=headers)

    assert answer.status_code == 202
    assert (await home.inbox.entry("e1")).keys == ("run:w1",)


async def test_d3_the_same_delivery_twice_is_named_a_duplicate(home):
    await home.ring()
    answer = await home.ring()

    assert answer.status_code == 202
    assert answer.json() == {
        "event": "e1",
        "status": "duplicate",
        "duplicate_of": "e1",
        "hint": "doorbell why e1",
    }


async def test_d3_the_same_bytes_under_an_unsigned_new_id_are_a_duplicate(home):
    await home.ring()

    assert (await home.ring(x_github_delivery="d2")).json()["duplicate_of"] == "e1"


async def test_d3_other_bytes_under_a_known_id_are_quarantined(home):
    await home.ring()
    answer = await home.ring(ISSUE + b" ")

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["duplicate_of"]) == ("quarantined", "e1")


async def test_d3_two_hundred_at_once_are_one_delivery_and_named_duplicates(home):
    answers = await asyncio.gather(*[home.ring() for _ in range(200)])

    told = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {202}
    [kept] = [said["event"] for said in told if said["status"] == "kept"]
    assert sum(said["duplicate_of"] == kept for said in told) == 199
    assert len(await home.inbox.entries(300)) == 1


async def test_proxies_may_repeat_their_own_headers(home):
    headers = [("x-github-event", "issues"), *github.sign(SECRET, ISSUE).items()]
    headers += [("x-forwarded-for", "a"), ("x-forwarded-for", "b"), ("authorization", "Bearer x")]

    answer = await home.http.post("/hooks/github", content=ISSUE, headers=headers)

    assert answer.status_code == 202
    kept = (await home.inbox.entry("e1")).headers
    assert kept["x-forwarded-for"] == "a, b"
    assert "authorization" not in kept


class Failing:
    """A commit that cannot."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def keep(self, _arrival):
        raise self.error

    async def refuse(self, _refusal):
        raise self.error


@pytest.mark.parametrize("error", [Overloaded(), DatabaseUnavailable("disk full: /secret/path")])
async def test_d5_what_cannot_be_kept_is_deferred_and_never_answered_2xx(tmp_path, error):
    async with house(tmp_path, commit=Failing(error)) as home:
        answer = await home.ring()

        says(answer, 503, Reason.OVERLOADED)
        assert int(answer.headers["retry-after"]) > 0
        assert "secret" not in answer.text
        assert home.lines[-1]["outcome"] == "deferred"


async def test_d5_a_commit_that_takes_too_long_is_deferred(tmp_path):
    class Stuck:
        async def keep(self, _arrival):
            await asyncio.Event().wait()

    async with house(tmp_path, commit=Stuck(), deadline=0.1) as home:
        says(await home.ring(), 503, Reason.OVERLOADED)


async def test_d5_bodies_without_room_are_deferred():
    room = Room(10)
    room.take(8)
    with pytest.raises(Overloaded):
        room.take(3)
    room.give(8)
    room.take(10)


async def test_a_refusal_that_cannot_be_remembered_is_still_a_refusal(tmp_path):
    refuse = Failing(DatabaseUnavailable("gone")).refuse
    async with house(tmp_path, refuse=refuse) as home:
        says(await home.ring(x_hub_signature_256="x"), 401, Reason.BAD_SIGNATURE)
        assert home.lines[-1]["unrecorded"] is True


async def test_a_fault_of_ours_tells_no_trace(tmp_path):
    async with house(tmp_path, commit=Failing(RuntimeError("internal words"))) as home:
        answer = await home.ring()

        assert answer.status_code == 500
        assert answer.json()["status"] == 500
        assert "internal words" not in answer.text
        assert "Traceback" not in answer.text


async def test_o3_every_delivery_leaves_one_line(home):
    await home.ring()
    await home.ring(x_hub_signature_256="x")

    kept, refused = home.lines
    assert (kept["outcome"], kept["event_id"], kept["delivery_id"]) == ("accepted", "e1", "d1")
    assert (kept["source"], kept["type"], kept["status"]) == ("github", "issues.opened", 202)
    assert (refused["outcome"], refused["reason"]) == ("refused", "bad_signature")
    assert ISSUE.decode() not in str(home.lines)


async def test_d6_ready_means_a_delivery_can_be_kept(home):
    assert (await home.http.get("/live")).status_code == 200
    assert (await home.http.get("/ready")).json() == {"status": "ready"}
    assert (await home.http.get("/status")).json() == {"temporal": "down"}


async def test_d6_an_inbox_that_cannot_be_written_is_not_ready(tmp_path):
    async def broken(_now):
        raise DatabaseUnavailable("gone")

    async with house(tmp_path, probe=broken) as home:
        assert (await home.http.get("/ready")).status_code == 503
        assert (await home.http.get("/live")).status_code == 200
