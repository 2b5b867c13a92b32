"""`schedule:` of a rule and `on: schedule`, as people write them."""

import pytest

from tests.support.configurations import RULE, SOURCES, configuration, mistakes

PLAIN = RULE.replace("  when: {issue.state: open}\n", "")
ON = PLAIN.replace("github/issues.opened", "schedule")
SCHEDULED = ON + '  schedule: {cron: "0 7 * * 1-5", zone: Europe/Berlin}\n'


def only(text):
    found = configuration(rules__triage_yaml=text)
    assert found.mistakes == ()
    (rule,) = found.rules
    return rule


def test_a_rule_says_when_and_where_it_is_that_time():
    rule = only(SCHEDULED)

    assert rule.on == ("schedule/tick.triage",)
    assert (rule.schedule.cron.text, rule.schedule.zone) == ("0 7 * * 1-5", "Europe/Berlin")
    assert rule.schedule.said == "0 7 * * 1-5 Europe/Berlin"


def test_without_a_zone_it_is_utc():
    assert only(ON + '  schedule: {cron: "0  7 * * *"}\n').schedule.said == "0 7 * * * UTC"


def test_its_ticks_are_named_by_its_id_which_outlives_a_rename():
    assert only(SCHEDULED + "  id: morning\n").on == ("schedule/tick.morning",)


def test_it_may_be_on_events_too():
    rule = only(SCHEDULED.replace("on: schedule", "on: [schedule, github/issues.opened]"))

    assert rule.on == ("schedule/tick.triage", "github/issues.opened")


def test_a_rule_without_one_has_none():
    assert only(PLAIN).schedule is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{cron: "0 25 * * *"}', ":6:20: field 2, the hour: expected 0 to 23, got '25'"),
        ("{cron: 7}", ":6:20: expected five fields in quotes"),
        ("{zone: UTC}", ":6:3: the key 'cron' is missing"),
        ('{corn: "0 7 * * *"}', "unknown key 'corn'; did you mean 'cron'?"),
        ('{cron: "0 7 * * *", zone: Berlin}', ":6:39: expected a time zone such as Europe/Berlin"),
        ('{cron: "0 7 * * *", every: 1h}', "unknown key 'every'"),
        ('"0 7 * * *"', "expected"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(line, said):
    assert any(said in one for one in mistakes(rules__triage_yaml=f"{ON}  schedule: {line}\n"))


def test_on_schedule_without_a_schedule_is_a_mistake():
    (said,) = mistakes(rules__triage_yaml=ON)

    assert ":2:7: the rule is on: schedule: say when, such as" in said


def test_a_schedule_without_on_schedule_is_a_mistake():
    (said,) = mistakes(rules__triage_yaml=PLAIN + '  schedule: {cron: "0 7 * * *"}\n')

    assert said.endswith(":6:3: 'schedule' means nothing without `on: schedule`: add it")


def test_another_rules_ticks_are_not_to_be_had():
    (said,) = mistakes(rules__triage_yaml=PLAIN.replace("github/issues.opened", "schedule/tick.x"))

    assert "a rule is on its own schedule only" in said


def test_no_source_may_be_called_schedule():
    said = mistakes(sources_yaml=SOURCES + SOURCES.replace("github:", "schedule:", 1))

    assert any("'schedule' is built in: give this source another name" in one for one in said)
