"""The options that verbs share: where the configuration and the state are, and how to print."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError
from rich.console import Console

from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores

F = TypeVar("F", bound=Callable[..., Any])
DOTENV = Path(".env")
WIDE = 160
"""Columns where the output is no terminal: a pipe has no edge, so nothing is cut at 80."""

state_option = click.option(
    "--state", type=click.Path(path_type=Path), help="State directory [./.doorbell]."
)
config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration [./doorbell.d]."
)
database_option = click.option(
    "--database", metavar="URL", help="A Postgres database [SQLite in the state directory]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def local(command: F) -> F:
    """A verb that opens the state directory."""
    return state_option(database_option(json_option(command)))


def settings_from(**flags: Any) -> Settings:
    """The settings, with the flags that were given over the environment and `./.env`. Raises OperatorError."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**{"_env_file": DOTENV, **given})
    except ValidationError as error:
        said = [f"DOORBELL_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()]
        raise OperatorError("; ".join(said)) from None


def stores_of(settings: Settings) -> tuple[StateDirectory, Stores]:
    """The databases of an installation that exists. Exits when there is none."""
    state = StateDirectory(settings.state.resolve())
    if settings.database is None and not state.inbox.exists():
        raise click.ClickException(
            f"there is no installation in {str(settings.state)!r}: run `doorbell up`, or give --state DIR"
        )
    return state, Stores.open(state, settings.database)


def console() -> Console:
    """Where people are told."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


def print_json(value: Any) -> None:
    """What programs are told."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
