"""The `doorbell` command: names its verbs and loads each only when it is asked for; it does nothing itself."""

from importlib import import_module, metadata
from typing import Any

import click
from typing_extensions import override

from orchestrator.errors import ConfigurationError, DoorbellError

VERBS = {
    "check": "orchestrator.cli.check:check",
    "demo": "orchestrator.cli.demo:demo",
    "events": "orchestrator.cli.events:events",
    "init": "orchestrator.cli.init:init",
    "runs": "orchestrator.cli.runs:runs",
    "schemes": "orchestrator.cli.schemes:schemes",
    "send": "orchestrator.cli.send:send",
    "serve": "orchestrator.cli.serve:serve",
    "status": "orchestrator.cli.status:status",
    "up": "orchestrator.cli.up:up",
    "why": "orchestrator.cli.why:why",
    "work": "orchestrator.cli.work:work",
}
"""Verb -> where it lives. Importing them all would cost seconds of vendors for a command that needs none."""


class Verbs(click.Group):
    """A group that imports a verb when it is used."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = VERBS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            click.echo(str(error), err=True)
            ctx.exit(2)
        except DoorbellError as error:
            click.echo(f"doorbell: {error}", err=True)
            ctx.exit(2)


@click.group(cls=Verbs)
@click.version_option(metadata.version("doorbell"), prog_name="doorbell")
def main() -> None:
    """The webhook is the doorbell, MCP is the hands."""
