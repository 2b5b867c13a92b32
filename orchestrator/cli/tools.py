"""`doorbell tools`: the tools of a playbook, what each costs and does, and why it is there; it changes nothing."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.tools.arguments import words
from orchestrator.agent.tools.builtins import built_ins_beside
from orchestrator.agent.tools.prospect import Prospect, from_lock, prospect
from orchestrator.agent.tools.room import tokens
from orchestrator.agent.tools.toolset import Tool
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    json_option,
    print_json,
    settings_from,
)
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.configuration.locks import Lock
from orchestrator.errors import OperatorError
from orchestrator.rules.load import closest
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file
from workflows.playbook import MAX_TOOL_TOKENS, MAX_TOOLS, Playbook

WRONG = 1
COLUMNS = ("tool", "tokens", "effect", "known from", "calls", "why")

Row = dict[str, Any]


@click.command("tools")
@click.argument("name", metavar="PLAYBOOK")
@config_option
@click.option("--offline", is_flag=True, help="Ask no server: take tools.lock for it.")
@json_option
def tools(*, name: str, config: Path | None, offline: bool, as_json: bool) -> None:
    """Show the tools of PLAYBOOK with their price, effect and server; 1 if no run could be opened with them."""
    told = environment(DOTENV)
    configuration = load(settings_from(config=config).config, told, read_secret_file)
    playbook = configuration.playbooks.get(name)
    if playbook is None:
        known = configuration.playbooks
        raise OperatorError(f"there is no sound playbook {name!r}{closest(name, known)}")
    locked = from_lock(configuration.lock or Lock())
    offered, notes = (locked, {}) if offline else _offered(configuration, told, playbook, locked)
    found = prospect(playbook, configuration, offered)
    missing = dict.fromkeys(_missing(playbook, found, notes, offline=offline))
    problems = [*missing, *found.problems]
    if as_json:
        print_json(_report(playbook, found, problems, list(notes.values())))
    else:
        _print(playbook, found, problems, list(notes.values()))
    if problems:
        sys.exit(WRONG)


def _offered(
    configuration: Configuration,
    told: Mapping[str, str],
    playbook: Playbook,
    locked: Mapping[str, Discovered],
) -> tuple[dict[str, Discovered], dict[str, str]]:
    """What the playbook's servers offer; of one that doesn't answer, what was locked, with a note on that."""
    # The MCP library costs a second, and whoever asks offline needn't pay for it.
    asked = import_module("orchestrator.cli.offering").asked(configuration, told, playbook.tools)
    kept = {server: locked[server] for server in asked.silent if server in locked}
    notes = {
        server: f"{why}{' (shown as locked)' if server in kept else ''}"
        for server, why in asked.silent.items()
    }
    return {**asked.discovered, **kept}, notes


def _missing(
    playbook: Playbook, found: Prospect, notes: Mapping[str, str], *, offline: bool
) -> Iterator[str]:
    for name in found.unknown:
        server, _, tool = name.partition(".")
        if offline:
            yield f"{name} isn't in tools.lock: run `doorbell lock`, or ask without --offline"
        elif server not in notes:
            yield f"server {server!r} has no tool {tool!r}"
        elif server not in playbook.optional:
            yield f"nobody knows the tools of {server!r}, and no run can be opened without it"


def _report(
    playbook: Playbook, found: Prospect, problems: list[str], notes: list[str]
) -> dict[str, Any]:
    rows = list(_rows(playbook, found))
    return {
        "playbook": playbook.name,
        "ok": not problems,
        "tools": rows,
        "count": len(rows),
        "most": MAX_TOOLS,
        "tokens": sum(row["tokens"] for row in rows),
        "most_tokens": MAX_TOOL_TOKENS,
        "problems": problems,
        "notes": notes,
    }


def _rows(playbook: Playbook, found: Prospect) -> Iterator[Row]:
    for tool in sorted(found.tools, key=lambda tool: (-tool.tokens, tool.alias)):
        yield _row(playbook, tool)
    for alias, definition in built_ins_beside(playbook.read).items():
        yield {
            "tool": alias,
            "server": None,
            "tokens": tokens(definition),
            "effect": "read",
            "known_from": "built in",
            "max": None,
            "args": {},
            "bound": [],
            "why": "built in: every run has it",
        }


def _row(playbook: Playbook, tool: Tool) -> Row:
    name = f"{tool.server}.{tool.name}"
    why = ["listed"]
    if tool.server in playbook.optional:
        why.append(f"while {tool.server} can be reached")
    if name in playbook.waits:
        why.append(f"answered by {', '.join(playbook.waits[name].events)}")
    return {
        "tool": name,
        "server": tool.server,
        "tokens": tool.tokens,
        "effect": str(tool.effect),
        "known_from": tool.origin,
        "max": tool.max,
        "args": {argument: words(allowed) for argument, allowed in tool.args.items()},
        "bound": sorted(tool.bound),
        "why": "; ".join(why),
    }


def _print(playbook: Playbook, found: Prospect, problems: list[str], notes: list[str]) -> None:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in _rows(playbook, found):
        table.add_row(
            escape(row["tool"]),
            str(row["tokens"]),
            row["effect"],
            escape(row["known_from"]),
            escape(_limits(row)),
            escape(row["why"]),
        )
    console().print(table)
    built_in = built_ins_beside(playbook.read).values()
    count = len(found.tools) + len(built_in)
    spent = found.tokens + sum(map(tokens, built_in))
    click.echo(f"{count} of {MAX_TOOLS} tools, {spent} of {MAX_TOOL_TOKENS} tokens (estimated)")
    for words_ in (*notes, *problems):
        click.echo(words_, err=True)


def _limits(row: Row) -> str:
    most = [] if row["max"] is None else [f"at most {row['max']}"]
    args = [f"{argument}: {said}" for argument, said in row["args"].items()]
    bound = [f"{', '.join(row['bound'])} bound"] if row["bound"] else []
    return "; ".join([*most, *args, *bound])
