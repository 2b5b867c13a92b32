"""Whether a tool is what was locked, what is different, and what a new lock takes over."""

from dataclasses import replace

import pytest

from orchestrator.agent.hands.definitions import canonical, definition_hash
from orchestrator.agent.hands.locking import changed as words_of_change
from orchestrator.agent.hands.locking import differences, drifted, estranged
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.agent.tools.relocking import Asked, relocked, wanted_tools
from orchestrator.configuration.locks import Lock
from orchestrator.servers import HttpServer
from tests.support.configurations import RENOVATE, configuration
from tests.support.locked import COMMENT, LOOK, SERVER, changed, lock_of_tools, offered

LOCK = lock_of_tools(COMMENT, LOOK)
WAY = way_of(SERVER)
WANTED = {"github": ("comment", "look")}
NOW = 1_700_000_000.0


def asked(*tools, identity="github 1.0", way=WAY, **silent):
    found = {} if silent else {"github": offered(*tools, identity=identity)}
    return Asked(discovered=found, silent=silent, ways={} if silent else {"github": way})


def test_h2_what_was_locked_is_no_drift():
    assert drifted(LOCK, COMMENT) is None
    assert estranged(LOCK, offered(COMMENT), WAY) is None


def test_h2_drift_is_told_field_by_field_with_what_to_do():
    schema = {"type": "object", "properties": {"body": {"type": "integer"}, "cc": {}}}
    drift = replace(COMMENT, description="It comments, and mails.", input_schema=schema)

    assert str(drifted(LOCK, drift)).splitlines() == [
        "the definition of github.comment isn't the one that was locked:",
        '  ~ description: "It comments." → "It comments, and mails."',
        '  - input_schema.properties.body.description: "The text."',
        '  ~ input_schema.properties.body.type: "string" → "integer"',
        "  + input_schema.properties.cc: {}",
        '  - input_schema.required: ["body"]',
        "if that is meant, run `doorbell lock --accept github.comment`",
    ]


def test_h2_a_tool_that_nobody_locked_is_named():
    said = drifted(Lock(), COMMENT)
    assert said == (
        "github.comment isn't locked: run `doorbell lock`, and look at what it adds to tools.lock"
    )


def test_h2_a_difference_shows_what_nobody_would_see_and_stays_short():
    hidden = changed("It comments.\u200b\U000e0041" + "x" * 5_000)
    [line] = differences(canonical(COMMENT), canonical(hidden))
    assert "[U+200B U+E0041]" in line
    assert len(line) < 300


def test_h2_a_difference_at_the_end_of_a_long_text_is_shown():
    before, after = "x" * 2_000 + " to Ann", "x" * 2_000 + " to Eve"
    [line] = differences({"description": before}, {"description": after})
    assert line.endswith('xx to Ann" → …xxxxxxxxxxxxxxxx to Eve"')


def test_h2_a_hundred_differences_are_counted():
    lines = differences({}, {f"f{number:03}": number for number in range(100)})
    assert len(lines) == 13
    assert lines[-1] == "  … and 88 more"


def test_h2_the_order_of_names_and_values_is_no_difference():
    one = {"input_schema": {"required": ["a", "b"], "enum": [1, 2]}}
    other = {"input_schema": {"enum": [2, 1], "required": ["b", "a"]}}
    assert differences(one, other) == ()


def test_h2_without_what_was_pinned_the_change_is_told_without_its_fields():
    assert words_of_change({}, COMMENT) == (
        "github.comment is no longer what it was when this run was opened."
    )
    assert words_of_change(canonical(COMMENT), changed()).endswith('and more."')


@pytest.mark.parametrize(
    ("lock", "identity", "way", "words"),
    [
        (Lock(sound=False), "github 1.0", WAY, "tools.lock can't be used"),
        (LOCK, "github 1.0", "other", "is reached otherwise than when its tools were locked"),
        (LOCK, "evil 1.0", WAY, "calls itself evil 1.0, and it was github 1.0"),
    ],
)
def test_h2_another_server_under_the_same_name_is_noticed(lock, identity, way, words):
    assert words in str(estranged(lock, offered(COMMENT, identity=identity), way))


