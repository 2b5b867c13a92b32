"""`doorbell up` before it starts anything: what is broken is told aloud, and keeps no door shut that could open."""

import os
import pty
import signal
import sys

import pytest
from click.testing import CliRunner

from orchestrator.cli import up
from orchestrator.cli.init import write_starter
from orchestrator.cli.main import main
from orchestrator.cli.up import refuse_if_nobody_could_ring
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


def test_without_a_sound_source_every_mistake_is_exit_two_and_nothing_is_started(config):
    break_it(config)
    (config / "sources.yaml").write_text("github:\n  scheme: githb\n")

    result = CliRunner().invoke(main, ["up", "--port", "0"])

    assert result.exit_code == 2
    assert "doorbell.d/sources.yaml:2:11: " in result.stderr
    assert "doorbell.d/playbooks/triage.md:13:1: unknown key 'budgt'" in result.stderr
    assert not (config.parent / ".doorbell").exists()


def test_d6_a_broken_rule_is_told_aloud_and_what_is_sound_goes_on(config, capsys):
    break_it(config)

    refuse_if_nobody_could_ring(Settings(config=config))

    said = capsys.readouterr().err
    assert "mistake" in said
    assert "doorbell.d/rules/triage.yaml:10:8: unknown playbook 'triag'" in said
    assert "doorbell.d/playbooks/triage.md:13:1: unknown key 'budgt'" in said
    assert "2 mistakes" in said
    assert "does NOT run" in said


def test_a_sound_configuration_says_nothing_and_its_unset_secrets_are_no_mistake(
    config, monkeypatch, capsys
):
    for name in ("GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)

    refuse_if_nobody_could_ring(Settings(config=config))

    assert capsys.readouterr().err == ""


def test_a_directory_that_is_not_there_yet_is_not_a_broken_one(tmp_path, capsys):
    refuse_if_nobody_could_ring(Settings(config=tmp_path / "doorbell.d"))

    assert capsys.readouterr().err == ""


def mean_hangup(monkeypatch, *, on_terminal, still_there):
    """What SIGHUP means to one that began there and finds its terminal so."""
    meant, loop = [], Loop()
    monkeypatch.setattr(up, "has_terminal", lambda: still_there)
    up.hear_hangups(
        loop,
        on_terminal=on_terminal,
        stop=lambda: meant.append("stop"),
        reload=lambda: meant.append("reload"),
    )
    loop.hang_up()
    return meant


class Loop:
    """An event loop that has all the time there is."""

    def add_signal_handler(self, number, callback, *arguments):
        assert number is signal.SIGHUP
        self.hang_up = lambda: callback(*arguments)

    def call_later(self, _seconds, callback):
        callback()


def test_a_hangup_stops_it_when_its_terminal_is_gone_and_else_means_a_reload(monkeypatch):
    assert mean_hangup(monkeypatch, on_terminal=True, still_there=False) == ["stop"]
    assert mean_hangup(monkeypatch, on_terminal=True, still_there=True) == ["reload"]
    assert mean_hangup(monkeypatch, on_terminal=False, still_there=False) == ["reload"]


HANGING = """
import os, pathlib, signal, sys, time
from orchestrator.cli.up import has_terminal
told = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGHUP, lambda *_: told.write_text(str(has_terminal())))
os.write(1, str(has_terminal()).encode())
while not told.exists():
    time.sleep(0.01)
"""


def test_a_terminal_that_closes_is_noticed(tmp_path):
    """A process in a terminal of its own, which is closed under it."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", HANGING, str(tmp_path / "told")])
    try:
        assert os.read(terminal, 100).strip() == b"True"
        os.close(terminal)
        assert os.waitpid(child, 0)[1] == 0
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise

    assert (tmp_path / "told").read_text() == "False"
