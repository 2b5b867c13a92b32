"""`doorbell up`: everything on one machine; it knows which processes there are, and not how they're kept running."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import click

from orchestrator import embedded
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    database_option,
    json_option,
    settings_from,
    state_option,
)
from orchestrator.cli.upgrading import upgraded
from orchestrator.configuration.load import load
from orchestrator.deployment import deployment_of
from orchestrator.doorbell.clients import trusted_of
from orchestrator.doorbell.listener import HANDED_OVER, bound, host_of, inherited, port_of, url_of
from orchestrator.errors import ConfigurationError, OperatorError
from orchestrator.settings import Settings, environment
from orchestrator.state import StateDirectory
from orchestrator.stores import read_secret_file
from orchestrator.supervisor import Child, Supervisor

PROGRAM = (sys.executable, "-m", "orchestrator")
LOOPBACK = "127.0.0.1"
SERVICE_BOOT = 60.0
WORKER_BOOT = timedelta(seconds=60)
STOP_ORDER = ("service", "worker", "temporal")
PATIENCE: Mapping[str, float] = {"service": 20.0, "worker": 35.0, "temporal": 10.0}
"""Seconds between SIGTERM and SIGKILL: longer than what each allows itself to drain."""
HANGUP_TAKES = 0.1
"""Seconds."""
PASSED_ON = ("PATH", "HOME", "TMPDIR")
"""Of our environment, what the Temporal server sees: no key of ours, and no `TEMPORAL_*` that would redirect it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where things listen; Temporal's are the two after the door's, so that one flag moves everything."""

    door: int
    temporal: int
    temporal_ui: int
    metrics: int


@click.command("up")
@config_option
@state_option
@click.option("--host", help="Address the door listens on [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="The door's port; 0 picks one [8787].")
@click.option("--trusted-proxies", metavar="CIDRS", help="Proxies that say who connected [none].")
@click.option("--temporal", metavar="ADDRESS", help="A Temporal server of yours [embedded].")
@click.option("--namespace", help="Temporal namespace [default].")
@click.option(
    "--no-backup", is_flag=True, help="Don't copy the databases before another version opens them."
)
@database_option
@json_option
def up(*, as_json: bool, no_backup: bool, **flags: Any) -> None:
    """Run everything on this machine: Temporal, the door and a worker."""
    settings = settings_from(**flags)
    _ = trusted_of(settings.trusted_proxies)
    _ = deployment_of(
        settings.deployment, settings.build or "-", embedded=settings.temporal is None
    )
    refuse_if_nobody_could_ring(settings)
    asyncio.run(_up(settings, as_json=as_json, backup=not no_backup))


def refuse_if_nobody_could_ring(settings: Settings) -> None:
    """Say what is broken; what is sound runs all the same, so that one slip keeps no door shut after a reboot.

    A directory that isn't there yet is not a broken one: it is read when it comes. Raises `ConfigurationError`.
    """
    if not settings.config.is_dir():
        return
    configuration = load(settings.config, environment(DOTENV), read_secret_file)
    if not configuration.mistakes:
        return
    if not configuration.sources and not configuration.shut:
        raise ConfigurationError(configuration.mistakes)
    for mistake in configuration.mistakes:
        click.echo(f"mistake {mistake}", err=True)
    count = len(configuration.mistakes)
    click.echo(
        f"{count} mistake{'' if count == 1 else 's'} in {settings.config}: what is broken does NOT run, the rest does. "
        f"Mend the files: they are read again as they change.",
        err=True,
    )


async def _up(settings: Settings, *, as_json: bool, backup: bool) -> None:
    with StateDirectory.open(settings.state, role="up") as state:
        state.refuse_if_held("service")
        with door_of(settings, environment(), os.getpid()) as door:
            settings = settings.model_copy(update={"host": host_of(door)})
            ports = choose_ports(settings, port_of(door))
            await upgraded(settings, state, _of_temporal(), datetime.now(UTC), backup=backup)
            settled = settle(settings, state, ports)
            children = _children(settings, settled, state, ports, door.fileno())
            await _supervise(settled, state, children, as_json=as_json)


async def _supervise(
    settings: Settings, state: StateDirectory, children: list[Child], *, as_json: bool
) -> None:
    names = {child.name for child in children}
    width = max(len(name) for name in (*names, "doorbell"))
    supervisor = Supervisor(
        children=children,
        stop_order=[name for name in STOP_ORDER if name in names],
        logs=state.logs,
        echo=partial(_echo, width),
        on_ready=partial(_announce, settings, state, as_json=as_json),
        on_pids=lambda pids: state.record_pids({"up": os.getpid(), **pids}),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGUSR2, supervisor.restart, "service")
    hear_hangups(loop, on_terminal=has_terminal(), stop=supervisor.stop, reload=supervisor.reload)
    try:
        await supervisor.run()
    finally:
        state.record_pids({})


def hear_hangups(
    loop: asyncio.AbstractEventLoop,
    *,
    on_terminal: bool,
    stop: Callable[[], None],
    reload: Callable[[], None],
) -> None:
    """SIGHUP means two things: the terminal we were started on is gone, or somebody wants a reload."""

    def mean() -> None:
        if on_terminal and not has_terminal():
            stop()
        else:
            reload()

    # Whoever closes a terminal sends it a moment before it is gone.
    loop.add_signal_handler(signal.SIGHUP, loop.call_later, HANGUP_TAKES, mean)


def has_terminal() -> bool:
    """Whether this process has a terminal that could be closed under it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def door_of(settings: Settings, environment: Mapping[str, str], pid: int) -> socket.socket:
    """The door's socket, held as long as we run: systemd's, if it holds one for us, or a new one.

    Raises `OperatorError` when it can't be had.
    """
    return inherited(environment, pid) or bound(settings.host, settings.port)


