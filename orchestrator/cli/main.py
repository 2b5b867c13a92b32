"""The `doorbell` command: names its verbs and loads each only when it is asked for; it does nothing itself."""

import ast
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from orchestrator.errors import ConfigurationError, DoorbellError

VERBS = {
    "approvals": "orchestrator.cli.approvals:approvals",
    "audit": "orchestrator.cli.audit:audit",
    "check": "orchestrator.cli.check:check",
    "demo": "orchestrator.cli.demo:demo",
    "events": "orchestrator.cli.events:events",
    "hands": "orchestrator.cli.hands:hands",
    "init": "orchestrator.cli.init:init",
    "listen": "orchestrator.cli.listen:listen",
    "lock": "orchestrator.cli.lock:lock",
    "mcp": "orchestrator.cli.mcp:mcp",
    "rehearse": "orchestrator.cli.rehearse:rehearse",
    "rules": "orchestrator.cli.rules:rules",
    "runs": "orchestrator.cli.runs:runs",
    "schema": "orchestrator.cli.schema:schema",
    "schemes": "orchestrator.cli.schemes:schemes",
    "send": "orchestrator.cli.send:send",
    "serve": "orchestrator.cli.serve:serve",
    "spend": "orchestrator.cli.spend:spend",
    "status": "orchestrator.cli.status:status",
    "token": "orchestrator.cli.token:token",
    "tools": "orchestrator.cli.tools:tools",
    "up": "orchestrator.cli.up:up",
    "why": "orchestrator.cli.why:why",
    "work": "orchestrator.cli.work:work",
}
"""Verb -> where it lives. Importing them all would cost seconds of vendors for a command that needs none."""


def said(place: str) -> str:
    """The first sentence of a verb's docstring, read without importing it."""
    module, _, name = place.partition(":")
    source = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py")
    for node in ast.parse(source.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


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
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said(VERBS[name])) for name in self.list_commands(ctx)])

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
