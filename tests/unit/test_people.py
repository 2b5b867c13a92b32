"""people.yaml and `approve:`: who may consent, proved by the source that names them, and to which calls."""

import pytest

from orchestrator.configuration.people import Person, speaker, unmatched
from orchestrator.events import Actor, Author
from orchestrator.sources.source import OPERATOR
from tests.support.builders import event
from tests.support.configurations import PLAYBOOK, configuration, mistakes
from workflows.playbook import Approve, Effect, OnTimeout

PEOPLE = """\
alice: {github: 583231, operator: ali, roles: [maintainer, support]}
bob: {github: "7"}
"""
ALICE = Person(
    name="alice",
    accounts={"github": "583231", "operator": "ali"},
    roles=frozenset({"maintainer", "support"}),
)
BOB = Person(name="bob", accounts={"github": "7"})
KNOWN = {"alice": ALICE, "bob": BOB}


def asking(line, people=PEOPLE):
    return {
        "playbooks__triage_md": PLAYBOOK.replace("max: 2", f"max: 2, {line}"),
        "people_yaml": people,
    }


def policy(line):
    found = configuration(**asking(line))
    assert found.mistakes == ()
    return found.playbooks["triage"].writes["github.issue_write"].approve


def test_a6_people_have_accounts_and_roles():
    assert configuration(people_yaml=PEOPLE).people == KNOWN


@pytest.mark.parametrize("text", [None, "", "# nobody yet\n", "{}\n"])
def test_a6_without_the_file_there_is_nobody(text):
    found = configuration(people_yaml=text)

    assert (found.people, found.mistakes) == ({}, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alice: {github: octocat}\n", "1:17: expected the number by which github names them"),
        ("alice: {github: true}\n", "never a login, got True"),
        (
            "alice: {slack: U024}\n",
            "1:9: expected a source that can carry an answer (github, operator), or",
        ),
        ("alice: {gihtub: 1}\n", "got 'gihtub'; did you mean 'github'?"),
        ("alice: {roles: [maintainer]}\n", "expected at least one account"),
        ("alice: {github: 1, roles: [a b]}\n", "expected names of roles, such as [maintainer]"),
        ("alice: {operator: 5}\n", "expected the login on this machine, got 5"),
        ("alice: 583231\n", "expected a mapping, such as {github: 583231"),
        ("operator: {github: 1}\n", "'operator' means something else"),
        ("alice: {github: 1}\nbob: {github: 1}\n", "2:15: this is 'alice' already"),
        ("- alice\n", "expected persons by name"),
    ],
)
def test_a6_a_person_who_could_be_somebody_else_is_a_mistake(text, said):
    found = mistakes(people_yaml=text)

    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    "sources", [None, "github: {scheme: github, secrets: [env:HOOK], catch_up: 1d}\n"]
)
def test_a6_r6_people_are_known_where_their_sources_secret_is_unset_or_an_option_of_it_wrong(
    sources,
):
    more = {} if sources is None else {"sources_yaml": sources}
    found = configuration({}, **asking("approve: {by: [role:maintainer]}"), **more)

    assert "github" not in found.sources
    assert found.people == KNOWN
    assert not [one for one in found.mistakes if "sources.yaml" not in str(one)]


def test_a6_a_person_with_a_mistake_is_nobody_and_the_others_stay():
    assert configuration(people_yaml="alice: {github: x}\nbob: {github: 7}\n").people == {
        "bob": BOB
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actor": Actor(id="583231", login="renamed")}, "alice"),
        ({"actor": Actor(id="583231"), "author": Author(id="583231")}, "alice"),
        ({"source": OPERATOR, "actor": Actor(login="ali")}, "alice"),
        ({"source": OPERATOR, "actor": Actor(login="root")}, "operator root"),
    ],
)
def test_a6_a_person_is_who_the_source_says_by_number(changes, said):
    who = speaker(event(**changes), KNOWN)

    assert who is not None
    assert who.said == said


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": None},
        {"actor": Actor(id="9", login="alice")},
        {"actor": Actor(id="583231", bot=True)},
        {"actor": Actor(id="583231"), "author": Author(id="9")},
        {"actor": Actor(login="ali")},
        {"source": "gitlab", "actor": Actor(id="583231")},
    ],
    ids=["nobody", "login", "bot", "another's words", "a login elsewhere", "another source"],
)
def test_a6_nobody_is_proved_by_a_login_a_bot_or_another_source(changes):
    assert speaker(event(**changes), KNOWN) is None