def choose_ports(settings: Settings, door: int) -> Ports:
    """The ports to listen on beside the door's, each free a moment ago.

    Raises `OperatorError` naming the first that is taken.
    """
    any_port = settings.port == 0
    with ExitStack() as held:
        if settings.temporal is not None:
            return Ports(door=door, temporal=0, temporal_ui=0, metrics=0)
        temporal = 0 if any_port else door + 1
        temporal_ui = 0 if any_port else door + 2
        return Ports(
            door=door,
            temporal=_port(held, LOOPBACK, temporal, "the embedded Temporal server"),
            temporal_ui=_port(held, settings.temporal_ui_host, temporal_ui, "the Temporal UI"),
            metrics=_port(held, LOOPBACK, 0, "Temporal's metrics"),
        )


def _port(held: ExitStack, host: str, port: int, whose: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
    # Without it a port we just left would count as taken for a minute.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise OperatorError(
            f"port {port} on {host}, for {whose}, cannot be had ({error}); stop what uses it, choose "
            f"another with --port N (the door takes N, Temporal N+1, its UI N+2), or --port 0 for any"
        ) from error
    return int(probe.getsockname()[1])


def settle(settings: Settings, state: StateDirectory, ports: Ports) -> Settings:
    """The settings with nothing left open: what the children are told."""
    known: dict[str, Any] = {"state": state.path, "port": ports.door}
    known["config"] = settings.config.resolve()
    known["embedded"] = settings.temporal is None
    if settings.temporal is None:
        known["temporal"] = f"{LOOPBACK}:{ports.temporal}"
        known["temporal_ui"] = settings.temporal_ui or f"http://{LOOPBACK}:{ports.temporal_ui}"
    return settings.model_copy(update=known)


