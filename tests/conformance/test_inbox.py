"""What every inbox promises about keeping and finding, whatever keeps it."""

import asyncio
import random
from dataclasses import replace

import pytest
from sqlalchemy import event

from orchestrator.database import DatabaseError
from orchestrator.errors import Reason
from orchestrator.events import Actor
from orchestrator.inbox import rows
from orchestrator.inbox.inbox import Duplicate, EntryState, Kept, Quarantined, Refusal
from orchestrator.inbox.sought import Sought
from tests.conformance.inboxes import NOW, arrival, on_sqlite, one


async def test_d2_a_kept_delivery_comes_back_as_it_was(inbox):
    body = b'{"a": "\\u0000"}' * 5000
    assert await inbox.keep([arrival(body=body)]) == [Kept("e1")]

    entry = await inbox.entry("e1")

    assert entry.position == await inbox.head() == 1
    assert entry.body == body
    assert (entry.source, entry.delivery_id, entry.type) == ("github", "d1", "issues.opened")
    assert (entry.subject, entry.actor) == ("acme/api#7", Actor(id="1", login="ann"))
    assert (entry.keys, entry.headers) == (("issue:acme/api#7",), {"x-github-event": "issues"})
    assert (entry.received_at, entry.state) == (NOW, EntryState.RECEIVED)
    assert (entry.duplicates, entry.duplicate_of) == (0, None)


async def test_nothing_to_keep_and_nothing_kept(inbox):
    assert await inbox.keep([]) == []
    assert await inbox.head() == 0
    assert await inbox.entry("e1") is None
    assert await inbox.waiting() == 0


async def test_d2_a_body_of_megabytes_is_kept_too(inbox):
    body = random.Random(1).randbytes(1024 * 1024)

    assert await inbox.keep([arrival(body=body)]) == [Kept("e1")]
    assert (await inbox.entry("e1")).body == body


async def test_d3_the_same_delivery_twice_is_named_a_duplicate(inbox):
    await inbox.keep([arrival()])

    assert await inbox.keep([arrival("e2")]) == [Duplicate("e1")]
    assert await inbox.entry("e2") is None
    assert (await inbox.entry("e1")).duplicates == 1


async def test_d3_a_repeat_inside_one_batch_is_a_duplicate_too(inbox):
    batch = [arrival("e1", "d1", b"1"), arrival("e2", "d1", b"1"), arrival("e3", "d2", b"1")]

    assert await inbox.keep(batch) == [Kept("e1"), Duplicate("e1"), Duplicate("e1")]
    assert (await inbox.entry("e1")).duplicates == 2


async def test_d3_the_same_bytes_under_another_id_are_a_duplicate_that_registers_nothing(inbox):
    await inbox.keep([arrival("e1", "d1", b"1")])

    assert await inbox.keep([arrival("e2", "d2", b"1")]) == [Duplicate("e1")]
    assert await inbox.keep([arrival("e3", "d2", b"2")]) == [Kept("e3")]


async def test_d3_equal_bytes_are_two_deliveries_where_the_id_is_signed(inbox):
    first, second = arrival(dedupe_body=False), arrival("e2", "d2", dedupe_body=False)

    assert await inbox.keep([first, second]) == [Kept("e1"), Kept("e2")]


async def test_d3_without_an_id_only_equal_bytes_can_tell(inbox):
    blind = [arrival(f"e{n}", None, dedupe_body=False) for n in (1, 2)]
    seeing = [arrival(f"e{n}", None) for n in (3, 4)]

    assert await inbox.keep(blind) == [Kept("e1"), Kept("e2")]
    assert await inbox.keep(seeing) == [Kept("e3"), Duplicate("e3")]


async def test_d3_sources_do_not_share_ids(inbox):
    assert await inbox.keep([arrival(), arrival("e2", source="other")]) == [Kept("e1"), Kept("e2")]


async def test_d3_a_known_id_with_other_bytes_is_put_aside(inbox):
    await inbox.keep([arrival()])

    assert await inbox.keep([arrival("e2", body=b"other")]) == [Quarantined("e2", "e1")]

    aside = await inbox.entry("e2")
    assert (aside.state, aside.duplicate_of, aside.body) == (
        EntryState.QUARANTINED,
        "e1",
        b"other",
    )
    assert [entry.id for entry in await inbox.find("d1")] == ["e1", "e2"]
    assert [entry.id for entry in await inbox.undecided(10)] == ["e1"]
    assert await inbox.look_back("*", "issue:acme/api#7", 1, 10) == []


