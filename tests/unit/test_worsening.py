"""What makes a configuration worse than the one in force: a new mistake, or a rule that falls out by an old one."""

from orchestrator.configuration.broken import Broken
from orchestrator.configuration.worsening import worse, worsened
from orchestrator.errors import Mistake
from tests.support.configurations import PLAYBOOK, RENOVATE, RULE, SERVERS, SOURCES, configuration

BAD = PLAYBOOK.replace("slug", "word")
SLIP = "  stage: lively\n"
OTHER = RULE.replace("triage:", "other:", 1)
FLOW = "{triage: {on: github/push, run: triage, with: {owner: acme, number: 7}}}"
BROKEN_HANDS = "crm: {}\n"


def found(line, reason="m", name="triage"):
    return Broken(file="f.yaml", line=line, name=name, reason=reason, text="")


def reloaded(before, after):
    """What is told of the second set of texts while the first is in force."""
    return [str(one) for one in worsened(configuration(**before), configuration(**after))]


def test_a_mistake_that_moved_is_the_same_and_the_same_one_twice_or_elsewhere_is_worse():
    assert not worse([found(9)], [found(1)])
    assert not worse([], [found(1)])
    assert worse([found(1), found(2)], [found(1)])
    assert worse([found(1, "other")], [found(1)])
    assert worse([found(1, name="other")], [found(1)])


def test_what_only_a_process_finds_is_a_new_mistake():
    vetted = Mistake(file="f", line=1, column=1, message="not here")

    assert worsened(configuration(), configuration(), [vetted]) == [vetted]
    assert worsened(configuration(), configuration()) == []


def test_a_rule_in_force_that_comes_to_a_playbook_broken_before_falls_out_and_is_named():
    before = {"playbooks__bad_md": BAD}
    after = {**before, "rules__triage_yaml": RULE.replace("run: triage", "run: bad")}

    *_, said = reloaded(before, after)
    assert said.startswith("conf/rules/triage.yaml:1:1: the rule 'triage' can't be used")


def test_so_does_a_new_rule_and_one_that_calls_a_server_broken_before():
    before = {"playbooks__bad_md": BAD, "rules__renovate_yaml": RENOVATE}
    before["servers_yaml"] = SERVERS + BROKEN_HANDS
    new = {**before, "rules__new_yaml": OTHER.replace("run: triage", "run: bad")}
    called = {**before, "rules__renovate_yaml": RENOVATE.replace("github.issue", "crm.issue")}

    assert "the rule 'other' can't be used" in reloaded(before, new)[-1]
    assert "the rule 'label-renovate' can't be used" in reloaded(before, called)[-1]


def test_a_rule_that_gets_the_slip_that_another_loses_is_worse():
    before = {"rules__triage_yaml": RULE + SLIP + OTHER}
    after = {"rules__triage_yaml": RULE + OTHER + SLIP}

    (said,) = reloaded(before, after)
    assert said.startswith("conf/rules/triage.yaml:13:10: expected 'preview' or 'live'")


def test_so_is_a_source_that_gets_it():
    hub = SOURCES.replace("github:", "hub:", 1)
    before = {"sources_yaml": SOURCES + "  shceme: x\n" + hub}
    after = {"sources_yaml": SOURCES + hub + "  shceme: x\n"}

    assert any("unknown key 'shceme'" in said for said in reloaded(before, after))


def test_what_was_unusable_before_may_stay_so_be_mended_or_go():
    before = {"playbooks__bad_md": BAD, "rules__other_yaml": OTHER.replace("triage\n", "bad\n")}
    mended = {"rules__other_yaml": OTHER}

    assert reloaded(before, {**before, "rules__more_yaml": RENOVATE}) == []
    assert reloaded(before, {**before, **mended}) == []
    assert reloaded(before, {"playbooks__bad_md": BAD}) == []
    assert reloaded(before, {}) == []


def test_a_rule_that_is_taken_away_or_renamed_makes_nothing_worse():
    renamed = RULE.replace("triage:", "sorting:", 1)

    assert reloaded({"rules__other_yaml": OTHER}, {}) == []
    assert reloaded({}, {"rules__triage_yaml": renamed}) == []
    assert reloaded({}, {"rules__triage_yaml": FLOW}) == []
