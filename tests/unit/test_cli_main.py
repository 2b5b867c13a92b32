"""The `doorbell` command tells what its verbs do without importing them: help must come at once."""

import subprocess
import sys
from importlib import import_module

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import VERBS, main, said

HEAVY = ("anthropic", "litestar", "mcp", "pydantic", "rich", "sqlalchemy", "temporalio")


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_told_of_a_verb_is_what_it_says_itself(verb):
    module, _, name = VERBS[verb].partition(":")
    command = getattr(import_module(module), name)

    assert said(VERBS[verb]) != ""
    assert said(VERBS[verb]) == command.help.partition("\n")[0].strip("\f ")


def test_the_help_lists_every_verb_and_loads_none():
    asked = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True)

    *told, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    listed = {line.split()[0] for line in told if line.startswith("  ") and line.split()}
    assert set(VERBS) <= listed


def test_a_verb_that_is_none_is_refused_with_a_hint():
    done = CliRunner().invoke(main, ["stauts"])

    assert done.exit_code == 2
    assert "stauts" in done.output
