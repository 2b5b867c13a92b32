from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.events import Actor, Event
from orchestrator.rules.load import condition_of
from orchestrator.rules.match import (
    inputs_of,
    key_of,
    match,
    on,
    on_matches,
)
from orchestrator.rules.reading import MISSING
from orchestrator.rules.rule import All, Not, Rule, Trust
from orchestrator.rules.trust import trusted
from orchestrator.templates import TemplateError

ISSUE = {
    "action": "opened",
    "issue": {
        "number": 7,
        "body": None,
        "author_association": "NONE",
        "labels": [{"name": "bug"}, {"name": "agent-ok"}],
    },
    "repository": {"full_name": "acme/api"},
}


def event(data=ISSUE, **changes):
    given_ = {
        "id": "evt_1",
        "source": "github",
        "delivery_id": None,
        "type": "issues.opened",
        "subject": None,
        "actor": Actor(id="1", login="ann"),
        "keys": (),
        "received_at": datetime(2026, 1, 1, tzinfo=UTC),
        "headers": {},
        "data": data,
    }
    return Event(**{**given_, **changes})


def rule(when=None, **changes):
    condition, flaws = condition_of(when or {}, ("r", "when"))
    assert flaws == []
    given_ = {
        "id": "r",
        "name": "r",
        "on": ("github/issues.*",),
        "when": condition,
        "playbook": "p",
    }
    return Rule(**{**given_, **changes})


def asked(when, data=ISSUE):
    return match(rule(when), event(data))


def test_a_rule_without_conditions_wants_every_event_of_its_kind():
    assert asked({}).matched


def test_every_leaf_is_recorded_even_after_one_failed():
    found = asked(
        {"action": "closed", "issue.number": {"gt": 3, "lt": 5}, "cel": "event.issue.number == 7"}
    )

    assert not found.matched
    assert [(line.path, line.operator, line.actual, line.held) for line in found.trace] == [
        ("when.action", "eq", "opened", False),
        ("when.issue.number", "gt", 7, True),
        ("when.issue.number", "lt", 7, False),
        ("when.cel", "cel", True, True),
    ]
    assert found.failed is found.trace[0]


def test_paths_are_the_rule_files_own_words():
    found = asked(
        {
            "any": [{"cel": "event.x == 1"}, {"issue.labels[*].name": {"has": "agent-ok"}}],
            "all": [{"action": "opened"}],
            "not": [{"action": "a"}, {"action": "b"}],
        }
    )

    assert found.matched
    assert [line.path for line in found.trace] == [
        "when.any",
        "when.any[0].cel",
        "when.any[1].issue.labels[*].name",
        "when.all[0].action",
        "when.not",
        "when.not[0].action",
        "when.not[1].action",
    ]


def test_the_reason_is_the_group_not_a_leaf_that_decided_nothing():
    found = asked(
        {"any": [{"action": "x"}, {"action": "opened"}], "not": {"action": "opened"}, "b": 1}
    )

    failed = found.failed
    assert (failed.path, failed.expected, failed.actual) == ("when.not", "none of these", 1)


def test_an_any_without_a_holder_is_the_reason():
    assert asked({"any": [{"action": "x"}, {"action": "y"}]}).failed.path == "when.any"


def test_a_match_has_no_failure():
    assert asked({"any": [{"action": "x"}, {"action": "opened"}]}).failed is None


def test_a_cel_error_does_not_hold_and_says_why():
    (line,) = asked({"cel": "event.nope == 1"}).trace

    assert not line.held
    assert "nope" in line.actual


def test_missing_is_recorded_and_holds_only_for_negations():
    found = asked(
        {
            "a.b": 1,
            "a.c": {"ne": 1},
            "a.d": {"none": [1]},
            "a.e": {"exists": False},
            "not": {"a.f": 1},
        }
    )

    held = {line.path: line.held for line in found.trace}
    assert held == {
        "when.a.b": False,
        "when.a.c": True,
        "when.a.d": True,
        "when.a.e": True,
        "when.not": True,
        "when.not.a.f": False,
    }
    assert found.trace[0].actual == MISSING


def test_any_element_shows_all_of_them():
    (line,) = asked({"issue.labels[*].name": {"none": ["wontfix"]}}).trace

    assert line.held
    assert line.actual == ["bug", "agent-ok"]