def environment_of(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: what we inherited, and the settings as `DOORBELL_*`."""
    told = {
        f"DOORBELL_{name.upper()}": str(value)
        for name in Settings.model_fields
        if not name.startswith("anthropic_") and (value := getattr(settings, name)) is not None
    }
    # What systemd handed over it handed to us.
    ours = {name: value for name, value in inherited.items() if not name.startswith("LISTEN_")}
    return {**ours, **told, "PYTHONUNBUFFERED": "1"}


def _children(
    settings: Settings, settled: Settings, state: StateDirectory, ports: Ports, listener: int
) -> list[Child]:
    # They read `.env` themselves, each time anew.
    told = environment_of(settled, environment())
    door = partial(_door_ready, settled.host, ports.door)
    service = _child("service", [*PROGRAM, "serve"], {**told, **HANDED_OVER}, door)
    ours = [
        replace(service, listener=listener),
        _child("worker", [*PROGRAM, "work"], told, partial(_worker_ready, settings, ports)),
    ]
    return [_temporal(settings, state, ports), *ours] if settings.temporal is None else ours


def _child(
    name: str, command: list[str], told: Mapping[str, str], ready: Callable[[], Awaitable[None]]
) -> Child:
    return Child(
        name=name,
        command=command,
        environment=told,
        ready=ready,
        patience=PATIENCE[name],
        reloads=True,
    )


def _temporal(settings: Settings, state: StateDirectory, ports: Ports) -> Child:
    command = embedded.command(
        embedded.binary(),
        ip=LOOPBACK,
        port=ports.temporal,
        ui_ip=settings.temporal_ui_host,
        ui_port=ports.temporal_ui,
        metrics_port=ports.metrics,
        database=state.temporal,
        namespace=settings.namespace,
    )
    return Child(
        name="temporal",
        command=command,
        environment=_of_temporal(),
        ready=partial(_temporal_ready, ports, settings.namespace),
        patience=PATIENCE["temporal"],
        quiet_when_stopping=True,
    )


def _of_temporal() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name in PASSED_ON}


async def _temporal_ready(ports: Ports, namespace: str) -> None:
    address = f"{LOOPBACK}:{ports.temporal}"
    await embedded.ready(address, namespace=namespace, metrics=f"{LOOPBACK}:{ports.metrics}")
    await embedded.prepare(address, namespace)


async def _door_ready(host: str, port: int) -> None:
    try:
        async with asyncio.timeout(SERVICE_BOOT):
            await _answering(_reachable(host), port)
    except TimeoutError as error:
        raise OperatorError(
            f"the service does not answer GET /ready on port {port} within {SERVICE_BOOT:.0f} s; "
            f"see its log in the state directory"
        ) from error


async def _answering(host: str, port: int) -> None:
    while True:
        if b" 200 " in await _status_line(host, port):
            return
        await asyncio.sleep(0.05)


async def _status_line(host: str, port: int) -> bytes:
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /ready HTTP/1.1\r\nHost: doorbell\r\nConnection: close\r\n\r\n")
            return await reader.readline()
        finally:
            writer.close()
    return b""


async def _worker_ready(settings: Settings, ports: Ports) -> None:
    """A server of somebody else's may be down for long: then the door opens and deliveries wait."""
    if settings.temporal is None:
        await embedded.polled(
            f"{LOOPBACK}:{ports.temporal}",
            namespace=settings.namespace,
            task_queue=settings.task_queue,
            within=WORKER_BOOT,
        )


def _reachable(host: str) -> str:
    everywhere = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - looked up, not listened on
    return everywhere.get(host, host)


def _echo(width: int, name: str, line: bytes) -> None:
    click.echo(f"{name:<{width}} | {line.decode('utf-8', 'replace')}", err=True)


def _announce(settings: Settings, state: StateDirectory, *, as_json: bool) -> None:
    url = url_of(settings.host, settings.port)
    facts = {"url": url, "temporal": settings.temporal, "temporal_ui": settings.temporal_ui}
    if as_json:
        click.echo(json.dumps({**facts, "state": str(state.path), "pids": state.pids()}))
        return
    click.echo(f"Doorbell is up. Senders ring {url}/hooks/SOURCE")
    click.echo(f"  Temporal     {settings.temporal}, UI {settings.temporal_ui or 'unknown'}")
    click.echo(f"  state, logs  {state.path}")
    click.echo("  Ctrl-C stops it; nothing is lost.")
