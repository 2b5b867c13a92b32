"""`doorbell serve`: one service process."""

import click
import uvloop

from orchestrator import logs, service
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    database_option,
    settings_from,
    state_option,
)


@click.command("serve")
@config_option
@state_option
@database_option
@click.option("--host", help="Address the door listens on [127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="The door's port [8787].")
@click.option("--trusted-proxies", metavar="CIDRS", help="Proxies that say who connected [none].")
@click.option("--temporal", metavar="ADDRESS", help="The Temporal server.")
@click.option("--namespace", help="Temporal namespace [default].")
def serve(**flags: object) -> None:
    """Run the service: the door and the dispatcher."""
    journal = logs.configure("service")
    settings = settings_from(**flags)
    uvloop.run(service.serve(settings, DOTENV, journal))
