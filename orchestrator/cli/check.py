"""`doorbell check`: proves the configuration offline; it starts nothing, and asks servers only when told to."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.agent.tools.builtins import built_ins_beside
from orchestrator.agent.tools.room import tokens as tokens_of
from orchestrator.cli.options import DOTENV, WIDE, config_option, json_option, settings_from
from orchestrator.cli.proving import Known, Proof, proved, used
from orchestrator.cli.times import said_on
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.console.rules import clock_of
from orchestrator.errors import Mistake
from orchestrator.rules.rule import Destination, Rule
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file
from workflows.playbook import MAX_TOOLS, Playbook, Stage

BROKEN = 2


@click.command("check")
@config_option
@click.option("--online", is_flag=True, help="Ask the servers whether they have the tools.")
@click.option("--strict", is_flag=True, help="Take a warning for a mistake.")
@json_option
def check(*, config: Path | None, online: bool, strict: bool, as_json: bool) -> None:
    """Check the whole configuration and run the rules' tests: every mistake at once, exit code 2 if there is one."""
    directory = settings_from(config=config).config
    told = environment(DOTENV)
    configuration = load(directory, told, read_secret_file)
    now = datetime.now(UTC)
    known = _known(configuration, told, online=online)
    proof = proved(configuration, directory, now, known)
    if as_json:
        click.echo(json.dumps(report(configuration, proof, now), ensure_ascii=False, indent=2))
    else:
        _print(directory, configuration, proof, now)
    if proof.mistakes or (strict and proof.warnings):
        sys.exit(BROKEN)


def _known(configuration: Configuration, told: Mapping[str, str], *, online: bool) -> Known:
    """What is known of the tools: from their servers, from tools.lock, or nothing."""
    if not online and configuration.lock is None:
        return Known()
    # Asking costs seconds of a vendor that reading files needs not.
    pricing = import_module("orchestrator.cli.pricing")
    if not online:
        return Known(
            priced=pricing.priced(configuration, None),
            misfits=pricing.misfits(configuration, None),
        )
    asked = import_module("orchestrator.cli.offering").asked(
        configuration, told, used(configuration)
    )
    return Known(
        offer=pricing.offer_of(configuration, asked),
        priced=pricing.priced(configuration, asked.discovered),
        misfits=pricing.misfits(configuration, asked.discovered),
    )


def report(configuration: Configuration, proof: Proof, now: datetime) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "ok": not proof.mistakes,
        "digest": configuration.digest,
        "mistakes": [_mistake(mistake) for mistake in proof.mistakes],
        "warnings": [_mistake(warning) for warning in proof.warnings],
        "unchecked": list(proof.unchecked),
        "tests": {
            "passed": sum(verdict.passed for verdict in proof.verdicts),
            "failed": sum(not verdict.passed for verdict in proof.verdicts),
        },
        "sources": sorted(configuration.sources),
        "shut": sorted(configuration.shut),
        "servers": sorted(configuration.servers),
        "playbooks": [_playbook(one, proof) for one in configuration.playbooks.values()],
        "rules": [_rule(rule, now) for rule in configuration.rules],
    }


def _playbook(playbook: Playbook, proof: Proof) -> dict[str, Any]:
    return {
        "name": playbook.name,
        "model": playbook.model,
        "tools": {server: list(tools) for server, tools in playbook.tools.items()},
        "usd": str(playbook.budget.usd),
        "tool_tokens": proof.tokens.get(playbook.name),
    }


def _rule(rule: Rule, now: datetime) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "on": list(rule.on),
        "schedule": clock_of(rule, now),
        "does": rule.does,
        "playbook": rule.playbook,
        "forward": None if rule.forward is None else _forward(rule.forward),
        "call": [step.tool for step in rule.call],
        "stage": rule.stage.value if rule.forward is None else None,
        "key": rule.key,
        "file": rule.file,
        "line": rule.line,
    }


def _forward(destination: Destination) -> dict[str, Any]:
    return {
        "to": destination.label,
        "private": destination.private,
        "timeout": destination.timeout.total_seconds(),
        "secrets": [secret.reference for secret in destination.secrets],
        "headers": sorted(destination.headers),
        "unset": list(destination.unset),
    }


def _mistake(mistake: Mistake) -> dict[str, Any]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
    }


def _print(directory: Path, configuration: Configuration, proof: Proof, now: datetime) -> None:
    wide = None if sys.stdout.isatty() else WIDE
    out, wrong = Console(soft_wrap=True, width=wide), Console(stderr=True, soft_wrap=True)
    for warning in proof.warnings:
        wrong.print(f"[yellow]warning[/yellow] {escape(str(warning))}", highlight=False)
    for mistake in proof.mistakes:
        wrong.print(f"[red]mistake[/red] {escape(str(mistake))}", highlight=False)
    if configuration.rules:
        out.print(_rules(configuration, proof, now))
    counts = ", ".join(
        _counted(count, what)
        for count, what in (
            (len(configuration.servers), "server"),
            (len(configuration.playbooks), "playbook"),
            (len(configuration.rules), "rule"),
            (len(proof.verdicts), "test"),
        )
    )
    wrong_count = _counted(len(proof.mistakes), "mistake")
    warned = _counted(len(proof.warnings), "warning")
    counts = f"{_sources(configuration)}, {counts}"
    out.print(
        f"{escape(str(directory))}: {escape(counts)}; {wrong_count}, {warned}", highlight=False
    )
    for said in proof.unchecked:
        out.print(f"not checked: {escape(said)}", highlight=False)


def _sources(configuration: Configuration) -> str:
    """How many there are, and which of them nobody can ring yet; the warnings name the secrets."""
    shut = sorted(configuration.shut)
    said = _counted(len(configuration.sources) + len(shut), "source")
    return f"{said} (shut until its secret is set: {', '.join(shut)})" if shut else said


def _rules(configuration: Configuration, proof: Proof, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("rule", "on", "does", "tools", "at most", "stage"):
        table.add_column(column, overflow="fold")
    for rule in configuration.rules:
        on, does = escape("\n".join(said_on(rule.on, clock_of(rule, now)))), escape(rule.does)
        playbook = configuration.playbooks.get(rule.playbook or "")
        tokens = proof.tokens.get(rule.playbook or "")
        table.add_row(escape(rule.name), on, does, *_cost(rule, playbook, tokens))
    return table


def _cost(rule: Rule, playbook: Playbook | None, tokens: int | None) -> tuple[str, str, str]:
    if playbook is None and not rule.call:
        return "", "", "[bold red]live[/bold red]"
    stage = "[bold red]live[/bold red]" if rule.stage is Stage.LIVE else "preview"
    if playbook is None:
        return _counted(len(rule.call), "call"), "no model", stage
    built_in = built_ins_beside(playbook.read).values()
    count = sum(map(len, playbook.tools.values())) + len(built_in)
    price = "" if tokens is None else f", {tokens + sum(map(tokens_of, built_in))} tokens"
    return f"{count} of {MAX_TOOLS}{price}", f"${playbook.budget.usd:.2f}", stage


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
