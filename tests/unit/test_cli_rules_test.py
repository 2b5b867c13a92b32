"""`doorbell rules test`: rules carry their own tests (promise R6), run offline."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.signatures import github
from tests.support.configurations import SECRETS
from tests.support.rehearsing import RULE, TESTED, request, secrets, written

ONWARD = """\
onward:
  on: github/issues.*
  forward: {url: "https://hooks.example.com/in", secret: env:ONWARD}
  tests: [{event: fixtures/opened.http, expect: {match: true, action: forward}}]
"""


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    return written(tmp_path / "doorbell.d")


def run(*words):
    return CliRunner().invoke(main, ["rules", "test", *words])


def test_r6_rules_carry_tests_that_run_offline_without_any_secret(there):
    result = run()

    assert result.exit_code == 0, result.output
    assert "ok    triage  fixtures/opened.http  matched" in result.stdout
    assert "ok    triage  fixtures/late.http  no match: when.any" in result.stdout
    assert "2 passed, 0 failed, 0 broken" in result.stdout
    assert "signatures aren't needed here: 2 not checked" in result.stdout


def test_r6_a_failure_is_exit_one_and_says_what_differs_with_the_trace(there):
    wrong = TESTED.replace('"issue:7"', '"issue:8"').replace("failed: when.any", "failed: on")
    (there / "rules" / "triage.yaml").write_text(RULE + wrong)

    result = run()

    assert result.exit_code == 1
    assert "FAIL  triage  fixtures/opened.http  doorbell.d/rules/triage.yaml:12:7" in result.stdout
    assert "key: expected issue:8, got issue:7" in result.stdout
    assert "failed: expected on, got when.any" in result.stdout
    assert "✗ when.any[0].issue.number lt 100   came: 700" in result.stdout


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{match: false}", "match: expected false, got true"),
        ("{match: true, with: {number: '7'}}", "with.number: expected 7, got 7"),
        ("{match: true, with: {owners: x}}", "with.owners: expected x, got (missing)"),
        ("{match: true, action: forward}", "action: expected forward, got run"),
    ],
)
def test_everything_that_can_be_expected_can_fail(there, expect, said):
    test = f"  tests: [{{event: fixtures/opened.http, expect: {expect}}}]\n"
    (there / "rules" / "triage.yaml").write_text(RULE + test)

    result = run()

    assert result.exit_code == 1
    assert said in result.stdout


def test_a_match_that_was_expected_and_did_not_come_says_why(there):
    test = "  tests: [{event: fixtures/late.http, expect: {match: true, key: x}}]\n"
    (there / "rules" / "triage.yaml").write_text(RULE + test)

    assert "match: expected true, got false: no match: when.any" in run().stdout


@pytest.mark.parametrize("match", ["true", "false"])
def test_a_rule_whose_template_breaks_passes_no_test_of_what_it_matches(there, match):
    test = f"  tests: [{{event: fixtures/opened.http, expect: {{match: {match}}}}}]\n"
    broken = RULE.replace("event.owner", "event.nobody")
    (there / "rules" / "triage.yaml").write_text(broken + test)

    result = run()

    assert result.exit_code == 1
    assert f"match: expected {match}, got true, but the rule is broken" in result.stdout


def test_an_event_that_the_rule_is_not_on_fails_at_on(there):
    test = "  tests: [{event: fixtures/star.http, expect: {match: false, failed: on}}]\n"
    (there / "rules" / "triage.yaml").write_text(RULE + test)
    (there / "fixtures" / "star.http").write_text(
        request({"action": "created", "starred_at": None}, event="star")
    )

    assert run().exit_code == 0


def test_r4_the_trust_of_a_rule_can_be_expected(there):
    bot = {"id": 2, "login": "helper[bot]", "type": "Bot"}
    test = "  tests: [{event: fixtures/bot.http, expect: {match: false, failed: trust.bots}}]\n"
    (there / "rules" / "triage.yaml").write_text(RULE + test)
    opened = json.loads((there / "fixtures" / "opened.http").read_text().partition("\n\n")[2])
    (there / "fixtures" / "bot.http").write_text(request({**opened, "sender": bot}))

    assert run().exit_code == 0, run().output


def test_r2_a_backstop_is_asked_after_the_other_rules(there):
    last = "last:\n  backstop: true\n  forward: {url: https://hooks.example.com/in, secret: env:ONWARD}\n"
    tests = """\
  tests:
    - {event: fixtures/opened.http, expect: {match: false, failed: backstop}}
    - {event: fixtures/late.http, expect: {match: true, action: forward}}
