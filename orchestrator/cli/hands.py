"""`doorbell hands`: how the servers fare, and a call of a person's; the calls that runs make are elsewhere."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from getpass import getuser
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from orchestrator.agent.hands.effects import effect_of
from orchestrator.agent.hands.looking import Probed, definitions, drifts
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.agent.tools.relocking import wanted_tools
from orchestrator.agent.tools.room import tokens
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    local,
    print_json,
    settings_from,
)
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.errors import ConfigurationError, OperatorError
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.ledger import standings
from orchestrator.ledger.standings import Fared
from orchestrator.rules.load import closest
from orchestrator.servers import HttpServer
from orchestrator.settings import Settings, environment
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, read_secret_file
from orchestrator.tell import plain, table

WRONG = 1
FRESH = 3600.0
"""Seconds for which what a worker found is told; it may have died since."""

COLUMNS = ("server", "protocol", "tools", "tokens", "answers in", "health", "drift")
TOOL_COLUMNS = ("tool", "tokens", "in use", "arguments, those with ? may be left out")
Row = dict[str, Any]


@click.group("hands")
def hands() -> None:
    """Look at the MCP servers, or make one call yourself."""


@hands.command("list")
@click.argument("names", metavar="[SERVER]...", nargs=-1)
@local
@config_option
def list_(*, names: tuple[str, ...], config: Path | None, as_json: bool, **flags: Any) -> None:
    """Ask every server what it offers: protocol, tools, latency, health, drift; 1 where one isn't well.

    A SERVER that is named is shown with each of its tools and their arguments.
    """
    settings = settings_from(config=config, **flags)
    configuration = _configuration(settings)
    for name in names:
        _known(configuration, name)
    wanted = names or tuple(configuration.servers)
    reaching = import_module("orchestrator.cli.reaching")
    stores = _stores(settings)
    try:
        told = _fared(stores)
        redact = redact_of(held_by(settings), lambda: configuration)
        found = asyncio.run(
            reaching.looked_at(
                reaching.hands_of(configuration, environment(DOTENV), redact), wanted
            )
        )
    finally:
        if stores is not None:
            stores.close()
    rows = [_row(configuration, one, told.get(one.server, ())) for one in found]
    if as_json:
        print_json(rows)
    else:
        _print(rows, with_tools=bool(names))
    if not all(row["well"] for row in rows):
        sys.exit(WRONG)


@hands.command("call")
@click.argument("name", metavar="SERVER.TOOL")
@click.argument("arguments", metavar="JSON", default="{}")
@click.option("--yes", is_flag=True, help="Make the call though it may change something.")
@click.option("--timeout", default=60.0, type=click.FloatRange(1, 3600), help="Seconds [60].")
@local
@config_option
def call(
    *,
    name: str,
    arguments: str,
    yes: bool,
    timeout: float,
    config: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Call SERVER.TOOL with arguments as JSON; 1 if it failed. The audit has it as your call."""
    settings = settings_from(config=config, **flags)
    configuration = _configuration(settings)
    server, _, tool = name.partition(".")
    _known(configuration, server)
    if not tool:
        raise click.UsageError(f"expected SERVER.TOOL, got {name!r}")
    given = _arguments(arguments)
    reaching = import_module("orchestrator.cli.reaching")
    wanted = reaching.Wanted(
        server=server,
        tool=tool,
        arguments=given,
        text=json.dumps(given),
        who=getuser(),
        deadline=timeout,
    )
    stores = _stores(settings)
    try:
        made = asyncio.run(_called(settings, configuration, stores, wanted, yes=yes))
    finally:
        if stores is not None:
            stores.close()
    if as_json:
        print_json({"outcome": made.state, "seconds": made.seconds, "content": made.content})
    else:
        _print_content(made.content)
    if made.state != "done":
        sys.exit(WRONG)


async def _called(
    settings: Settings,
    configuration: Configuration,
    stores: Stores | None,
    wanted: Any,
    *,
    yes: bool,
) -> Any:
    reaching = import_module("orchestrator.cli.reaching")
    redact = redact_of(held_by(settings), lambda: configuration)
    reached = reaching.hands_of(configuration, environment(DOTENV), redact)
    try:
        definition = await reaching.definition_of(reached, configuration, wanted)
        effect, origin = effect_of(definition, configuration.servers)
        # A tool that its server calls a read is trusted to be one, as a run trusts it.
        if effect != "read" and not yes:
            raise OperatorError(
                f"{wanted.server}.{wanted.tool} may change something ({effect}; {origin}):"
                " if you mean it, repeat with --yes"
            )
        if effect != "read" and stores is None:
            raise OperatorError(
                f"there is no installation in {str(settings.state)!r} whose audit could keep this call:"
                " run `doorbell up`, or give --state DIR"
            )
        return await reaching.made(reached, stores, wanted, str(effect))
    finally:
        await reached.close()


