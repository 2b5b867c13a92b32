"""The chain of calls: one line for each that ended, and whoever changes one is found out."""

import asyncio
import csv
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from orchestrator.ledger import audit, calls, conversations, shortfalls
from orchestrator.ledger.audit import (
    NOTHING,
    Chained,
    Line,
    broken,
    chained,
    digest_of,
    forget,
    text_of,
)
from orchestrator.ledger.calls import Result
from tests.support.builders import AT, RUN, comment, intent, ledger_at, opening, payer
from tests.support.installed import Installed
from workflows.messages import CallState

DONE = Result(state=CallState.DONE, content=[], is_error=False)
LINE = Line(
    at=AT,
    call_id="hand_1",
    run_id=None,
    rule=None,
    playbook=None,
    event_id=None,
    who="ann",
    server="lab",
    tool="echo",
    effect="read",
    arguments=digest_of("{}"),
    outcome="done",
    is_error=False,
    sent=True,
    seconds=0.25,
)


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


def chain(*lines: str) -> list[Chained]:
    made, before = [], NOTHING
    for number, words in enumerate(lines, start=1):
        before = chained(before, number, words)
        made.append(Chained(number=number, text=words, digest=before))
    return made


# What is written -------------------------------------------------------------------------------


async def test_h3_a_call_that_ends_is_one_line_with_who_by_which_rule_and_what_with(ledger):
    await ledger.write(conversations.begin, opening(), AT)
    await ledger.write(shortfalls.pays, payer())
    await ledger.write(calls.intend, RUN, 1, intent(), AT)
    await ledger.write(calls.take, RUN, "c1", 1, again=False)
    await ledger.write(calls.send, RUN, "c1", 1, AT, AT + 60)
    for _ in range(3):
        await ledger.write(calls.finish, RUN, "c1", DONE, AT + 2)

    [one] = await ledger.read(audit.lines)
    line = one.line
    assert (line["run_id"], line["rule"], line["playbook"]) == (RUN, "triage", "triage")
    assert line["who"] == payer().named
    assert (line["server"], line["tool"], line["effect"]) == ("github", "comment", "write-once")
    assert line["arguments"] == digest_of('{"body": "Hello"}')
    assert (line["outcome"], line["sent"], line["seconds"]) == ("done", True, 2.0)
    assert "Hello" not in one.text


async def test_h3_a_call_that_never_left_says_so(ledger):
    await ledger.write(conversations.begin, opening(), AT)
    await ledger.write(calls.intend, RUN, 1, intent(), AT)
    denied = replace(DONE, state=CallState.DENIED, is_error=True)
    await ledger.write(calls.finish, RUN, "c1", denied, AT + 2)

    [one] = await ledger.read(audit.lines)
    assert (one.line["outcome"], one.line["sent"], one.line["seconds"]) == ("denied", False, None)


async def test_h3_many_writers_at_once_make_one_chain(ledger):
    await asyncio.gather(*(ledger.write(audit.append, LINE) for _ in range(40)))

    found = await ledger.read(audit.lines)
    assert [one.number for one in found] == list(range(1, 41))
    assert list(broken(found)) == []


async def test_h3_lines_are_found_by_time_and_server(ledger):
    await ledger.write(audit.append, LINE)
    await ledger.write(audit.append, replace(LINE, at=AT + 100, server="crm"))

    assert [one.number for one in await ledger.read(audit.lines, AT + 50)] == [2]
    assert [one.number for one in await ledger.read(audit.lines, None, "lab")] == [1]


# What proves it --------------------------------------------------------------------------------


@given(
    lines=st.lists(st.text(), min_size=1, max_size=8),
    at=st.integers(0, 7),
    words=st.text(),
)
def test_h3_an_edited_line_shows(lines, at, words):
    made = chain(*lines)
    assert list(broken(made)) == []
    at %= len(made)
    if words != made[at].text:
        made[at] = replace(made[at], text=words)
        assert any(f"line {at + 1} isn't what was written" in said for said in broken(made))


@given(lines=st.lists(st.text(), min_size=3, max_size=8), at=st.integers(0, 7))
def test_h3_a_line_that_was_taken_out_shows(lines, at):
    made = chain(*lines)
    del made[at % (len(made) - 1)]
    assert list(broken(made))


