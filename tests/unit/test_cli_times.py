"""When a rule's clock rings, as `doorbell rules list` and `doorbell check` show it."""

import json
from datetime import UTC, datetime

from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.cli.times import said_on
from orchestrator.console.rules import clock_of
from tests.support.builders import rule
from tests.support.clocks import scheduled

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOURCES = "{}\n"
RULE = """\
nightly:
  on: schedule
  schedule: {cron: "0 7 1 1 *", zone: Asia/Tokyo}
  run: digest
"""
PLAYBOOK = "---\nmodel: claude-sonnet-5-5\n---\nWrite a digest.\n"


def test_a_schedule_is_told_with_its_next_time_in_its_own_zone():
    one = scheduled("nightly", "0 7 * * 1-5")
    told = clock_of(one, NOW)

    assert told == {
        "cron": "0 7 * * 1-5",
        "zone": "Europe/Berlin",
        "next": "2026-11-23T07:00:00+01:00",
    }
    assert said_on(one.on, told) == [
        "schedule 0 7 * * 1-5 Europe/Berlin, next Mon 2026-11-23 07:00"
    ]


def test_a_rule_without_one_is_on_what_its_file_says():
    one = rule("triage", on=("github/issues.*", "*/*"))

    assert clock_of(one, NOW) is None
    assert said_on(one.on, None) == ["github/issues.*", "*/*"]


def test_check_and_rules_list_show_when_it_rings_next(tmp_path):
    directory = tmp_path / "conf"
    for name, text in {
        "sources.yaml": SOURCES,
        "rules/nightly.yaml": RULE,
        "playbooks/digest.md": PLAYBOOK,
    }.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    at, runner = ["--config", str(directory)], CliRunner()

    checked = runner.invoke(main, ["check", *at])
    listed = runner.invoke(main, ["rules", "list", *at, "--state", str(tmp_path), "--json"])
    told = json.loads(runner.invoke(main, ["check", *at, "--json"]).stdout)

    assert "schedule 0 7 1 1 * Asia/Tokyo, next " in checked.stdout
    assert "-01-01 07:00" in checked.stdout
    (one,) = json.loads(listed.stdout)["rules"]
    assert one["schedule"]["next"].endswith("-01-01T07:00:00+09:00")
    assert told["rules"][0]["schedule"] == one["schedule"]
