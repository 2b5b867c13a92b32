"""`trust:` of a rule, guard by guard: who may start anything, and whose words are a stranger's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.events import Actor, Author
from orchestrator.rules.rule import Trust
from orchestrator.rules.trust import guards, is_known, named, trusted
from orchestrator.sources.authors import author_in
from orchestrator.sources.presets import PRESETS
from tests.support.builders import event, rule

ANN = Actor(id="583231", login="ann")
BOT = Actor(id="9", login="renovate[bot]", bot=True)
STRANGER = Author(id="7", login="eve", association="NONE")
MEMBER = Author(id="583231", login="ann", association="MEMBER")
OUTSIDE = Author(fork=True)
OURS = Actor(id="5", login="us")
NOBODY = frozenset()


def refused(trust, actor=ANN, author=None, own=NOBODY):
    found = trusted(rule(trust=trust), event(actor=actor, author=author), own)
    return None if found is None else found.path.removeprefix("trust.")


@pytest.mark.parametrize(
    ("trust", "actor", "author", "guard"),
    [
        ({}, ANN, None, None),
        ({}, None, None, None),
        ({"associations": {"MEMBER"}}, ANN, MEMBER, None),
        ({"associations": {"MEMBER"}}, ANN, STRANGER, "associations"),
        ({"associations": {"MEMBER"}}, ANN, Author(), "associations"),
        ({"associations": {"MEMBER"}}, ANN, None, "associations"),
        ({"associations": {"MEMBER"}, "allow": {"ann"}}, ANN, STRANGER, None),
        ({"allow": {"ann"}}, ANN, None, None),
        ({"allow": {"bob"}}, ANN, None, "allow"),
        ({"allow": {"ann"}}, None, None, "allow"),
        ({"deny": {"ann"}}, ANN, None, "deny"),
        ({"deny": {"bob"}}, ANN, None, None),
        ({"deny": {"bob"}}, None, None, "deny"),
        ({"deny": {"eve"}}, ANN, STRANGER, "deny"),
        ({"deny": {"ann"}, "allow": {"ann"}, "associations": {"MEMBER"}}, ANN, MEMBER, "deny"),
        ({"deny": {"id:583231"}, "allow": {"ann"}}, ANN, None, "deny"),
        ({}, BOT, None, "bots"),
        ({"allow": {"renovate[bot]"}}, BOT, None, "bots"),
        ({"bots": {"renovate[bot]"}}, BOT, None, None),
        ({"bots": {"id:9"}}, BOT, None, None),
        ({"bots": {"renovate"}}, BOT, None, "bots"),
        ({"bots": {"Renovate[bot]"}, "associations": {"MEMBER"}}, BOT, Author(), None),
        ({"bots": {"ann"}, "associations": {"MEMBER"}}, ANN, STRANGER, "associations"),
        ({}, ANN, Author(app="helper"), "bots"),
        ({"bots": {"helper[bot]"}}, ANN, Author(app="helper"), None),
        ({"bots": {"other[bot]"}}, ANN, Author(app="helper"), "bots"),
        ({"bots": {"helper[bot]"}}, BOT, Author(app="helper"), "bots"),
        ({}, ANN, OUTSIDE, "forks"),
        ({"forks": True}, ANN, OUTSIDE, None),
    ],
)
def test_a_guard_refuses_whom_it_does_not_know_and_what_it_cannot_judge(
    trust, actor, author, guard
):
    said = {name: frozenset(one) if isinstance(one, set) else one for name, one in trust.items()}

    assert refused(Trust(**said), actor, author) == guard


def test_every_guard_that_a_rule_states_is_a_finding_with_what_it_expected_and_what_came():
    trust = Trust(deny=frozenset({"bob"}), associations=frozenset({"OWNER", "MEMBER"}))
    denied, associated = guards(rule(trust=trust), event(actor=ANN, author=STRANGER), NOBODY)

    assert (denied.path, denied.expected, denied.actual, denied.held) == (
        "trust.deny",
        ["bob"],
        "ann",
        True,
    )
    assert (associated.path, associated.expected, associated.actual, associated.held) == (
        "trust.associations",
        ["MEMBER", "OWNER"],
        "NONE",
        False,
    )


@pytest.mark.parametrize(
    ("trust", "actor", "author", "said"),
    [
        ({"deny": {"ann"}}, ANN, None, "deny none ['ann'], came: ann"),
        ({"allow": {"bob"}}, ANN, None, "allow in ['bob'], came: ann"),
        ({"associations": {"OWNER"}}, ANN, MEMBER, "associations in ['OWNER'], came: MEMBER"),
        ({"bots": {"x[bot]"}}, BOT, None, "bots in ['x[bot]'], came: renovate[bot]"),
        ({}, BOT, None, "bots wants no bot, as the rule names none, came: renovate[bot]"),
        (
            {},
            ANN,
            Author(app="helper"),
            "bots wants no bot, as the rule names none, came: ann, through helper[bot]",
        ),
        (
            {},
            ANN,
            OUTSIDE,
            "forks wants nothing from a fork, unless `forks: true`, came: it is from a fork",
        ),
        (
            {},
            OURS,
            None,
            "ignore_self wants somebody else's doing, came: our own write: us is one of our actors",
        ),
    ],
)
def test_r1_a_guard_that_refuses_says_what_it_wanted_and_what_came(trust, actor, author, said):
    wanted = Trust(**{name: frozenset(one) for name, one in trust.items()})
    found = trusted(rule(trust=wanted), event(actor=actor, author=author), frozenset({"us"}))

    told = f"{found.path} {found.operator} {found.expected}, came: {found.actual}"
    assert told == f"trust.{said}"


@given(st.sampled_from(["ann", "ANN", "aNn"]))
def test_logins_are_the_same_in_any_case_as_github_has_them(name):
    assert named([name], ANN)


LOOKALIKES = [
    "\u0430nn",
    "ann\u200b",
    "\u200bann",
    "ann\u00ad",
    "\uff41nn",
    "ann ",
    "an\u0274",
    "ann[bot]",
]


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_a_name_that_only_looks_the_same_is_another(lookalike):
    assert not named(["ann"], Actor(login=lookalike))
    assert not named([lookalike], ANN)


@pytest.mark.parametrize(("sign", "letter"), [("\u212a", "k"), ("\u017f", "s"), ("\u0130", "i")])
def test_a_sign_that_becomes_a_letter_when_folded_is_not_that_letter(sign, letter):
    assert not named([letter], Actor(login=sign))
    assert refused(Trust(), Actor(login=sign), own=frozenset({letter})) is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_name_fits_only_itself_but_for_the_case_of_a_to_z(name, other):
    same = name == other or (name.isascii() and other.isascii() and name.lower() == other.lower())
    wanted = name if not name.startswith("id:") else f"x{name}"
    assert named([wanted], Actor(login=other)) == (same if wanted == name else wanted == other)


def test_an_id_outlives_a_rename_and_nobody_takes_it_by_a_login():
    assert named(["id:583231"], Actor(id="583231", login="renamed"))
    assert not named(["id:583231"], Actor(id="1", login="id:583231"))
    assert not named(["583231"], Actor(id="583231", login="ann"))


@pytest.mark.parametrize(
    ("trust", "author", "known"),
    [
        ({}, MEMBER, True),
        ({}, STRANGER, False),
        ({}, None, False),
        ({}, Author(association="CONTRIBUTOR"), False),
        ({"associations": {"CONTRIBUTOR"}}, Author(association="CONTRIBUTOR"), True),
        ({"associations": {"OWNER"}}, MEMBER, False),
        ({"allow": {"eve"}}, STRANGER, True),
        ({"allow": {"ann"}}, STRANGER, False),
        ({"deny": {"ann"}}, MEMBER, False),
        ({"allow": {"ann"}}, None, True),
    ],
)
def test_a7_words_are_known_by_who_wrote_them_not_by_who_rang(trust, author, known):
    """Ann labels Eve's issue: Ann may start the run, and the text is still Eve's."""
    said = {name: frozenset(one) for name, one in trust.items()}

    assert is_known(Trust(**said), event(actor=ANN, author=author)) is known


def github(**data):
    return author_in(PRESETS["github"].dialect, data)


EVE = {"id": 7, "login": "eve"}
HER_ISSUE = {"user": EVE, "author_association": "NONE", "body": "x"}
OURS = {"user": {"id": 1, "login": "ann"}, "author_association": "OWNER", "body": "y"}


@pytest.mark.parametrize(
    ("data", "login", "association"),
    [
        ({"action": "labeled", "issue": HER_ISSUE, "sender": {"login": "ann"}}, "eve", "NONE"),
        ({"action": "created", "issue": HER_ISSUE, "comment": OURS}, "ann", "OWNER"),
        ({"action": "created", "issue": OURS, "comment": HER_ISSUE}, "eve", "NONE"),
        ({"action": "submitted", "review": OURS, "pull_request": HER_ISSUE}, "ann", "OWNER"),
        ({"action": "opened", "pull_request": HER_ISSUE}, "eve", "NONE"),
        ({"action": "opened", "discussion": HER_ISSUE}, "eve", "NONE"),
        ({"ref": "main"}, None, None),
        ({"issue": {"user": None, "author_association": 7}}, None, None),
    ],
)
def test_an_association_is_that_of_the_author_of_the_newest_text(data, login, association):
    found = github(**data)

    assert (found.login, found.association) == (login, association)


def test_another_sender_cannot_claim_an_association_in_its_payload():
    for name in ("gitlab", "stripe", "standard-webhooks"):
        assert author_in(PRESETS[name].dialect, {"comment": OURS, "action": "created"}) is None


def test_the_app_of_a_text_counts_only_when_it_has_just_been_written():
    by_app = OURS | {"performed_via_github_app": {"slug": "helper"}}

    assert github(action="created", comment=by_app).app == "helper"
    assert github(action="edited", comment=by_app).app is None
    assert github(action="labeled", issue=by_app).app is None


def side(number):
    return {"repo": None if number is None else {"id": number}}


@pytest.mark.parametrize(
    ("data", "fork"),
    [
        ({"pull_request": {"head": side(1), "base": side(1)}}, False),
        ({"pull_request": {"head": side(2), "base": side(1)}}, True),
        ({"pull_request": {"head": side(None), "base": side(1)}}, True),
        ({"pull_request": {"head": side(None), "base": side(None)}}, True),
        ({"pull_request": {}}, None),
        ({"issue": {}}, None),
        ({"workflow_run": {"head_repository": {"id": 1}}, "repository": {"id": 1}}, False),
        ({"workflow_run": {"head_repository": {"id": 2}}, "repository": {"id": 1}}, True),
        ({"workflow_run": {"head_repository": None}, "repository": {"id": 1}}, True),
    ],
)
def test_code_from_another_repository_is_a_forks(data, fork):
    assert github(**data).fork is fork
