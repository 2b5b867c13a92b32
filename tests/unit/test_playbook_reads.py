"""`read:`: which resources a playbook allows, letter by letter, and how a call to read one is planned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.tools.builtins import built_ins_beside
from orchestrator.agent.tools.toolset import looked_at
from orchestrator.configuration.schemas import schema_of
from orchestrator.playbooks import READ, may_read, template_flaw
from tests.support.builders import RUN, frozen
from tests.support.configurations import PLAYBOOK, configuration, mistakes
from workflows.own_tools import BUILT_INS, RESOURCE
from workflows.playbook import Effect, Prompt

PAGES = ("docs:file:///handbook/{page}.md", "docs:file:///a", "wiki:https://w/{+path}")
ALLOWED = PLAYBOOK.replace("bind:", 'read: ["github:repo://{{ with.owner }}/{+path}"]\nbind:', 1)


@pytest.mark.parametrize(
    ("wanted", "may"),
    [
        ("docs:file:///a", True),
        ("docs:file:///a/b", False),
        ("docs:file:///handbook/one.md", True),
        ("docs:file:///handbook/a%20b.md", True),
        ("docs:file:///handbook/a b.md", False),
        ("docs:file:///handbook/one/two.md", False),
        ("docs:file:///handbook/one.md?x=1", False),
        ("docs:file:///handbook/..%2fsecret.md", False),
        ("docs:file:///handbook/%252e%252e%252fsecret.md", False),
        ("docs:file:///handbook/one%5Ctwo.md", False),
        ("docs:file:///handbook/.md", False),
        ("wiki:file:///a", False),
        ("wiki:https://w/a/b?c=d", True),
        ("wiki:https://w/a/../b", False),
        ("wiki:https://w/a/%2e%2e/b", False),
        ("wiki:https://w/", False),
        ("other:file:///a", False),
        ("docs", False),
        ("", False),
    ],
)
def test_a7_only_what_is_allowed_letter_by_letter_is_read(wanted, may):
    assert may_read(PAGES, wanted) is may


@given(st.text(max_size=40))
def test_a7_no_text_climbs_out_of_its_template(text):
    wanted = f"wiki:https://w/{text}"
    if may_read(PAGES, wanted):
        assert ".." not in text.split("/")
        assert text.isascii()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("file:///{a}/{+b}", None),
        ("handbook.md", "expected server:uri"),
        ("file:///{?q}", "only {name} and {+name}"),
        ("file:///{a", "braces that don't match"),
    ],
)
def test_a_template_of_uris_is_checked(uri, said):
    flaw = template_flaw(uri)

    assert flaw is None if said is None else said in str(flaw)


def test_a_playbook_says_what_may_be_read():
    loaded = configuration(playbooks__triage_md=ALLOWED)

    assert loaded.playbooks["triage"].read == ("github:repo://{{ with.owner }}/{+path}",)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("githup:file:///a", "unknown server 'githup'; did you mean 'github'"),
        ("github:a", "expected server:uri"),
        ("github:file:///{?a}", "only {name} and {+name}"),
        ("github:file:///{{ with.nobody }}", "with.nobody is not among the inputs"),
        ("github:file:///{{ event.body }}", "a bind knows the rule's inputs"),
        ("github:file:///{{ with.said }}", "may be a stranger's words"),
        ("github:file:///{{ with.owner", ""),
    ],
)
def test_a_wrong_entry_under_read_is_a_mistake(entry, said):
    text = PLAYBOOK.replace("bind:", f"read: ['{entry}']\nbind:", 1)
    text = text.replace("number: integer}", "number: integer, said: text}")

    assert any(said in one for one in mistakes(playbooks__triage_md=text))


def test_more_than_twenty_entries_are_too_many():
    many = ", ".join(f"'github:a:{number}'" for number in range(21))
    text = PLAYBOOK.replace("bind:", f"read: [{many}]\nbind:", 1)

    assert any("at most 20 entries" in one for one in mistakes(playbooks__triage_md=text))


def test_a_resource_is_no_tool():
    text = PLAYBOOK.replace("issue_read,", "issue_read, resources/read,")

    assert any("list resources under `read:`" in one for one in mistakes(playbooks__triage_md=text))


def test_h1_the_tool_that_reads_counts_among_the_forty():
    tools = ", ".join(f"t{number}" for number in range(40 - len(BUILT_INS)))
    full = PLAYBOOK.replace(
        "[issue_read, issue_write]", f"[issue_write, {tools}]".replace(", t0", "")
    )

    assert not any("Nothing is cut" in one for one in mistakes(playbooks__triage_md=full))
    reads = full.replace("bind:", "read: [github:a:b]\nbind:", 1)
    assert any(f"{RESOURCE} that is 41" in one for one in mistakes(playbooks__triage_md=reads))


def test_h1_what_the_tool_costs_is_counted():
    playbook = configuration(playbooks__triage_md=ALLOWED).playbooks["triage"]
    _, problems = looked_at(playbook, {}, {}, {})

    assert list(built_ins_beside(playbook.read)) == [*BUILT_INS, RESOURCE]
    assert not any(RESOURCE in one for one in problems)


def test_only_a_conversation_that_may_read_is_offered_the_tool():
    without, with_ = frozen(), frozen(reads=PAGES)

    assert RESOURCE not in {one["name"] for one in pins.definitions(without)}
    assert RESOURCE not in {card.alias for card in pins.cards(without)}
    (offered,) = [one for one in pins.definitions(with_) if one["name"] == RESOURCE]
    assert all(page in offered["description"] for page in PAGES)
    assert RESOURCE in {card.alias for card in pins.cards(with_)}
    assert pins.load(pins.dump(with_)) == with_


def planned(arguments, reads=PAGES):
    block = {"type": "tool_use", "id": "u", "name": RESOURCE, "input": arguments}
    (plan,) = pins.planned(frozen(reads=reads), RUN, 1, [block])
    return plan


def test_a_reading_is_a_call_of_the_server_that_has_the_resource():
    plan = planned({"resource": "docs:file:///a"})

    assert plan.complaint is None
    assert (plan.intent.server, plan.intent.tool, plan.intent.effect) == ("docs", READ, Effect.READ)


@pytest.mark.parametrize(
    "arguments", [{}, {"resource": 7}, {"resource": "docs:file:///b"}, {"uri": "a"}]
)
def test_a7_a_reading_that_is_not_allowed_never_leaves(arguments):
    plan = planned(arguments)

    assert plan.complaint is not None
    assert plan.intent.server == "doorbell"


def test_a7_who_may_read_nothing_has_no_such_tool():
    assert "There is no tool" in str(planned({"resource": "docs:file:///a"}, reads=()).complaint)


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("github:greet", Prompt(server="github", name="greet")),
        (
            "{name: github:greet, with: {who: '{{ with.owner }}', times: 2}}",
            Prompt(
                server="github", name="greet", arguments={"who": "{{ with.owner }}", "times": 2}
            ),
        ),
    ],
)
def test_a_playbook_says_which_prompt_begins_its_conversations(prompt, meant):
    text = PLAYBOOK.replace("bind:", f"prompt: {prompt}\nbind:", 1)

    assert configuration(playbooks__triage_md=text).playbooks["triage"].prompt == meant


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("githup:greet", "did you mean 'github'"),
        ("github", "expected server:name"),
        ("{name: github:greet, with: {who: '{{ event.a }}'}}", "a bind knows the rule's inputs"),
        ("{name: github:greet, with: {who: '{{ with.said }}'}}", "may be a stranger's words"),
        ("{name: github:greet, args: {}}", "unknown key 'args'"),
    ],
)
def test_a_wrong_prompt_is_a_mistake(prompt, said):
    text = PLAYBOOK.replace("bind:", f"prompt: {prompt}\nbind:", 1)
    text = text.replace("number: integer}", "number: integer, said: text}")

    assert any(said in one for one in mistakes(playbooks__triage_md=text))


def test_an_editor_is_told_both_ways_to_name_a_prompt():
    schema = schema_of("playbook")
    validator = Draft7Validator(schema)

    for prompt in ("github:greet", {"name": "github:greet", "with": {"times": 2}}):
        assert list(validator.iter_errors({"model": "m", "prompt": prompt, "read": "a:b:c"})) == []
    assert list(validator.iter_errors({"model": "m", "prompt": 7}))
