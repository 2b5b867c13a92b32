"""`doorbell status`: how the installation is doing, asked from the running service."""

import json
from typing import Any

import click
import httpx2

from orchestrator.cli.options import json_option, settings_from, state_option
from orchestrator.state import StateDirectory

PATIENCE = 5.0


@click.command("status")
@state_option
@json_option
def status(*, as_json: bool, **flags: Any) -> None:
    """Say what is up and what is not; exits 1 when something is not."""
    state = StateDirectory(settings_from(**flags).state.resolve())
    addresses = state.addresses()
    if addresses is None:
        click.echo(
            json.dumps({"service": None})
            if as_json
            else "the service is not running; start it with `doorbell up`"
        )
        raise SystemExit(1)
    told: dict[str, Any] = httpx2.get(f"{addresses.url}/status", timeout=PATIENCE).json()
    told["service"] = addresses.url
    told["temporal"]["ui"] = addresses.temporal_ui
    well = told["temporal"]["reachable"] and not told["configuration"]["mistakes"]
    click.echo(json.dumps(told, indent=2) if as_json else _text(told))
    raise SystemExit(0 if well else 1)


def _text(told: dict[str, Any]) -> str:
    configuration, temporal, model = told["configuration"], told["temporal"], told["model"]
    said = (
        "scripted"
        if model["scripted"]
        else "key set"
        if model["key"]
        else "no key: runs park until ANTHROPIC_API_KEY is set"
    )
    lines = [
        f"service   {told['service']}",
        f"temporal  {temporal['address']}, {'reachable' if temporal['reachable'] else 'NOT reachable: entries wait'}",
        f"inbox     {told['inbox']['events']} events, {told['inbox']['waiting']} waiting",
        f"model     {said}",
        f"rules     {', '.join(configuration['rules']) or 'none'}",
        *(f"mistake   {mistake}" for mistake in configuration["mistakes"]),
        *(f"warning   {warning}" for warning in configuration["warnings"]),
    ]
    return "\n".join(lines)