def test_a6_the_command_line_is_the_operator_and_nobody_else():
    by_hand = speaker(event(source=OPERATOR, actor=Actor(login="ali")), KNOWN)
    comment = speaker(event(actor=Actor(id="583231")), KNOWN)

    assert by_hand is not None
    assert comment is not None
    assert by_hand.names - comment.names == {"operator"}
    assert comment.names == {"alice", "anybody", "role:maintainer", "role:support"}


def test_a6_a_policy_says_who_how_long_and_when():
    found = policy(
        "approve: {by: [role:maintainer, bob], ttl: 3d, on_timeout: park, when: args.n > 5}"
    )

    assert found == Approve(
        by=("role:maintainer", "bob"),
        ttl=3 * 86_400.0,
        on_timeout=OnTimeout.PARK,
        when="args.n > 5",
    )


@pytest.mark.parametrize(
    ("word", "when"),
    [
        ("always", ""),
        ("never", "false"),
        ("write", "effect != 'read'"),
        ("write-once", "effect == 'write-once'"),
    ],
)
def test_a6_a_word_alone_asks_the_operator(word, when):
    assert policy(f"approve: {word}") == Approve(by=("operator",), ttl=72 * 3600.0, when=when)


def test_a6_a_playbook_may_ask_about_all_that_changes_something():
    text = PLAYBOOK.replace("budget:", "approve: write-once\nbudget:")
    found = configuration(playbooks__triage_md=text).playbooks["triage"]

    assert found.consent_for("github.other", Effect.READ) is None
    assert found.consent_for("github.other", Effect.WRITE) == found.approve
    assert found.consent_for("github.issue_write", Effect.WRITE) == found.approve


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "approve: {by: [role:maintaner]}",
            "nobody in people.yaml has the role 'maintaner'; did you mean",
        ),
        (
            "approve: {by: carol}",
            "expected role:NAME, a person of people.yaml, operator or anybody, got 'carol'",
        ),
        ("approve: sometimes", "expected always, never, write, write-once or CEL"),
        ("approve: {when: 'args.n >'}", "it ends too early"),
        ("approve: {when: 'event.n > 5'}", "undeclared reference to 'event.n'"),
        ("approve: {ttl: 60d}", "expected at most 30d, got 60d"),
        ("approve: {ttl: 0s}", "expected a duration between 1s"),
        ("approve: {by: []}", "at least 1 item"),
        ("approve: {on_timeout: shrug}", "expected 'deny', 'fail' or 'park'"),
        ("approve: {who: bob}", "unknown key 'who'"),
    ],
)
def test_a6_a_policy_that_nobody_could_meet_is_a_mistake(line, said):
    found = mistakes(**asking(line))

    assert any(said in one for one in found), found


def test_a6_everybody_who_is_named_is_there():
    assert list(unmatched(["alice", "role:support", "operator", "anybody"], KNOWN)) == []


@pytest.mark.parametrize(
    ("said", "name", "operates"),
    [
        ({"person": "alice", "operates": True}, "alice", True),
        ({"person": "alice", "operates": False}, "alice", False),
        ({"person": "alice", "operates": "yes"}, "alice", False),
        ({"person": "bob"}, "bob", False),
    ],
)
def test_a6_whom_a_token_proved_is_that_person_and_the_command_line_only_where_it_may_operate(
    said, name, operates
):
    who = speaker(event(source=OPERATOR, actor=Actor(login="ali"), data=said), KNOWN)

    assert who.said == name
    assert name in who.names
    assert (OPERATOR in who.names) is operates


@pytest.mark.parametrize("name", ["mallory", "", None, 1, "ali"])
def test_a6_a_token_of_somebody_who_isnt_in_the_file_is_nobody(name):
    said = event(source=OPERATOR, actor=Actor(login="ali"), data={"person": name, "operates": True})

    assert speaker(said, KNOWN) is None


def test_a6_what_another_source_says_about_a_person_proves_nothing():
    said = event(actor=Actor(id="9"), data={"person": "alice", "operates": True})

    assert speaker(said, KNOWN) is None
