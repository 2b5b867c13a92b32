"""`doorbell send FILE`: sign a payload with a source's own secret and ring the door with it."""

import re
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.options import (
    DOTENV,
    config_option,
    json_option,
    print_json,
    settings_from,
    state_option,
)
from orchestrator.cli.ring import post
from orchestrator.errors import OperatorError
from orchestrator.settings import environment
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.signing import prove
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.source import Source
from orchestrator.state import StateDirectory
from orchestrator.stores import configuration_reader

NAMED_HEADER = re.compile(r"""headers\[['"]([a-z0-9-]+)['"]\]""")
"""How a source's template names a header: `headers['x-delivery']`."""


@click.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--source",
    "name",
    default="github",
    show_default=True,
    help="Which source it claims to come from.",
)
@click.option(
    "--event", help="The event's name, where a header tells it [FILE's name up to the first dot]."
)
@click.option("--id", "delivery_id", help="The delivery id [a new one].")
@click.option("--url", help="The door's base URL [the running service].")
@config_option
@state_option
@json_option
def send(
    *,
    as_json: bool,
    file: Path,
    name: str,
    event: str | None,
    delivery_id: str | None,
    url: str | None,
    **flags: Any,
) -> None:
    """Sign FILE as its sender would and send it; prints the door's answer."""
    settings = settings_from(**flags)
    source = configuration_reader(settings.config, environment(DOTENV))().sources.get(name)
    if source is None:
        raise OperatorError(
            f"source {name!r} is not configured in {str(settings.config)!r}, or its secret is unset"
        )
    addresses = StateDirectory(settings.state.resolve()).addresses()
    door = url or (addresses.url if addresses else None)
    if door is None:
        raise OperatorError("no service is running here; start `doorbell up`, or give --url")
    body = file.read_bytes()
    identity = delivery_id or f"sent-{secrets.token_hex(8)}"
    headers = signed(source, body, identity, event or file.name.split(".")[0], datetime.now(UTC))
    status, told = post(f"{door}/hooks/{name}", body, headers)
    if as_json:
        print_json({"http_status": status, **told})
    else:
        click.echo(_told(status, told))
    raise SystemExit(0 if HTTPStatus(status) < HTTPStatus.MULTIPLE_CHOICES else 1)


def _told(status: int, told: dict[str, Any]) -> str:
    if "event" not in told:
        return f"{status} {told.get('title')}: {told.get('detail')}"
    of = f" of {told['duplicate_of']}" if told["duplicate_of"] else ""
    return f"{status} {told['status']}{of}: {told['hint']}"


def signed(source: Source, body: bytes, identity: str, event: str, now: datetime) -> dict[str, str]:
    """The headers a sender of this source would send with the body. Raises `OperatorError`."""
    secret = source.secrets[0].reveal().encode() if source.secrets else b""
    headers = {"content-type": "application/json", **_named(source, identity, event)}
    match source.scheme:
        case GithubScheme():
            headers |= {"x-github-event": event, "x-github-delivery": identity}
        case StandardWebhooksScheme():
            headers["webhook-id"] = identity
        case DeclaredHmac(id_header=str(name)):
            headers[name.lower()] = identity
        case _:
            pass
    try:
        return {**headers, **prove(source.scheme, secret, body, now, headers)}
    except ValueError as error:
        raise OperatorError(str(error)) from error


def _named(source: Source, identity: str, event: str) -> dict[str, str]:
    """The headers from which a declared source takes its id and its type."""
    if not isinstance(source.dialect, DeclaredDialect):
        return {}
    told = ((source.dialect.id, identity), (source.dialect.type, event))
    return {name: said for template, said in told for name in NAMED_HEADER.findall(_text(template))}


def _text(template: object) -> str:
    return str(getattr(template, "text", ""))
