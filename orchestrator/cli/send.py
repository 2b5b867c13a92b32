"""`doorbell send FILE`: sign a payload with a source's own secret and ring the door with it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.naming import source_named
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    json_option,
    print_json,
    settings_from,
    state_option,
)
from orchestrator.cli.ring import post
from orchestrator.cli.samples import EVENTS, KINDS, deliveries, sample_named, samples
from orchestrator.errors import OperatorError
from orchestrator.rehearsal.requests import Request, RequestError, parsed, written
from orchestrator.rehearsal.sending import JSON, Payload, Wish, changed, request_of, shown
from orchestrator.rehearsal.setting import assigned
from orchestrator.settings import Settings, environment
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from orchestrator.state import StateDirectory
from orchestrator.stores import configuration_reader

RAW: Final = ".http"
DEFAULT: Final = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a file holds: the payload, the event its name tells, and the source or sender that is meant."""

    payload: Payload
    event: str | None
    source: str | None = None
    sender: str | None = None


@click.command("send")
@click.argument("file", required=False)
@click.option("--source", "name", help="Which source it claims to come from [FILE's, or github].")
@click.option(
    "--event",
    "--type",
    "event",
    help="The event's name, where a header tells it [FILE's name up to the first dot].",
)
@click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value: issue.number=7."
)
@click.option("--id", "delivery_id", help="The delivery id [a new one].")
@click.option("--url", help="The door's base URL [the running service].")
@click.option("--dry-run", "dry", is_flag=True, help="Print the request as .http; ring nobody.")
@click.option("--list", "listed", is_flag=True, help="List the samples that come with Doorbell.")
@config_option
@state_option
@json_option
def send(
    *,
    as_json: bool,
    file: str | None,
    name: str | None,
    event: str | None,
    sets: tuple[str, ...],
    delivery_id: str | None,
    url: str | None,
    dry: bool,
    listed: bool,
    **flags: Any,
) -> None:
    """Sign FILE as its sender would and send it; prints the door's answer.

    FILE is a payload, a raw request (*.http), or a sample that comes with Doorbell, such as github/issues.opened.
    """
    if listed:
        _list(as_json=as_json)
        return
    if file is None:
        raise click.UsageError("name a FILE or a sample; --list shows the samples")
    settings = settings_from(**flags)
    given = given_by(file)
    source = _source(settings, name, given)
    wish = Wish(
        identity=delivery_id or f"sent-{secrets.token_hex(8)}",
        event=event or given.event,
        now=datetime.now(UTC),
    )
    payload = changed(given.payload, [assigned(text) for text in sets])
    request = request_of(source, payload, wish)
    if dry:
        _show(request, source)
        return
    status, told = post(_address(settings, url, request), request.body, request.headers)
    if as_json:
        print_json({"http_status": status, **told})
    else:
        click.echo(_told(status, told))
    raise SystemExit(0 if HTTPStatus(status) < HTTPStatus.MULTIPLE_CHOICES else 1)


def given_by(file: str) -> Given:
    """What a file or a sample holds. Raises `OperatorError` where there is neither."""
    path = Path(file)
    if not path.is_file():
        found = sample_named(file)
        return _sample(file, found)
    try:
        raw = path.read_bytes()
        return _request(raw) if path.suffix == RAW else _plain(path, raw)
    except RequestError as error:
        raise OperatorError(f"{file}:{error.line}: {error}") from None
    except OSError as error:
        raise OperatorError(f"can't read {file!r}: {error.strerror}") from None


def signed(source: Source, body: bytes, identity: str, event: str, now: datetime) -> dict[str, str]:
    """The headers a sender of this source would send with the body. Raises `OperatorError`."""
    wish = Wish(identity=identity, event=event, now=now)
    return dict(request_of(source, Payload(body=body), wish).headers)


def _request(raw: bytes) -> Given:
    request = parsed(raw)
    payload = Payload(body=request.body, headers=request.headers)
    return Given(payload=payload, event=None, source=request.source)


def _plain(path: Path, raw: bytes) -> Given:
    headers: Mapping[str, str] = {"content-type": KINDS.get(path.suffix, JSON)}
    recorded = path.resolve().is_relative_to(deliveries().resolve())
    return Given(
        payload=Payload(body=raw, headers=headers),
        event=path.name.split(".")[0],
        sender=path.resolve().parent.name if recorded else None,
    )


def _sample(name: str, path: Path) -> Given:
    given = _plain(path, path.read_bytes())
    return Given(
        payload=given.payload,
        event=EVENTS.get(name, given.event),
        sender=name.partition("/")[0],
    )


def _source(settings: Settings, name: str | None, given: Given) -> Source:
    """The source that was named, or that the file is of. Raises `OperatorError`."""
    configured = configuration_reader(settings.config, environment(DOTENV))()
    speaking = _speaking(configured.sources, given.sender)
    if speaking not in configured.sources:
        speaking = _speaking(configured.shut, given.sender)
    wanted = name or given.source or speaking or DEFAULT
    return source_named(configured, wanted)


def _speaking(sources: Mapping[str, Source], sender: str | None) -> str | None:
    """The source of this sender: of its name, or else the first with its scheme."""
    if sender is None or sender in sources or sender not in PRESETS:
        return sender
    return next((one.name for one in sources.values() if one.scheme.name == sender), sender)


def _address(settings: Settings, url: str | None, request: Request) -> str:
    addresses = StateDirectory(settings.state.resolve()).addresses()
    door = url or (addresses.url if addresses else None)
    if door is None:
        raise OperatorError("no service is running here; start `doorbell up`, or give --url")
    query = f"?{request.query}" if request.query else ""
    return f"{door}{request.path}{query}"


def _show(request: Request, source: Source) -> None:
    told, left_out = shown(request, source.scheme)
    click.echo(written(told), nl=False)
    if left_out:
        said = "left out, because the secret itself travels there"
        click.echo(f"\n{said}: {', '.join(left_out)}", err=True)


def _list(*, as_json: bool) -> None:
    names = [name for name, _ in samples()]
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names))


def _told(status: int, told: dict[str, Any]) -> str:
    if "event" not in told:
        return f"{status} {told.get('title')}: {told.get('detail')}"
    of = f" of {told['duplicate_of']}" if told["duplicate_of"] else ""
    return f"{status} {told['status']}{of}: {told['hint']}"
