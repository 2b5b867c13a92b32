import pytest
from click.testing import CliRunner

from orchestrator.cli.init import STARTER, init, write_starter
from orchestrator.configuration.load import load
from orchestrator.errors import OperatorError
from workflows.playbook import Stage


def no_file(path):
    return None


def test_the_starter_has_no_mistakes_even_when_its_secrets_are_unset(tmp_path):
    write_starter(tmp_path / "conf")

    loaded = load(tmp_path / "conf", {}, no_file)

    assert loaded.mistakes == ()
    assert sorted(warning.message.partition(" ")[0] for warning in loaded.warnings) == [
        "env:GITHUB_TOKEN",
        "env:GITHUB_WEBHOOK_SECRET",
    ]


def test_the_starter_is_whole_once_its_secrets_are_set(tmp_path):
    write_starter(tmp_path)

    loaded = load(tmp_path, {"GITHUB_TOKEN": "t", "GITHUB_WEBHOOK_SECRET": "s"}, no_file)

    assert (loaded.mistakes, loaded.warnings) == ((), ())
    assert list(loaded.sources) == list(loaded.servers) == ["github"]
    assert [(rule.name, rule.stage) for rule in loaded.rules] == [
        ("triage-new-issue", Stage.PREVIEW)
    ]
    assert {limit.max for limit in loaded.playbooks["triage"].writes.values()} == {1}


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "sources.yaml").write_text("mine")

    with pytest.raises(OperatorError, match=r"sources\.yaml"):
        write_starter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sources.yaml"]
    assert (tmp_path / "sources.yaml").read_text() == "mine"


def test_a_place_that_can_not_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OperatorError, match="can't write"):
        write_starter(tmp_path / "file" / "conf")


def test_the_command_says_what_it_wrote_and_what_is_next(tmp_path):
    result = CliRunner().invoke(init, [str(tmp_path / "conf")])

    assert result.exit_code == 0
    assert all(str(tmp_path / "conf" / name) in result.output for name in STARTER)
    assert f"doorbell check --config {tmp_path / 'conf'}" in result.output


def test_changing_one_word_makes_it_live(tmp_path):
    write_starter(tmp_path)
    path = tmp_path / "rules" / "triage.yaml"
    path.write_text(path.read_text().replace("stage: preview", "stage: live"))

    (rule,) = load(tmp_path, {}, no_file).rules

    assert rule.stage is Stage.LIVE
