"""`doorbell status`: how the installation is doing, asked from the running service."""

import asyncio
from typing import Any, Final

import click

from orchestrator.cli.consoles import console_of, token_option, url_option
from orchestrator.cli.options import json_option, print_json, settings_from, state_option
from orchestrator.cli.ring import get
from orchestrator.console.questions import Status
from orchestrator.errors import OperatorError
from orchestrator.state import StateDirectory
from orchestrator.tell import paused

NAMED: Final = 10
"""Requests to people that are named; `doorbell approvals list` has all."""


@click.command("status")
@state_option
@url_option
@token_option
@json_option
def status(*, as_json: bool, **flags: Any) -> None:
    """Say what is up and what is not; exits 1 when something is not."""
    settings = settings_from(**flags)
    directory = settings.state
    if settings.url is None:
        told = _asked(StateDirectory(directory.resolve()))
    else:
        told = asyncio.run(_asked_elsewhere(settings.url, flags))
    if as_json:
        print_json(told)
    elif told["service"] is None:
        why = told.get("reason", "start it with `doorbell up`, or give --state DIR")
        click.echo(f"the service is not running in {str(directory)!r}: {why}")
    else:
        click.echo(_text(told))
    raise SystemExit(0 if _well(told) else 1)


def _asked(state: StateDirectory) -> dict[str, Any]:
    addresses = state.addresses()
    if addresses is None:
        return {"service": None}
    try:
        _, told = get(f"{addresses.url}/status")
    except OperatorError as error:
        # Its process is there, but it is only starting, stopping or stuck.
        return {"service": None, "reason": str(error)}
    temporal = {**told["temporal"], "ui": addresses.temporal_ui}
    return {**told, "temporal": temporal, "service": addresses.url}


async def _asked_elsewhere(url: str, flags: dict[str, Any]) -> dict[str, Any]:
    async with console_of(**flags) as asked:
        return {**await asked.ask(Status()), "service": url}


def _well(told: dict[str, Any]) -> bool:
    if told["service"] is None:
        return False
    configuration = told["configuration"]
    sound = not configuration["mistakes"] and not configuration.get("rejected")
    return bool(told["temporal"]["reachable"] and sound)


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
        *(
            f"paused    {paused(one)}: what it has waits, its runs stand still"
            for one in told["inbox"].get("paused", [])
        ),
        f"model     {said}",
        *(f"warning   {words}" for words in model.get("retiring", {}).values()),
        *_in_force(configuration),
        f"rules     {', '.join(configuration['rules']) or 'none'}",
        *map(_slots, told.get("slots", [])),
        *_lately(told),
        *map(_silence, told.get("silence", [])),
        *map(_recovery, told.get("recovery", [])),
        *map(_subscription, told.get("subscriptions", [])),
        *broken_lines("mistake ", configuration.get("broken", [])),
        *(f"warning   {warning}" for warning in configuration["warnings"]),
    ]
    return "\n".join(lines)


def _in_force(configuration: dict[str, Any]) -> list[str]:
    loaded_at, rejected = configuration.get("loaded_at"), configuration.get("rejected")
    when = "" if loaded_at is None else f", since {loaded_at}"
    said = [f"files     {configuration['digest'][:12]}{when}"]
    if rejected is not None:
        count = len(rejected["broken"])
        said.append(
            f"REJECTED  {rejected['digest'][:12]} at {rejected['at']}: {count} mistake{'' if count == 1 else 's'}; "
            "the files above stay in force, whole"
        )
        said += broken_lines("mistake ", rejected["broken"])
    return said


def broken_lines(word: str, found: list[dict[str, Any]]) -> list[str]:
    """Each mistake, and once under the last of one text that text."""
    lines = []
    for one, after in zip(found, [*found, {}][1:], strict=True):
        name = f" ({one['name']})" if one["name"] else ""
        lines.append(f"{word}  {one['file']}:{one['line']}{name}: {one['reason']}")
        if one["text"] != after.get("text"):
            lines += [f"          | {line}" for line in one["text"].splitlines()]
    return lines


def _lately(told: dict[str, Any]) -> list[str]:
    """What runs wrote and asked, and what of it went wrong."""
    writes, waiting = told.get("writes", {}), told.get("approvals", [])
    said = ", ".join(f"{count} {state}" for state, count in writes.items()) or "none"
    lines = [f"writes    {said} (24 h, and all that are open)"] if "writes" in told else []
    if waiting:
        oldest = _span(waiting[0]["age"])
        lines.append(f"approvals {len(waiting)} waiting, the oldest for {oldest}")
    lines += map(_request, waiting[:NAMED])
    for one in told.get("notices_failed", []):
        lines.append(f"NOT TOLD  run {one['run']}, {one['type']}: {one['became']}")
    for one in told.get("lost", []):
        lines.append(f"{'lost' if one['again'] else 'LOST'}      run {one['run']}: {one['words']}")
    return lines


def _request(one: dict[str, Any]) -> str:
    what = one["tool"] or "a question"
    by, age, left = " or ".join(one["by"]), _span(one["age"]), _span(one["left"])
    return f"          {one['code']}  {what}, run {one['run']}: asked {by} {age} ago, {left} left"


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _slots(one: dict[str, Any]) -> str:
    most = one["concurrent"]
    runs = f"{one['open']} runs open" if most is None else f"{one['open']} of {most} runs open"
    return f"limit     {one['rule']}: {runs}, {one['held']} held"


def _silence(one: dict[str, Any]) -> str:
    heard = one["heard_at"] or "never"
    standing = "SILENT" if one["silent"] else "heard"
    hours = f"{one['expect_seconds'] / 3600:g}h"
    return f"{standing.ljust(9)} {one['source']}: last delivery {heard}, expected every {hours}"


def _recovery(one: dict[str, Any]) -> str:
    done = ", ".join(
        f"{one[name]} {name.replace('_', ' ')}"
        for name in ("reinjected", "asked_again", "too_old", "failed")
        if one[name]
    )
    said = one["error"] or done or "nothing was missed"
    return f"recovery  {one['source']}: {said}"


def _subscription(one: dict[str, Any]) -> str:
    what = one["event"] if one["arguments"] == "{}" else f"{one['event']} {one['arguments']}"
    state = "active" if one["state"] == "active" else one["state"].upper()
    until = "" if one["active_until"] is None else f" until {one['active_until']}"
    refreshed = "" if one["refreshed_at"] is None else f", refreshed {one['refreshed_at']}"
    missed = f", {one['gaps']} gaps, the last {one['gap_at']}" if one["gaps"] else ""
    wrong = "" if one["error"] is None else f": {one['reason']}: {one['error']}"
    who = f"{one['source']}: {what} of {one['server']}"
    return f"mcp       {who} {state}{until}{refreshed}{missed}{wrong}"
