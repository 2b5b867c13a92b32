"""`doorbell up` before it starts anything: a broken configuration is refused while somebody is looking."""

import pytest
from click.testing import CliRunner

from orchestrator.cli.init import write_starter
from orchestrator.cli.main import main
from orchestrator.cli.up import refuse_if_broken
from orchestrator.settings import Settings


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_starter(tmp_path / "doorbell.d")
    return tmp_path / "doorbell.d"


def break_it(config):
    rules, playbook = config / "rules" / "triage.yaml", config / "playbooks" / "triage.md"
    rules.write_text(rules.read_text().replace("run: triage ", "run: triag "))
    playbook.write_text(playbook.read_text().replace("budget:", "budgt:"))


def test_every_mistake_with_its_place_is_exit_two_and_nothing_is_started(config):
    break_it(config)

    result = CliRunner().invoke(main, ["up", "--port", "0"])

    assert result.exit_code == 2
    assert "doorbell.d/rules/triage.yaml:10:8: unknown playbook 'triag'" in result.stderr
    assert "doorbell.d/playbooks/triage.md:13:1: unknown key 'budgt'" in result.stderr
    assert not (config.parent / ".doorbell").exists()


def test_a_sound_configuration_goes_on_and_its_unset_secrets_are_no_mistake(config, monkeypatch):
    for name in ("GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)

    refuse_if_broken(Settings(config=config))


def test_a_directory_that_is_not_there_yet_is_not_a_broken_one(tmp_path):
    refuse_if_broken(Settings(config=tmp_path / "doorbell.d"))
