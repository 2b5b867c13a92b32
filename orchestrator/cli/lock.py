"""`doorbell lock`: writes which definitions of tools were accepted, and refuses what changed until it is named."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import click

from orchestrator.agent.tools.relocking import Asked, Relocked, relocked, wanted_tools
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    json_option,
    print_json,
    settings_from,
)
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import LOCK
from orchestrator.configuration.load import load
from orchestrator.configuration.locks import text_of
from orchestrator.errors import ConfigurationError
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file

DIFFERENT = 1
BROKEN = 2


@click.command("lock")
@config_option
@click.option(
    "--accept",
    metavar="SERVER.TOOL",
    multiple=True,
    help="Take this tool as it is now (or SERVER: all of its), and end its quarantine.",
)
@click.option("--check", "only_look", is_flag=True, help="Write nothing; 1 if anything differs.")
@json_option
def lock(*, config: Path | None, accept: tuple[str, ...], only_look: bool, as_json: bool) -> None:
    """Pin the definitions of the tools in use in tools.lock; 1 if one isn't what was locked, or can't be."""
    directory = settings_from(config=config).config
    told = environment(DOTENV)
    configuration = load(directory, told, read_secret_file)
    if configuration.mistakes:
        raise ConfigurationError(configuration.mistakes)
    wanted = wanted_tools(configuration)
    asked = _asked(configuration, told, wanted)
    made = relocked(configuration.lock, wanted, asked, accept, time.time())
    text, file = text_of(made.lock), directory / LOCK
    differs = configuration.lock is None or text != text_of(configuration.lock)
    if differs and not only_look:
        write_whole(file, text)
    if as_json:
        print_json(_report(made, differs=differs))
    else:
        _print(made, file, differs=differs, written=not only_look)
    if made.drifted or made.problems or (only_look and differs):
        sys.exit(DIFFERENT)


def write_whole(file: Path, text: str) -> None:
    """Replace a file by a text: whoever reads it finds the old one or the new one, whole, whenever we die."""
    handle, name = mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as beside:
            beside.write(text)
            beside.flush()
            os.fsync(beside.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    parent = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _asked(
    configuration: Configuration, told: Mapping[str, str], wanted: Mapping[str, Any]
) -> Asked:
    # The MCP library costs a second, and a command line that is wrong needn't pay for it.
    found: Asked = import_module("orchestrator.cli.offering").asked(configuration, told, wanted)
    return found


def _report(made: Relocked, *, differs: bool) -> dict[str, Any]:
    return {
        "ok": not (made.drifted or made.problems),
        "differs": differs,
        "added": made.added,
        "removed": made.removed,
        "accepted": made.accepted,
        "drifted": made.drifted,
        "problems": made.problems,
    }


def _print(made: Relocked, file: Path, *, differs: bool, written: bool) -> None:
    for mark, names in (("+", made.added), ("-", made.removed), ("✓", made.accepted)):
        for name in names:
            click.echo(f"{mark} {name}")
    for words in dict.fromkeys((*made.drifted.values(), *made.problems)):
        click.echo(words, err=True)
    count = sum(len(server.tools) for server in made.servers.values())
    state = "unchanged" if not differs else "written" if written else "not as it would be written"
    click.echo(f"{file}: {count} tools of {len(made.servers)} servers; {state}")