@given(lines=st.lists(st.text(), min_size=2, max_size=8))
def test_h3_two_lines_that_changed_places_show(lines):
    made = chain(*lines)
    made[0], made[1] = replace(made[1], number=1), replace(made[0], number=2)
    assert list(broken(made))


def test_h3_the_same_arguments_have_one_digest_however_they_are_ordered():
    assert digest_of('{"a": 1, "b": [2]}') == digest_of('{"b":[2],"a":1}')
    assert digest_of('{"a": 1}') != digest_of('{"a": 2}')


# The command -----------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    for line in (LINE, replace(LINE, who="=HYPERLINK(1)", call_id="hand_2", at=AT + 1)):
        there.write(audit.append, line)
    return there


def edit(there, sql: str) -> None:
    there.write(lambda connection: connection.execute(text(sql)))


def test_o2_the_audit_is_a_table_json_or_csv(there):
    shown = there.doorbell("audit").stdout
    assert "lab.echo" in shown
    assert [row["who"] for row in there.told("audit")] == ["ann", "=HYPERLINK(1)"]
    rows = list(csv.DictReader(there.doorbell("audit", "--csv").stdout.splitlines()))
    assert [row["who"] for row in rows] == ["ann", "'=HYPERLINK(1)"]
    assert rows[0]["at"].startswith("2026-11-21T")


def test_o2_a_sound_chain_is_proved_and_its_end_named(there):
    told = there.told("audit", "--verify")

    assert (told["ok"], told["lines"], told["last"]) == (True, 2, 2)
    assert told["digest"] == there.told("audit")[-1]["digest"]


def test_o2_an_edited_line_of_the_ledger_is_named_and_fails_the_command(there):
    edit(there, "UPDATE audit SET line = replace(line, 'ann', 'bob') WHERE number = 1")
    result = there.doorbell("audit", "--verify")

    assert result.exit_code == 1
    assert "line 1 isn't what was written" in result.output


def test_o2_a_line_that_was_deleted_is_named(there):
    edit(there, "DELETE FROM audit WHERE number = 1")

    assert "lines are missing" in there.doorbell("audit", "--verify").output


def test_o2_what_was_forgotten_for_its_age_is_named_and_the_rest_is_proved(there):
    first = there.told("audit")[0]["digest"]
    there.write(forget, AT + 1, 10)
    told, words = there.told("audit", "--verify"), there.doorbell("audit", "--verify").stdout

    assert (told["ok"], told["lines"], told["last"]) == (True, 1, 2)
    assert (told["forgotten"], told["head"]) == (1, first)
    assert "it begins at line 2: those before were forgotten for their age" in words
    assert f"line 1 had the digest {first}" in words
    assert [row["number"] for row in there.told("audit")] == [2]


def test_o2_a_chain_whose_remembered_end_was_changed_is_broken(there):
    there.write(forget, AT + 1, 10)
    edit(there, "UPDATE audit SET digest = 'x' WHERE number = 1")

    assert "line 2 isn't what was written" in there.doorbell("audit", "--verify").output


def test_o2_an_export_is_proved_without_the_ledger(there, tmp_path):
    exported = tmp_path / "audit.json"
    exported.write_text(there.doorbell("audit", "--json").stdout)
    verify = ("audit", "--verify", "--file", str(exported))
    assert there.doorbell(*verify).exit_code == 0

    rows = json.loads(exported.read_text())
    rows[1]["outcome"] = "denied"
    exported.write_text(json.dumps(rows))
    assert there.doorbell(*verify).exit_code == 1
    exported.write_text("[1]")
    assert there.doorbell(*verify).exit_code == 2


def test_o2_a_part_of_the_chain_proves_nothing_and_is_refused(there):
    assert there.doorbell("audit", "--verify", "--since", "7d").exit_code == 2
    assert there.doorbell("audit", "--file", "/dev/null").exit_code == 2


def test_a_line_is_the_same_text_after_it_was_read():
    words = text_of({"b": 1.5, "a": "ü"})

    assert text_of(json.loads(words)) == words