"""
    (there / "rules" / "zz.yaml").write_text(last + tests)

    assert run("last").exit_code == 0, run("last").output


def test_a_rule_that_forwards_is_tested_the_same_way(there):
    (there / "rules" / "onward.yaml").write_text(ONWARD)

    assert run("onward").stdout.startswith("ok    onward  fixtures/opened.http  matched")


def test_without_a_path_the_rule_says_which_source_it_is(there):
    (there / "fixtures" / "opened.http").write_text(request(path="/"))

    assert run().exit_code == 0


def test_a_signature_that_came_along_must_fit_where_the_secret_is_set(there, monkeypatch):
    secrets(monkeypatch)
    body = request().partition("\n\n")[2]
    signed = github.sign(SECRETS["HOOK"].encode(), body.encode())["x-hub-signature-256"]
    (there / "fixtures" / "opened.http").write_text(request(x_hub_signature_256=signed))
    assert "1 not signed, 1 verified" in run().stdout

    (there / "fixtures" / "opened.http").write_text(request(x_hub_signature_256="sha256=00"))
    result = run()
    assert result.exit_code == 1
    assert "signature: expected one that fits, or none, got expected 'sha256='" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "fixtures/opened.http: can't be read: No such file"),
        ("GET / HTTP/1.1\n\n", "fixtures/opened.http:1: expected a POST"),
        (request(event="push"), "'github' can't read it: expected the body of 'push'"),
        (request(path="/hooks/nobody"), "it rings /hooks/nobody, which is no source"),
    ],
)
def test_a_fixture_that_cannot_be_asked_is_broken_and_exit_two(there, text, said):
    fixture = there / "fixtures" / "opened.http"
    fixture.unlink()
    if text is not None:
        fixture.write_text(text)

    result = run()

    assert result.exit_code == 2
    assert said in result.stdout
    assert "1 passed, 0 failed, 1 broken" in result.stdout


@pytest.mark.parametrize("place", ["/etc/hosts.http", "../x.http", "a/../../x.http", "x.json"])
def test_a_fixture_outside_the_configuration_is_a_mistake_with_its_place(there, place):
    rule = RULE + TESTED.replace("fixtures/opened.http", place)
    (there / "rules" / "triage.yaml").write_text(rule)

    result = run()

    assert result.exit_code == 2
    assert "doorbell.d/rules/triage.yaml:12:15: expected" in result.stderr
    assert repr(place) in result.stderr


def test_a_link_that_leads_out_is_not_followed(there, tmp_path):
    (tmp_path / "outside.http").write_text(request())
    (there / "fixtures" / "opened.http").unlink()
    (there / "fixtures" / "opened.http").symlink_to(tmp_path / "outside.http")

    assert "it leads out" in run().stdout


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{match: true, failed: on}", "what matches fails nowhere"),
        ("{match: false, key: x}", "'key' is of an event that matches"),
        ("{match: false, with: {a: 1}}", "'with' is of an event that matches"),
        ("{match: maybe}", "expected a valid boolean"),
        ("{match: true, keys: x}", "unknown key 'keys'; did you mean 'key'?"),
        ("{}", "the key 'match' is missing"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_a_mistake(there, expect, said):
    test = f"  tests: [{{event: fixtures/opened.http, expect: {expect}}}]\n"
    (there / "rules" / "triage.yaml").write_text(RULE + test)

    result = run()

    assert result.exit_code == 2
    assert said in result.stderr


def test_only_the_rules_named_are_tested_and_a_strange_name_is_exit_two(there):
    (there / "rules" / "onward.yaml").write_text(ONWARD)

    assert "1 passed" in run("onward").stdout
    assert "unknown rule 'triag'; did you mean 'triage'?" in run("triag").stderr
    assert run("triag").exit_code == 2


def test_json_is_for_programs(there):
    said = json.loads(run("--json").stdout)

    assert said["ok"] is True
    first = said["tests"][0]
    assert (first["rule"], first["passed"], first["line"]) == ("triage", True, 12)
    assert first["signature"] == "not checked"
    assert first["trace"][0]["path"] == "on"
    assert said["untested"] == []