async def test_d7_the_same_other_bytes_are_put_aside_only_once(inbox):
    await inbox.keep([arrival()])
    others = [arrival(f"e{n}", body=b"other") for n in (2, 3)]

    assert await inbox.keep(others) == [Quarantined("e2", "e1")] * 2
    assert await inbox.keep([arrival("e4", body=b"other")]) == [Quarantined("e2", "e1")]
    assert len(await inbox.entries(10)) == 2


async def test_d3_two_hundred_at_once_are_kept_once(inbox):
    batches = [inbox.keep([arrival(f"e{n}")]) for n in range(200)]
    receipts = [receipt for batch in await asyncio.gather(*batches) for receipt in batch]

    kept = [receipt for receipt in receipts if isinstance(receipt, Kept)]
    assert len(kept) == 1
    assert receipts.count(Duplicate(kept[0].id)) == 199
    assert (await inbox.entry(kept[0].id)).duplicates == 199


async def test_receipts_are_in_the_order_of_the_arrivals(inbox):
    batch = [arrival(f"e{n}", f"d{n}", b"%d" % n) for n in (5, 3, 9, 1)]

    assert await inbox.keep(batch) == [Kept("e5"), Kept("e3"), Kept("e9"), Kept("e1")]


async def test_d3_a_receipt_that_is_there_already_is_no_new_one(inbox):
    await inbox.keep([arrival("e1", "d1")])
    batch = [arrival("e2", "d2", b"2"), arrival("e1", "d1"), arrival("e3", "d3", b"3")]

    assert await inbox.keep(batch) == [Kept("e2"), Duplicate("e1"), Kept("e3")]
    assert (await inbox.entry("e1")).duplicates == 1


