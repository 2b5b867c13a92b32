"""`doorbell check` beyond the shapes (R6): what can never happen is a mistake, what may not be meant a warning."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.check import check
from orchestrator.cli.proving import UNJUDGED
from tests.support.configurations import PLAYBOOK, SERVERS, SOURCES
from tests.support.rehearsing import RULE, TESTED, secrets, written

OPENED = """\
opened:
  on: github/issues.opened
  when: {when}
  run: triage
  with: {{owner: "{owner}", number: "{number}"}}
  key: "{key}"
"""
DEDUPE = '  dedupe: {{key: "{}", window: 1h}}\n'
SOUND = {
    "owner": "{{ event.repository.owner.login }}",
    "number": "{{ event.issue.number }}",
    "key": "issue:{{ event.issue.number }}",
}


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    return written(tmp_path / "doorbell.d", rules__triage_yaml=rule())


def rule(when="{}", more="", **changes):
    return OPENED.format(when=when, **SOUND | changes) + more


def run(*words):
    result = CliRunner().invoke(check, [*words, "--json"])
    said = json.loads(result.stdout)
    told = {
        kind: [f"{one['line']}:{one['column']}: {one['message']}" for one in said[kind]]
        for kind in ("mistakes", "warnings")
    }
    return result.exit_code, told["mistakes"], told["warnings"], said


def changed(there, text, name="rules/triage.yaml"):
    (there / name).write_text(text)
    return run()


def test_a_sound_configuration_has_neither_and_says_what_was_not_checked(there):
    code, mistakes, warnings, said = run()

    assert (code, mistakes, warnings) == (0, [], [])
    assert said["unchecked"] == [
        "the tools of github: their servers weren't asked (--online asks them)",
        UNJUDGED,
    ]


def test_r6_the_tests_that_rules_carry_are_run_too(there):
    code, mistakes, _, said = changed(there, RULE + TESTED.replace('"issue:7"', '"issue:8"'))

    assert code == 2
    assert mistakes == [
        "12:7: a test of 'triage' fails: fixtures/opened.http: key: expected issue:8, got issue:7"
    ]
    assert said["tests"] == {"passed": 1, "failed": 1}


def test_a_fixture_that_is_not_there_is_a_mistake(there):
    (there / "fixtures" / "late.http").unlink()

    code, mistakes, _, _ = changed(there, RULE + TESTED)

    assert code == 2
    assert mistakes[0].startswith("13:7: a test of 'triage' fails: fixtures/late.http: can't be")


@pytest.mark.parametrize(
    ("when", "place", "said"),
    [
        ("{all: [{a: 1}, {a: 2}]}", "3:25", "a can't be eq 2 and eq 1"),
        ("{issue.number: {gt: 5, lt: 3}}", "3:36", "issue.number can't be lt 3 and gt 5"),
        ("{a: 1, not: {a: 1}}", "3:22", "a can't be ne 1 and eq 1"),
        ("{a: 1, not: [{b: 2}, {a: {in: [1, 2]}}]}", "3:39", "a can't be ne 1 and eq 1"),
        ("{action: closed}", "3:10", "action can't be eq 'closed' and in ('opened',)"),
    ],
)
def test_a_rule_that_can_never_match_is_a_mistake_at_its_leaf(there, when, place, said):
    code, mistakes, _, _ = changed(there, rule(when))

    assert code == 2
    assert mistakes == [f"{place}: this rule can never match: {said}"]


@pytest.mark.parametrize(
    ("when", "place", "said"),
    [
        ('{cel: "false"}', "3:15", "no event"),
        ("{action: opened, cel: \"size('event') > 9\"}", "3:31", "no event"),
        ('{any: [{a: 1}, {cel: "1 < 2"}]}', "3:30", "every event"),
        ('{not: {cel: "false"}}', "3:21", "no event"),
        ('{all: [{cel: "true"}]}', "3:22", "every event"),
    ],
)
def test_cel_that_no_event_can_change_is_doubted(there, when, place, said):
    _, _, warnings, _ = changed(there, rule(when))

    names = "actor, event, headers, id, source, subject, type"
    assert f"{place}: this holds for {said}: it asks for nothing of one ({names})" in warnings


@pytest.mark.parametrize(
    "when", ["{cel: \"event.a == 'b'\"}", "{cel: \"'x' in headers\"}", "{cel: \"type != 'a'\"}"]
)
def test_cel_that_asks_for_something_of_an_event_is_not_doubted(there, when):
    _, _, warnings, _ = changed(there, rule(when))

    assert not [one for one in warnings if "asks for nothing" in one]


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ('{sender.login: "renovate[bot]"}', "renovate[bot]"),
        ('{sender.login: ["a[bot]", "b[bot]"]}', "a[bot], b[bot]"),
        ("{sender.type: Bot}", "a bot"),
        ("{sender.type: Bot, sender.login: helper}", "helper"),
    ],
)
def test_a_rule_that_asks_for_whom_its_trust_shuts_out_is_a_mistake(there, when, who):
    code, mistakes, _, _ = changed(there, rule(when))

    assert code == 2
    assert len(mistakes) == 1
    said = "whom trust.bots shuts out (it wants: no bot, as the rule names none)"
    assert f"it asks for {who}, {said}" in mistakes[0]


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ("{deny: [ann]}", "trust.deny shuts out (it wants: none ['ann'])"),
        ("{allow: [bob]}", "trust.allow shuts out (it wants: in ['bob'])"),
    ],
)
def test_a_rule_that_asks_for_a_person_whom_its_trust_shuts_out_is_a_mistake(there, trust, said):
    _, mistakes, _, _ = changed(there, rule("{sender.login: ann}", f"  trust: {trust}\n"))

    assert [one.partition("whom ")[2] for one in mistakes] == [said]


@pytest.mark.parametrize(
    ("login", "trust"),
    [
        ("renovate[bot]", '{bots: ["id:9"]}'),
        ("ann", '{allow: ["id:9"]}'),
        ("ann", "{allow: [bob], associations: [OWNER]}"),
        ("Copilot", "{allow: [bob], bots: [Copilot]}"),
        ("ann", "{allow: [ann]}"),
    ],
)
def test_whom_trust_names_by_id_or_asks_about_may_be_the_one_the_rule_asks_for(there, login, trust):
    when, trusting = f'{{sender.login: "{login}"}}', f"  trust: {trust}\n"

    assert changed(there, rule(when, trusting))[1] == []


def test_a_rule_that_asks_for_ourselves_is_a_mistake(there):
    sources = "github:\n  scheme: github\n  secrets: [env:HOOK]\n  own_actors: [Me]\n"
    changed(there, sources, "sources.yaml")

    _, mistakes, _, _ = changed(there, rule("{sender.login: me}"))

    assert "it asks for me, whom trust.ignore_self shuts out" in mistakes[0]


@pytest.mark.parametrize(
    ("when", "trust"),
    [
        ('{sender.login: "renovate[bot]"}', '  trust: {bots: ["renovate[bot]"]}\n'),
        ('{sender.login: ["renovate[bot]", ann]}', ""),
        ("{sender.login: ann}", ""),
        ('{sender.login: "*[bot]"}', ""),
        ("{sender.type: Bot}", '  trust: {bots: ["renovate[bot]"]}\n'),
    ],
)
def test_a_rule_whose_trust_lets_somebody_in_is_none(there, when, trust):
    assert changed(there, rule(when, trust))[:3] == (0, [], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"number": "{{ event.issue.numbr }}"},
            "5:63: no sample has event.issue.numbr; did you mean 'number'? (github/issues.opened",
        ),
        ({"key": "issue:{{ event.isue.number }}"}, "no sample has event.isue.number; did you mean"),
        ({"owner": "{{ event.nonsense }}"}, "no sample has event.nonsense (github/issues.opened"),
        ({"number": "{{ event.issue.title }}"}, "expected a whole number, every sample gives"),
        ({"key": "{{ event.issue.number }}"}, "no sample gives a key: {{ event.issue.number }}"),
    ],
)
def test_a_template_that_fits_no_sample_is_a_warning(there, changes, said):
    code, mistakes, warnings, _ = changed(there, rule(**changes))

    assert (code, mistakes) == (0, [])
    assert len(warnings) == 1
    assert said in warnings[0]


def test_a_template_that_expects_something_to_be_missing_is_none(there):
    assert changed(there, rule(owner="{{ event.other | default('x') }}"))[2] == []


def test_a_path_that_looks_like_one_that_samples_have_is_a_warning(there):
    _, _, warnings, _ = changed(there, rule("{isue.state: open, other.thing: 1}"))

    assert warnings == [
        "3:10: no sample has isue.state; did you mean 'issue'? (github/issues.opened and 1 more)"
    ]


def test_an_event_that_github_does_not_have_is_a_warning(there):
    _, _, warnings, _ = changed(there, rule().replace("github/issues.opened", "github/isues.*"))

    assert warnings == [
        "2:7: GitHub has no event 'isues' that is known here; did you mean 'issues'?"
    ]


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("isues*", "'isues*'; did you mean 'issues'?"),
        ("isue?.opened", "'isue?.opened'; did you mean 'issues'?"),
        ("xyz*abc", "'xyz*abc'"),
        ("check_?un.openned", "'check_?un.openned'; did you mean 'check_run'?"),
    ],
)
def test_r6_a_glob_that_no_event_of_github_fits_is_a_warning(there, on, said):
    text = rule().replace("github/issues.opened", f'"github/{on}"')

    assert changed(there, text)[2] == [f"2:7: no event of GitHub's that is known here fits {said}"]


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("issues.openned", "'issues' has no action 'openned' that is known here; did you mean 'opened'?"),
        ("issues.opn*", "'issues' has no action 'opn*' that is known here; did you mean 'opened'?"),
        ("pull_request.merged", "'pull_request' has no action 'merged' that is known here"),
        ("issues", "'issues' comes with an action: say 'issues.*', or which one"),
        ("push.created", "'push' comes without an action: say 'push' alone"),
    ],
)  # fmt: skip
def test_r6_an_action_that_github_does_not_have_is_a_warning(there, on, said):
    _, _, warnings, _ = changed(there, rule().replace("github/issues.opened", f"github/{on}"))

    assert warnings == [f"2:7: GitHub's {said}"]


@pytest.mark.parametrize(
    "on",
    [
        *[
            "issues.*",
            "issues.*ed",
            "*.opened",
            "push",
            "repository_dispatch.rebuild",
            "*",
            "issue*",
        ],
        *["iss*ed", "pus?", "issue?.opened", "*.rebuilt", "repository_dispatch*rebuild", "rep*ild"],
    ],
)
def test_an_action_that_github_has_or_may_have_is_none(there, on):
    text = rule().replace("github/issues.opened", f'"github/{on}"')

    assert not [one for one in changed(there, text)[2] if "GitHub" in one]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("{{ event.issue.numbr }}", "no sample has event.issue.numbr; did you mean 'number'?"),
        ("{{ event.issue }}", "no sample gives a key: {{ event.issue }}: expected a text"),
    ],
)
def test_r6_a_second_key_that_no_sample_gives_is_a_warning(there, key, said):
    _, _, warnings, _ = changed(there, rule(more=DEDUPE.format(key)))

    assert len(warnings) == 1
    assert warnings[0].startswith("7:")
    assert said in warnings[0]
    assert changed(there, rule(more=DEDUPE.format("{{ event.issue.number }}")))[2] == []


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("{usd: 0}", "no run can pay for its first turn with 0 dollars"),
        ("{usd: 0.0001}", "hardly a turn costs as little as 0.0001 dollars"),
        ("{usd: 5000}", "one run may spend 5000 dollars: is that meant?"),
        ("{turns: 20000}", "one run may take 20000 turns: is that meant?"),
        ("{tokens: 100}", "one reply may have 8192 tokens (max_tokens), the whole run 100"),
        ("{tool_calls: 0}", "2 tools are listed, and no call of one is allowed"),
        ("{tool_calls: 1}", "2 calls are more than all tool calls together (1)"),
    ],
)
def test_an_absurd_budget_is_a_warning(there, budget, said):
    text = PLAYBOOK.replace("{usd: 0.50, tokens: 300k, turns: 9, tool_calls: 8}", budget)

    code, mistakes, warnings, _ = changed(there, text, "playbooks/triage.md")

    assert (code, mistakes) == (0, [])
    assert len(warnings) == 1
    assert warnings[0].endswith(said)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("usd_per_day: 0.2", "may spend 0.5 usd by its budget, this cap is 0.2"),
        ("usd_per_actor_day: 0.2", "may spend 0.5 usd by its budget, this cap is 0.2"),
        ("tokens_per_day: 1k", "may spend 300000 tokens by its budget, this cap is 1000"),
    ],
)
def test_a_cap_under_which_no_run_fits_is_a_warning(there, key, said):
    code, _, warnings, _ = changed(there, rule(more=f"  limits: {{{key}}}\n"))

    assert code == 0
    assert len(warnings) == 1
    assert warnings[0].startswith("7:")
    assert said in warnings[0]


FACELESS = """\
billing: {scheme: {hmac: sha256, header: A}, type: "{{ event.kind }}", secrets: [env:HOOK]}
forms: {scheme: typeform, secrets: [env:HOOK]}
named: {scheme: {hmac: sha256, header: A}, type: "{{ event.kind }}", actor: "{{ event.who }}", secrets: [env:HOOK]}
"""
NAMELESS = "name no actor, so all of them together count as one actor's"


@pytest.mark.parametrize(
    "key", ["per_actor: 5/h", "usd_per_actor_day: 5", "tokens_per_actor_day: 900k"]
)
def test_a_limit_of_an_actor_on_a_source_that_names_none_is_a_warning(there, key):
    (there / "sources.yaml").write_text(SOURCES + FACELESS)
    text = rule(more=f"  limits: {{{key}}}\n")

    def said(on):
        warnings = changed(there, text.replace("github/issues.opened", on))[2]
        return [one.partition(": ")[2] for one in warnings if NAMELESS in one]

    assert said("github/issues.opened") == said("named/*") == []
    assert said("[billing/*, forms/*]") == [
        f"events of {name!r} {NAMELESS}" for name in ("billing", "forms")
    ]


LIVE = "  stage: live\n"


def test_two_live_rules_that_may_write_the_same_are_a_warning(there):
    other = rule(more=LIVE).replace("opened:\n", "other:\n").replace("issues.opened", "issues.*")
    _, _, warnings, _ = changed(there, rule(more=LIVE) + other)

    assert len(warnings) == 1
    assert "this rule and 'opened' (doorbell.d/rules/triage.yaml:1) are live" in warnings[0]
    assert "both may write with github.issue_write on the same event" in warnings[0]


def test_a_rule_with_many_rivals_is_told_of_the_first_ones(there):
    names = [f"rule{number}" for number in range(8)]
    rules = [rule(more=LIVE).replace("opened:\n", f"{name}:\n") for name in names]
    _, _, warnings, _ = changed(there, "".join(rules))

    assert len(warnings) == 1 + 2 + 3 + 4 * 4
    of_last = [one for one in warnings if one.startswith(warnings[-1].partition(": ")[0])]
    assert [name for name in names if any(repr(name) in one for one in of_last)] == names[:3]
    assert any("more than 3 others are live, and all may write with" in one for one in of_last)


@pytest.mark.parametrize(
    "other",
    [
        rule().replace("opened:\n", "other:\n"),
        rule(more=LIVE).replace("opened:\n", "other:\n").replace("issues.opened", "issues.closed"),
        rule("{issue.state: closed}", LIVE).replace("opened:\n", "other:\n"),
    ],
    ids=["a preview", "another event", "another condition"],
)
def test_rules_that_never_write_together_are_none(there, other):
    assert changed(there, rule("{issue.state: open}", LIVE) + other)[2] == []


def test_strict_takes_a_warning_for_a_mistake(there):
    (there / "rules" / "triage.yaml").write_text(rule(owner="{{ event.nonsense }}"))

    assert run()[0] == 0
    assert run("--strict")[0] == 2


def test_online_a_tool_that_its_server_does_not_have_is_a_mistake(there):
    tools = PLAYBOOK.replace("[issue_read, issue_write]", "[issue_reed, issue_write]")
    (there / "playbooks" / "triage.md").write_text(tools)

    code, mistakes, warnings, said = run("--online")

    assert code == 2
    assert mistakes == ["4:18: 'github' has no tool 'issue_reed'; did you mean 'issue_read'?"]
    assert (warnings, said["unchecked"]) == ([], [UNJUDGED])


def test_online_a_server_that_does_not_answer_is_a_warning(there):
    (there / "servers.yaml").write_text(SERVERS.replace("mcp_servers.github", "no_such_module"))

    code, mistakes, warnings, _ = run("--online")

    assert (code, mistakes) == (0, [])
    assert len(warnings) == 1
    assert warnings[0].startswith("1:1: its tools can't be checked: ")
