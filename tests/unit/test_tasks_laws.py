"""Laws of tasks: an end is an end, versions count, both stores agree, and nobody forges a callback."""

import asyncio
import base64
import hashlib
import hmac
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.proofs import Unproved, Unreadable, forwarded, signing_key
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.states import (
    Answers,
    Asks,
    Cancelled,
    Completed,
    Failed,
    KeyReused,
    Status,
    Working,
    after,
)
from mcp_servers.tasks.store import KeyTaken, OtherArguments, drafted
from mcp_servers.tasks.wire import detailed
from tests.support.receiving import NEWER, WHSEC
from tests.support.tasks_shop import event
from tests.support.tasks_stores import START, callback, draft

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OFTEN = settings(max_examples=200)
SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])

names = st.sampled_from("abc")
texts = st.text(max_size=5)
told = st.one_of(
    st.builds(Working, message=texts),
    st.builds(Completed, result=st.fixed_dictionaries({"content": st.just([]), "x": texts})),
    st.builds(Failed, code=st.integers(-9, 9), message=texts),
    st.builds(Cancelled),
)
changes = st.one_of(
    told,
    st.builds(Asks, requests=st.dictionaries(names, st.just({}), max_size=2)),
    st.builds(Answers, responses=st.dictionaries(names, st.integers(), max_size=3)),
)


@OFTEN
@given(st.lists(changes, max_size=12))
def test_every_task_has_what_its_state_promises_and_an_end_stays(made):
    task = drafted(draft(), START)
    for change in made:
        try:
            moved = after(task, change, START)
        except KeyReused:
            continue
        assert moved is None or (not task.ended and moved.version == task.version + 1)
        task = moved or task
        wire = detailed(task)
        assert ("inputRequests" in wire) == (task.status is Status.INPUT_REQUIRED)
        assert (task.result is not None) == (task.status is Status.COMPLETED)
        assert (task.error is not None) == (task.status is Status.FAILED)
        assert not task.requests.keys() & task.responses.keys()
        assert "requestState" not in wire


numbers = st.integers(1, 3)
keys = st.lists(st.sampled_from(["k:1", "k:2", "k:3", "task:token-1"]), min_size=1, max_size=2)
verbs = st.one_of(
    st.tuples(st.just("open"), numbers, st.sampled_from([None, "x", "y"])),
    st.tuples(st.just("name"), numbers, keys, st.one_of(st.none(), told)),
    st.tuples(st.just("move"), numbers, changes),
    st.tuples(st.just("receive"), st.sampled_from("pqrs"), keys, told),
    st.tuples(st.just("forget"), numbers),
    st.tuples(st.just("prune"), st.integers(0, 3)),
)


async def _done(store, number, verb, now):
    ids = [task.id for task in await store.unfinished()]

    def chosen(which):
        return ids[which % len(ids)] if ids else "nobody"

    match verb:
        case ("open", which, key):
            said = store.open(draft(f"{which}-{number}", key=key), now)
        case ("name", which, named, change):
            said = store.name(chosen(which), named, change, now)
        case ("move", which, change):
            said = store.move(chosen(which), change, now)
        case ("receive", id_, named, what):
            said = store.receive(callback(id_, *named, told=what), now)
        case ("forget", which):
            said = store.forget(chosen(which))
        case ("prune", hours):
            said = store.prune(now, timedelta(hours=hours))
    return await said


async def _said(store, number, verb, now):
    try:
        return await _done(store, number, verb, now)
    except (KeyTaken, OtherArguments, KeyReused, LookupError) as error:
        return type(error)


@SLOW
@given(st.lists(verbs, max_size=25))
def test_the_database_and_its_twin_in_memory_say_the_same(script):
    async def both():
        with tempfile.TemporaryDirectory() as directory:
            sql = SqlStore.open_at(f"sqlite:///{Path(directory) / 't.db'}")
            twin = MemoryStore()
            try:
                for number, verb in enumerate(script):
                    now = START + timedelta(minutes=20 * number)
                    assert await _said(sql, number, verb, now) == await _said(
                        twin, number, verb, now
                    )
                assert await sql.unfinished() == await twin.unfinished()
            finally:
                sql.close()

    asyncio.run(both())


def _signed(secrets, body=b'{"source": "d", "id": "1", "type": "shop/x", "data": 1}', at=NOW):
    stamp = str(int(at.timestamp()))
    digests = [
        base64.b64encode(
            hmac.digest(signing_key(one), f"id.{stamp}.".encode() + body, hashlib.sha256)
        ).decode()
        for one in secrets
    ]
    return {
        "webhook-id": "id",
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in digests),
    }, body


def test_d1_what_our_own_forward_sends_is_read_with_its_payload():
    body, headers = event("order.shipped", {"id": "o1"}, now=NOW)

    parcel = forwarded(headers, body, [WHSEC], NOW)

    assert (parcel.id, parcel.type) == ("doorbell/shop evt_1", "order.shipped")
    assert parcel.payload == {"order": {"id": "o1"}}


@pytest.mark.parametrize("ours", [[WHSEC], [NEWER], [WHSEC, NEWER], [NEWER, WHSEC]])
@pytest.mark.parametrize("theirs", [[WHSEC, NEWER], [NEWER, WHSEC]])
def test_d1_either_secret_proves_during_a_rotation(ours, theirs):
    headers, body = _signed(theirs)

    assert forwarded(headers, body, ours, NOW).payload == 1


@OFTEN
@given(st.data())
def test_d1_no_changed_byte_is_proved(data):
    headers, body = _signed([WHSEC])
    where = data.draw(st.sampled_from(["body", *headers]))
    text = body if where == "body" else headers[where].encode()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
    changed = text[:place] + bytes([other]) + text[place + 1 :]
    sent = headers if where == "body" else headers | {where: changed.decode("latin-1")}

    with pytest.raises(Unproved):
        forwarded(sent, changed if where == "body" else body, [WHSEC], NOW)


@OFTEN
@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()
    ),
    st.binary(),
)
def test_d1_any_other_request_is_refused(headers, body):
    with pytest.raises(Unproved):
        forwarded(headers, body, [WHSEC], NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_d1_what_is_not_of_now_is_refused(off):
    headers, body = _signed([WHSEC], at=NOW + off)

    with pytest.raises(Unproved, match="within 0:05:00 of now"):
        forwarded(headers, body, [WHSEC], NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 1, "source": "s", "type": "t"}', b"\xff", b"[" * 100_000]
)
def test_what_is_proved_but_no_event_is_unreadable(body):
    headers, body = _signed([WHSEC], body)

    with pytest.raises(Unreadable):
        forwarded(headers, body, [WHSEC], NOW)


@pytest.mark.parametrize("secret", ["", "plain", "whsec_", "whsec_!!", "whpk_" + "A" * 8])
def test_a_secret_that_is_none_is_said_to_be_none(secret):
    with pytest.raises(ValueError, match="whsec_BASE64"):
        signing_key(secret)


def test_payload_bytes_that_are_no_json_come_as_bytes():
    data = base64.b64encode(b"a=1").decode()
    body = json.dumps({"source": "d", "id": "1", "type": "slack/x", "data_base64": data}).encode()
    headers, body = _signed([WHSEC], body)

    assert forwarded(headers, body, [WHSEC], NOW).payload == b"a=1"