def test_h2_a_server_that_only_has_another_version_is_the_same():
    assert estranged(LOCK, offered(COMMENT, identity="github 2.7"), WAY) is None


def test_h2_annotations_and_output_schemas_are_part_of_a_definition():
    assert definition_hash(replace(COMMENT, output_schema={})) != definition_hash(COMMENT)
    assert definition_hash(replace(COMMENT, read_only=True)) != definition_hash(COMMENT)
    claims = replace(COMMENT, annotations={"readOnlyHint": True})
    assert definition_hash(claims) == definition_hash(replace(COMMENT, read_only=True))


def test_what_is_wanted_are_the_tools_of_playbooks_and_of_calls():
    found = wanted_tools(configuration(rules__renovate_yaml=RENOVATE))
    assert found == {"github": ("issue_read", "issue_write")}


def test_h2_the_first_lock_takes_what_is_wanted_and_nothing_else():
    delete = replace(COMMENT, name="delete")
    made = relocked(None, WANTED, asked(COMMENT, LOOK, delete), (), NOW)
    assert made.added == ["github.comment", "github.look"]
    assert made.lock == LOCK


def test_h2_locking_again_changes_nothing():
    made = relocked(LOCK, WANTED, asked(COMMENT, LOOK, identity="github 9"), (), NOW)
    assert made.lock == LOCK
    assert (made.added, made.removed, made.drifted, made.problems) == ([], [], {}, [])


def test_h2_what_changed_is_never_taken_over_unasked():
    made = relocked(LOCK, WANTED, asked(changed(), LOOK), (), NOW)
    assert list(made.drifted) == ["github.comment"]
    assert made.lock == LOCK


@pytest.mark.parametrize("name", ["github.comment", "github"])
def test_h2_what_is_accepted_by_name_is_taken_as_it_is_now(name):
    made = relocked(LOCK, WANTED, asked(changed(), LOOK), (name,), NOW)
    assert made.drifted == {}
    locked = made.lock.tool("github", "comment")
    assert locked is not None
    assert (locked.hash, locked.accepted_at) == (definition_hash(changed()), NOW)


def test_h2_accepting_one_tool_leaves_the_others_that_changed():
    other = replace(LOOK, description="It looks away.")
    made = relocked(LOCK, WANTED, asked(changed(), other), ("github.comment",), NOW)
    assert list(made.drifted) == ["github.look"]


def test_h2_no_tool_of_another_server_is_taken_until_the_server_is_accepted():
    way = way_of(HttpServer(name="github", url="http://evil/mcp"))
    wanted = {"github": ("comment", "look", "new")}
    found = asked(COMMENT, LOOK, replace(COMMENT, name="new"), way=way)
    kept = relocked(LOCK, wanted, found, ("github.new",), NOW)
    assert list(kept.drifted) == ["github"]
    assert kept.lock == LOCK
    taken = relocked(LOCK, wanted, found, ("github",), NOW)
    assert taken.drifted == {}
    assert taken.servers["github"].reached == way


def test_h2_what_nobody_uses_any_more_is_taken_out():
    made = relocked(LOCK, {"github": ("look",)}, asked(COMMENT, LOOK), (), NOW)
    assert made.removed == ["github.comment"]
    assert list(made.servers["github"].tools) == ["look"]


def test_h2_a_server_that_does_not_answer_keeps_what_it_has_and_is_told():
    made = relocked(LOCK, WANTED, asked(github="server 'github': no answer"), (), NOW)
    assert made.lock == LOCK
    assert made.problems == ["server 'github': no answer"]


@pytest.mark.parametrize(
    ("tools", "accept", "problem"),
    [
        ((LOOK,), (), "server 'github' has no tool 'comment'"),
        (
            (changed("x\u200by"), LOOK),
            ("github",),
            "the definition of github.comment has characters that nobody sees",
        ),
        ((COMMENT, LOOK), ("github.coment",), "nothing to accept: no playbook lists"),
    ],
)
def test_h2_what_can_not_be_locked_is_told_and_stays_as_it_was(tools, accept, problem):
    made = relocked(LOCK, WANTED, asked(*tools), accept, NOW)
    assert problem in made.problems[0]
    locked = made.lock.tool("github", "comment")
    assert locked is not None
    assert locked.hash == definition_hash(COMMENT)
