"""`doorbell init`: writes a commented starter configuration; it overwrites nothing and asks nobody."""

import json
from importlib.resources import files
from pathlib import Path, PurePosixPath

import click

from orchestrator.cli.options import json_option
from orchestrator.cli.schema import write_schemas
from orchestrator.errors import OperatorError

STARTER = {
    "README.md": "README.md",
    "sources.yaml": "sources.yaml",
    "servers.yaml": "servers.yaml",
    "rules/triage.yaml": "rules/triage.yaml",
    "playbooks/triage.md": "playbooks/triage.md",
    ".env.example": "env.example",
}
"""Where each file goes -> where it lies in the package."""


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="doorbell.d")
@json_option
def init(*, directory: Path, as_json: bool) -> None:
    """Write a starter configuration into DIRECTORY [./doorbell.d]."""
    written = write_starter(directory)
    if as_json:
        click.echo(json.dumps({"written": [str(path) for path in written]}))
        return
    for path in written:
        click.echo(f"wrote {path}")
    config = "" if directory == Path("doorbell.d") else f" --config {directory}"
    click.echo(
        f"next: copy {directory / '.env.example'} to ./.env and fill it in, then `doorbell check{config}`"
    )


def write_starter(directory: Path) -> list[Path]:
    """The files written. Raises `OperatorError`, and writes none, where one of them exists."""
    targets = [directory / name for name in STARTER]
    existing = [str(path) for path in targets if path.exists()]
    if existing:
        raise OperatorError(
            f"expected a directory without a configuration, found {', '.join(existing)}: "
            "nothing was written; give another directory"
        )
    try:
        for path, source in zip(targets, STARTER.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_text(source), encoding="utf-8")
        return [*targets, *write_schemas(directory)]
    except OSError as error:
        raise OperatorError(f"can't write {error.filename!r}: {error.strerror}") from error


def _text(source: str) -> str:
    place = files("orchestrator.configuration") / "starter"
    return place.joinpath(*PurePosixPath(source).parts).read_text(encoding="utf-8")
