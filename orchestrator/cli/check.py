"""`doorbell check`: proves the configuration offline; it starts nothing and asks no server."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.cli.options import DOTENV, config_option, json_option, settings_from
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.errors import Mistake
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file
from workflows.playbook import Stage

BROKEN = 2


@click.command("check")
@config_option
@json_option
def check(*, config: Path | None, as_json: bool) -> None:
    """Check the whole configuration: every mistake at once, exit code 2 if there is one."""
    directory = settings_from(config=config).config
    configuration = load(directory, environment(DOTENV), read_secret_file)
    if as_json:
        click.echo(json.dumps(report(configuration), ensure_ascii=False, indent=2))
    else:
        _print(directory, configuration)
    if configuration.mistakes:
        sys.exit(BROKEN)


def report(configuration: Configuration) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "ok": not configuration.mistakes,
        "digest": configuration.digest,
        "mistakes": [_mistake(mistake) for mistake in configuration.mistakes],
        "warnings": [_mistake(warning) for warning in configuration.warnings],
        "sources": sorted(configuration.sources),
        "servers": sorted(configuration.servers),
        "playbooks": [
            {
                "name": playbook.name,
                "model": playbook.model,
                "tools": {server: list(tools) for server, tools in playbook.tools.items()},
                "usd": str(playbook.budget.usd),
            }
            for playbook in configuration.playbooks.values()
        ],
        "rules": [
            {
                "id": rule.id,
                "name": rule.name,
                "on": list(rule.on),
                "playbook": rule.playbook,
                "stage": rule.stage.value,
                "key": rule.key,
                "file": rule.file,
                "line": rule.line,
            }
            for rule in configuration.rules
        ],
    }


def _mistake(mistake: Mistake) -> dict[str, Any]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
    }


def _print(directory: Path, configuration: Configuration) -> None:
    out, wrong = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    for warning in configuration.warnings:
        wrong.print(f"[yellow]warning[/yellow] {escape(str(warning))}", highlight=False)
    for mistake in configuration.mistakes:
        wrong.print(f"[red]mistake[/red] {escape(str(mistake))}", highlight=False)
    if configuration.rules:
        out.print(_rules(configuration))
    counts = ", ".join(
        _counted(count, what)
        for count, what in (
            (len(configuration.sources), "source"),
            (len(configuration.servers), "server"),
            (len(configuration.playbooks), "playbook"),
            (len(configuration.rules), "rule"),
        )
    )
    wrong_count = _counted(len(configuration.mistakes), "mistake")
    warned = _counted(len(configuration.warnings), "warning")
    out.print(f"{escape(str(directory))}: {counts}; {wrong_count}, {warned}", highlight=False)


def _rules(configuration: Configuration) -> Table:
    table = Table("rule", "on", "playbook", "tools", "at most", "stage", box=None, pad_edge=False)
    for rule in configuration.rules:
        playbook = configuration.playbooks[rule.playbook]
        count = sum(map(len, playbook.tools.values())) + 1
        stage = "[bold red]live[/bold red]" if rule.stage is Stage.LIVE else "preview"
        table.add_row(
            escape(rule.name),
            escape("\n".join(rule.on)),
            escape(rule.playbook),
            f"{count} of 40",
            f"${playbook.budget.usd:.2f}",
            stage,
        )
    return table


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
