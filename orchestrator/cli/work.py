"""`doorbell work`: one worker process."""

import asyncio

import click

from orchestrator import logs, worker
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    database_option,
    settings_from,
    state_option,
)


@click.command("work")
@config_option
@state_option
@database_option
@click.option("--temporal", metavar="ADDRESS", help="The Temporal server.")
@click.option("--namespace", help="Temporal namespace [default].")
def work(**flags: object) -> None:
    """Run a worker: the agent runs and their tools."""
    journal = logs.configure("worker")
    settings = settings_from(**flags)
    asyncio.run(worker.work(settings, DOTENV, journal))
