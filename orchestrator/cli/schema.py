"""`doorbell schema`: JSON Schemas of the configuration, for editors; it prints or writes them, and checks nothing."""

import json
from pathlib import Path
from typing import Final

import click

from orchestrator.cli.options import config_option, print_json, settings_from
from orchestrator.configuration.schemas import FILES, schema_of
from orchestrator.errors import OperatorError

PLACE: Final = ".schemas"
"""Below the configuration: what begins with a dot is no configuration."""


@click.command("schema")
@click.argument("kind", required=False, type=click.Choice(list(FILES)))
@click.option(
    "--write", is_flag=True, help=f"Write all of them below the configuration, into {PLACE}/."
)
@config_option
def schema(*, kind: str | None, write: bool, config: Path | None) -> None:
    """Print the JSON Schema of a KIND of file, or write all of them for your editor."""
    if write is (kind is not None):
        raise click.UsageError(f"name one of {', '.join(FILES)}, or say --write")
    if kind is not None:
        print_json(schema_of(kind))
        return
    directory = settings_from(config=config).config
    if not directory.is_dir():
        raise OperatorError(f"no configuration in {str(directory)!r}: give --config DIR")
    for path in write_schemas(directory):
        click.echo(f"wrote {path}")


def write_schemas(directory: Path) -> list[Path]:
    """The files written below a configuration. Raises `OperatorError`."""
    written = [directory / PLACE / f"{kind}.json" for kind in FILES]
    try:
        for path, kind in zip(written, FILES, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(schema_of(kind), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"can't write {error.filename!r}: {error.strerror}") from error
    return written