def _configuration(settings: Settings) -> Configuration:
    configuration = load(settings.config, environment(DOTENV), read_secret_file)
    broken = [one for one in configuration.mistakes if "servers.yaml" in one.file]
    if broken:
        raise ConfigurationError(configuration.mistakes)
    return configuration


def _known(configuration: Configuration, server: str) -> None:
    if server not in configuration.servers:
        near = closest(server, configuration.servers)
        raise OperatorError(f"no server is named {server!r} in servers.yaml{near}")


def _arguments(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"expected the arguments as JSON: {error}") from None
    if not isinstance(given, dict):
        raise click.UsageError(f"expected the arguments as a JSON object, got {text}")
    return given


def _stores(settings: Settings) -> Stores | None:
    state = StateDirectory(settings.state.resolve())
    if settings.database is None and not state.inbox.exists():
        return None
    return Stores.open(state, settings.database)


def _fared(stores: Stores | None) -> dict[str, list[Fared]]:
    found: dict[str, list[Fared]] = {}
    if stores is not None:
        for one in asyncio.run(stores.ledger.read(standings.known, time.time() - FRESH)):
            found.setdefault(one.server, []).append(one)
    return found


def _row(configuration: Configuration, one: Probed, fared: Sequence[Fared]) -> Row:
    server, found = configuration.servers[one.server], one.found
    used = wanted_tools(configuration).get(one.server, ())
    offered = {} if found is None else definitions(found)
    prices = _prices(offered)
    drift = {} if found is None else drifts(configuration.lock, found, way_of(server), used)
    left = [_left(told) for told in fared]
    return {
        "server": one.server,
        "transport": "http" if isinstance(server, HttpServer) else "stdio",
        "well": found is not None and not drift and not left,
        "protocol": None if found is None else found.protocol,
        "identity": None if found is None else found.identity,
        "tools": prices,
        "arguments": {name: _required(tool) for name, tool in sorted(offered.items())},
        "used": sorted(used),
        "tokens": sum(prices.values()),
        "tokens_used": sum(price for name, price in prices.items() if name in used),
        "opened_seconds": one.opened,
        "latency_seconds": one.latency,
        "error": one.error,
        "left_alone": left,
        "locked": configuration.lock is not None,
        "drift": drift,
    }


def _prices(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {name: tokens(definition) for name, definition in sorted(definitions.items())}


def _required(definition: Mapping[str, Any]) -> dict[str, bool]:
    """Each argument of a tool, and whether it must be given, as the server's schema has it."""
    schema = definition["input_schema"]
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    return {name: name in needed for name in properties} if isinstance(properties, dict) else {}


def _left(told: Fared) -> Row:
    again_in = max(told.until - time.time(), 0.0)
    return {
        "worker": told.worker,
        "state": told.state,
        "failures": told.failures,
        "again_in_seconds": round(again_in, 1),
        "error": told.error,
    }


def _print(rows: list[Row], *, with_tools: bool) -> None:
    if not rows:
        click.echo("servers.yaml names no server")
        return
    console().print(table(COLUMNS, [_cells(row) for row in rows], whole=("server",)))
    for row in rows if with_tools else ():
        if row["tools"]:
            console().print(table(TOOL_COLUMNS, _tools(row), whole=("tool",)))
    for row in rows:
        for words in (row["error"], *row["drift"].values()):
            if words:
                click.echo("\n".join(map(plain, words.splitlines())), err=True)
        for left in row["left_alone"]:
            said = f"{left['worker']} leaves {row['server']} alone after {left['failures']} failures: {left['error']}"
            click.echo(plain(said), err=True)


def _cells(row: Row) -> tuple[str, ...]:
    latency = row["latency_seconds"]
    return (
        f"{row['server']} ({row['transport']})",
        row["protocol"] or "-",
        f"{len(row['used'])} of {len(row['tools'])}",
        f"{row['tokens_used']} of {row['tokens']}",
        "-" if latency is None else f"{latency * 1000:.0f} ms",
        _health(row),
        "not locked" if not row["locked"] else ", ".join(row["drift"]) or "none",
    )


def _tools(row: Row) -> list[tuple[str, ...]]:
    return [
        (
            f"{row['server']}.{name}",
            str(price),
            "yes" if name in row["used"] else "",
            ", ".join(one if sure else f"{one}?" for one, sure in row["arguments"][name].items()),
        )
        for name, price in row["tools"].items()
    ]


def _health(row: Row) -> str:
    if row["error"] is not None:
        return "unreachable"
    left = [f"{one['state']} for {one['worker']}" for one in row["left_alone"]]
    return "; ".join(left) or "well"


def _print_content(content: Sequence[Mapping[str, Any]]) -> None:
    for block in content:
        text = block.get("text", f"[{block['type']}]")
        click.echo("\n".join(map(plain, str(text).split("\n"))))