def test_a_trace_stays_small_whatever_the_payload_holds():
    found = asked(
        {"a": "x", "b[*]": 1, "c": 1}, {"a": "y" * 9999, "b": list(range(9999)), "c": {"d": 1}}
    )

    assert len(found.trace[0].actual) < 250
    assert len(found.trace[1].actual) == 11
    assert found.trace[2].actual == "(a mapping of 1)"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=15,
)
WHEN = {
    "a": "x",
    "a.b": ["x*", "y"],
    "a[*].b": {"has": "x", "ne": 3},
    "b[0]": {"gt": 3, "le": 9},
    "c": {"regex": "^x+$", "exists": True},
    "a[*][*]": {"none": [1, None]},
    "any": [{"c": {"lt": "m"}}, {"not": {"b": True}}],
    "cel": "event.a.exists(x, x == 1) || type == 'x'",
}


@given(JSON)
def test_matching_is_total(data):
    found = asked(WHEN, data)

    assert isinstance(found.matched, bool)
    assert len(found.trace) == 14
    assert found.matched is (found.failed is None)


@given(JSON)
def test_not_inverts(data):
    plain = rule(WHEN)
    inverted = rule(when=None)
    negated = Rule(
        **{name: getattr(inverted, name) for name in inverted.__slots__} | {"when": Not(plain.when)}
    )

    assert match(negated, event(data)).matched is not match(plain, event(data)).matched


def test_on_is_a_glob_over_source_and_type():
    wanted = rule(on=("billing/*", "github/issues.*"))

    assert on_matches(wanted, event())
    assert not on_matches(wanted, event(type="issue_comment.created"))
    assert not on_matches(wanted, event(source="gitlab"))
    finding = on(wanted, event())
    assert (finding.path, finding.actual, finding.held) == ("on", "github/issues.opened", True)


@pytest.mark.parametrize(
    "actor", [Actor(id="9"), Actor(login="our-bot"), Actor(id="1", login="Our-Bot")]
)
def test_ourselves_start_nothing(actor):
    finding = trusted(rule(), event(actor=actor), frozenset({"9", "our-bot"}))

    assert (finding.path, finding.held) == ("trust.ignore_self", False)


def test_ourselves_may_where_a_rule_says_so():
    wanted = rule(trust=Trust(ignore_self=False))

    assert trusted(wanted, event(actor=Actor(login="our-bot")), frozenset({"our-bot"})) is None


def test_a_bot_needs_its_exact_login():
    bot = event(actor=Actor(id="2", login="renovate[bot]", bot=True))

    assert trusted(rule(), bot, frozenset()).path == "trust.bots"
    assert trusted(rule(trust=Trust(bots=frozenset({"renovate[bot]"}))), bot, frozenset()) is None
    assert trusted(rule(trust=Trust(bots=frozenset({"renovate"}))), bot, frozenset()) is not None


def test_strangers_and_nobody_are_trusted_to_ring():
    assert trusted(rule(), event(), frozenset({"9"})) is None
    assert trusted(rule(), event(actor=None), frozenset({"9"})) is None


def test_a_key_is_kind_and_value():
    wanted = rule(key="issue:{{ event.repository.full_name }}#{{ event.issue.number }}")

    assert key_of(wanted, event()) == "issue:acme/api#7"
    assert key_of(rule(), event()) is None


@pytest.mark.parametrize(
    "key",
    [
        "issue:{{ event.nope }}",
        "{{ event.issue.number }}",
        "issue:{{ '' }}",
        "plain",
        "k:{{ 'x' * 999 }}",
    ],
)
def test_a_key_that_can_not_be_made_is_an_error(key):
    with pytest.raises(TemplateError):
        key_of(rule(key=key), event())


def test_the_longest_key_is_whole():
    assert key_of(rule(key="k:{{ 'x' * 998 }}"), event()) == "k:" + "x" * 998


def test_inputs_keep_their_types():
    wanted = rule(
        with_={"n": "{{ event.issue.number }}", "t": "#{{ event.issue.number }}", "c": True}
    )

    assert inputs_of(wanted, event()) == {"n": 7, "t": "#7", "c": True}


def test_an_input_that_is_null_is_an_error():
    with pytest.raises(TemplateError, match="null"):
        inputs_of(rule(with_={"b": "{{ event.issue.body }}"}), event())


def test_all_of_nothing_holds():
    assert match(rule(when=None), event()).matched
    assert rule(when=None).when == All(())