@pytest.mark.parametrize("many", [1, 3, 300, 600])
async def test_a5_the_keys_of_a_large_batch_find_their_own_entries(inbox, many):
    """Some of it is known already, so that not every row of the batch is a new one."""
    await inbox.keep([arrival("old", "d2", b"2", keys=())])
    batch = [
        arrival(f"e{n}", f"d{n}", b"%d" % n, keys=(f"x:{n}", "y:all")) for n in range(1, many + 1)
    ]
    await inbox.keep(batch)

    for n in {1, 3, many // 2 + 1, many} - {2}:
        found = await inbox.look_back("github/*", f"x:{n}", 0, 10)
        assert [entry.id for entry in found] == ([f"e{n}"] if n <= many else [])
    every = await inbox.look_back("github/*", "y:all", 0, many)
    assert [entry.id for entry in every] == [f"e{n}" for n in range(1, many + 1) if n != 2]


async def test_a_batch_is_kept_whole_or_not_at_all(inbox):
    with pytest.raises(DatabaseError):
        await inbox.keep([arrival("e1", "d1", b"1"), arrival("e2", "d2", b"2", source=None)])

    assert await inbox.entries(10) == []


async def test_strangers_text_with_nul_is_kept_and_found(inbox):
    await inbox.keep([arrival(delivery_id="d\0", subject="a\0", keys=("issue:a\0",))])

    assert [entry.id for entry in await inbox.find("d\0")] == ["e1"]
    assert [entry.id for entry in await inbox.look_back("*", "issue:a\0", 0, 9)] == ["e1"]


async def test_find_takes_an_id_a_delivery_id_or_how_it_begins(inbox):
    await inbox.keep([arrival("abc1", "x%1", b"1"), arrival("abc2", "X%2", b"2")])

    assert [entry.id for entry in await inbox.find("abc")] == ["abc1", "abc2"]
    assert [entry.id for entry in await inbox.find("abc2")] == ["abc2"]
    assert [entry.id for entry in await inbox.find("x%")] == ["abc1"]
    assert await inbox.find("%") == []
    assert await inbox.find("ABC") == []


async def test_find_gives_ten_at_most(inbox):
    await inbox.keep([arrival(f"e{n:02}", f"d{n}", b"%d" % n) for n in range(20)])

    assert len(await inbox.find("e")) == 10


async def test_entries_are_newest_first_without_bodies(inbox):
    await inbox.keep([arrival("e1", "d1", b"1"), arrival("e2", "d2", b"2", source="other")])

    assert [(entry.id, entry.body) for entry in await inbox.entries(10)] == [
        ("e2", b""),
        ("e1", b""),
    ]
    assert [entry.id for entry in await inbox.entries(10, Sought(source="github"))] == ["e1"]
    assert [entry.id for entry in await inbox.entries(1)] == ["e2"]


async def test_o3_refusals_are_remembered_newest_first(inbox):
    refusals = [
        Refusal(
            at=NOW,
            source="github",
            reason=Reason.BAD_SIGNATURE,
            detail=f"{n}",
            headers=("host", "x-hub-signature-256"),
        )
        for n in range(3)
    ]
    for refusal in refusals:
        await inbox.refuse(refusal)

    assert await inbox.refusals(2) == [refusals[2], refusals[1]]


async def test_d7_only_the_newest_thousand_refusals_are_kept(inbox):
    refusal = Refusal(at=NOW, source="x", reason=Reason.STALE, detail="", headers=())
    await inbox.refuse_all([replace(refusal, detail=f"{n}") for n in range(1200)])
    await inbox.refuse(replace(refusal, detail="last"))

    remembered = await inbox.refusals(5000)

    assert len(remembered) == 1000
    assert (remembered[0].detail, remembered[-1].detail) == ("last", "201")


async def test_looking_back_sees_source_type_key_and_position(inbox):
    key = "deployment:1"
    kinds = [("github", "deployment_status.created"), ("evil", "deployment_status.created")]
    kinds += [("github", "issues.opened"), ("github", "deployment_status.created")]
    for n, (source, type_) in enumerate(kinds, 1):
        await one(inbox, f"e{n}", source=source, type=type_, keys=(key, "x:1", key))

    async def back(pattern, key=key, since=0, limit=10):
        return [entry.id for entry in await inbox.look_back(pattern, key, since, limit)]

    assert await back("github/deployment_status.*") == ["e1", "e4"]
    assert await back("github/deployment_status.*", since=1) == ["e4"]
    assert await back("github/*", limit=2) == ["e1", "e3"]
    assert await back("*", key="deployment:2") == []
    assert await back("github/deployment_status.create?") == ["e1", "e4"]
    assert await back("github/[id]*") == []


async def test_a5_looking_back_unpacks_only_the_bodies_that_were_asked_for(inbox, monkeypatch):
    await inbox.keep(carrying(range(9)))
    unpacked, unpack = [], rows.zlib.decompress

    def unpacking(packed):
        unpacked.append(unpack(packed))
        return unpack(packed)

    monkeypatch.setattr(rows.zlib, "decompress", unpacking)
    found = await inbox.look_back("github/*", "x:1", 1, 2)

    assert [entry.id for entry in found] == ["e2", "e4"]
    assert unpacked == [b"2", b"4"]


async def test_a5_what_stands_behind_the_page_costs_no_step_of_looking_back(tmp_path):
    """Counted in SQLite's own steps: every page would read to the end of a key that thousands carry."""
    with on_sqlite(tmp_path, None) as inbox:
        taken = steps_of(inbox)
        await inbox.keep(carrying(range(200)))
        taken.clear()
        await inbox.look_back("github/*", "x:1", 0, 2)
        of_few = len(taken)
        await inbox.keep(carrying(range(200, 1400)))
        taken.clear()
        await inbox.look_back("github/*", "x:1", 0, 2)

    assert len(taken) == of_few > 0


def carrying(many):
    """Deliveries that carry the same key, every second of another source."""
    return [
        arrival(f"e{n}", f"d{n}", b"%d" % n, keys=("x:1",), source=("github", "evil")[n % 2])
        for n in many
    ]


def steps_of(inbox):
    """One item for every step that SQLite takes from now on."""
    taken = []

    def step():
        taken.append(1)
        return 0

    engine = inbox._database.engine
    event.listen(engine, "checkout", lambda raw, *_: raw.set_progress_handler(step, 1))
    return taken


async def test_ready_means_that_it_can_be_written(inbox):
    await inbox.pulse(NOW)
    await inbox.pulse(NOW)
