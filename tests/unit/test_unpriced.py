"""R5, R6: `check` says where a limit in dollars can't be held, because nobody knows what the model costs."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.agent import prices
from orchestrator.cli.check import check
from orchestrator.rehearsal.unpriced import unpriced_doubts
from tests.support.configurations import PLAYBOOK, RULE, configuration
from tests.support.rehearsing import secrets, written

UNKNOWN = PLAYBOOK.replace("claude-sonnet-5-5", "our-own-7b")
PRICED = "prices: {our-own-7b: {input: 3, output: 15}}\n"


def warned(**texts):
    return unpriced_doubts(configuration(**texts), prices.is_known)


def test_r5_a_limit_in_dollars_that_nobody_can_hold_is_warned_of_where_it_stands():
    (warning,) = warned(playbooks__triage_md=UNKNOWN)

    assert warning.file == "conf/playbooks/triage.md"
    assert UNKNOWN.splitlines()[warning.line - 1].startswith("budget: {usd")
    assert "no price of 'our-own-7b' is known, so only its 300000 tokens end a run" in (
        warning.message
    )


@pytest.mark.parametrize(
    ("more", "whose"),
    [
        ({"limits_yaml": "usd_per_day: 5\n"}, "limits.yaml"),
        ({"limits_yaml": "usd_per_actor_day: 5\n"}, "limits.yaml"),
        ({"rules__triage_yaml": f"{RULE}  limits: {{usd_per_actor_day: 1}}\n"}, "rule 'triage'"),
    ],
)
def test_r5_where_a_cap_of_the_day_counts_dollars_it_says_that_the_run_parks(more, whose):
    (warning,) = warned(playbooks__triage_md=UNKNOWN, **more)

    said = f"under the dollars a day of {whose} a run of it parks before its first turn; say what"
    assert said in warning.message


def test_a_model_of_the_list_and_one_whose_price_is_declared_are_not_warned_of():
    assert warned() == []
    assert warned(playbooks__triage_md=UNKNOWN, limits_yaml=PRICED) == []


def test_r6_check_tells_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    written(tmp_path / "doorbell.d", playbooks__triage_md=UNKNOWN)
    said = json.loads(CliRunner().invoke(check, ["--json"]).stdout)

    assert any("our-own-7b" in one["message"] for one in said["warnings"])
