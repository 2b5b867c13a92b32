"""`doorbell rules try FILE`: a candidate rule file against the events that were kept; it writes and starts nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.moments import ago, moment
from orchestrator.cli.options import DOTENV, config_option, console, print_json, settings_from
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import Files, files_of
from orchestrator.configuration.load import configured
from orchestrator.console.lines import delivered
from orchestrator.console.questions import Console, Delivery, Events
from orchestrator.errors import ConfigurationError, OperatorError, SenderError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, EntryState, event_of
from orchestrator.rehearsal.backtest import Backtest, Change, Shift, pairs_of
from orchestrator.settings import environment
from orchestrator.sources.authors import author_in
from orchestrator.sources.notices import notices_source
from orchestrator.sources.schedule import schedule_source
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE, Source
from orchestrator.stores import read_secret_file
from orchestrator.tell import plain, table

CHANGED: Final = 3
EXAMPLES: Final = 3
SINCE: Final = "7d"
COUNTED: Final = tuple(Change)
STANDING: Final = frozenset({EntryState.RECEIVED, EntryState.DECIDED})


@dataclass(slots=True, kw_only=True)
class Found:
    """What asking all events gave; `unread` of them their source can't read today."""

    shifts: list[Shift]
    asked: int = 0
    unread: int = 0


@click.command("try")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--since", metavar="2h|DATE", callback=ago, help=f"Events that were kept since then [{SINCE}]."
)
@click.option("--source", help="Only this source's events.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="How many events, the newest ones.",
)
@anywhere
@config_option
def try_(
    *,
    as_json: bool,
    file: Path,
    since: datetime | None,
    source: str | None,
    limit: int,
    **flags: Any,
) -> None:
    """Ask a candidate rule FILE about stored events: exit 0 if it changes nothing, 3 if it does.

    FILE stands in for the rule file of its name, and for rules of the same names elsewhere. Nothing is started. With
    --url the events are those of an installation elsewhere; the rules of today are those of the files here.
    """
    settings = settings_from(**flags)
    today, candidate = _both(settings.config, file)
    sources = {
        **today.shut,
        **today.sources,
        SCHEDULE: schedule_source(),
        DOORBELL: notices_source(),
    }
    compared = Backtest(pairs=pairs_of(*_differing(today, candidate, file)), sources=sources)
    start = since or moment(SINCE, datetime.now(UTC))
    found = asyncio.run(_tried(compared, Events(source=source, since=start, limit=limit), flags))
    if as_json:
        print_json(_report(compared, found))
    else:
        _print(compared, found)
    if any(shift.change is not Change.SAME for shift in found.shifts):
        raise SystemExit(CHANGED)


def _both(directory: Path, file: Path) -> tuple[Configuration, Configuration]:
    """Today's configuration, and the same with the candidate in its place. Raises `ConfigurationError`."""
    files = files_of(directory)
    name = f"rules/{file.name}"
    if (directory / name).resolve() == file.resolve():
        raise OperatorError(
            f"{str(file)!r} is in force already: try a changed copy of it from another directory"
        )
    if file.suffix != ".yaml":
        raise OperatorError(f"expected a rule file *.yaml, got {str(file)!r}")
    told = environment(DOTENV)
    today = configured(files, told, read_secret_file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"can't read {str(file)!r}: {error}") from None
    apart = Files(root=files.root, texts={**_without_rules(files), name: text})
    candidate = configured(apart, told, read_secret_file)
    wrong = [mistake for mistake in candidate.mistakes if mistake.file == apart.named(name)]
    if wrong:
        raise ConfigurationError([replace(mistake, file=str(file)) for mistake in wrong])
    lost = set(candidate.documents[name].value or {}) - {rule.name for rule in candidate.rules}
    if lost:
        said = "what they run has a mistake: `doorbell check` names it"
        raise OperatorError(f"{', '.join(sorted(lost))} can't be asked: {said}")
    return today, candidate


def _without_rules(files: Files) -> dict[str, str]:
    return {name: text for name, text in files.texts.items() if not name.startswith("rules/")}


def _differing(
    today: Configuration, candidate: Configuration, file: Path
) -> tuple[list[Any], list[Any]]:
    """The rules that the candidate stands in for, and its own."""
    names = {word for rule in candidate.rules for word in (rule.name, rule.id)}
    replaced = [
        rule
        for rule in today.rules
        if Path(rule.file).name == file.name or rule.name in names or rule.id in names
    ]
    return replaced, list(candidate.rules)


async def _tried(backtest: Backtest, sought: Events, flags: dict[str, Any]) -> Found:
    found = Found(shifts=[])
    async with console_of(**flags) as asked:
        async for entry in _entries(asked, sought):
            event = _event(entry, backtest.sources.get(entry.source))
            if event is None:
                found.unread += 1
                continue
            found.asked += 1
            found.shifts += backtest.shifts(event)
    return found


async def _entries(asked: Console, sought: Events) -> AsyncIterator[Entry]:
    """Those entries with their bodies, that anybody but a person wrote and that stand."""
    for listed in (await asked.ask(sought))["events"]:
        if listed["state"] in STANDING and listed["source"] != OPERATOR:
            yield delivered(await asked.ask(Delivery(event=listed["id"])))


def _event(entry: Entry, source: Source | None) -> Event | None:
    if source is None:
        return None
    try:
        data = source.dialect.read(entry.headers, entry.body).data
        return event_of(entry, data, author_in(source.dialect, data))
    except SenderError:
        return None


def _report(backtest: Backtest, found: Found) -> dict[str, Any]:
    return {
        "changed": any(shift.change is not Change.SAME for shift in found.shifts),
        "events": found.asked,
        "unread": found.unread,
        "rules": [
            {"rule": pair.name, **_counts(pair.name, found.shifts)} for pair in backtest.pairs
        ],
        "changes": [_shown(one) for one in found.shifts if one.change is not Change.SAME],
    }


def _counts(name: str, shifts: Sequence[Shift]) -> dict[str, int]:
    counted = Counter(shift.change for shift in shifts if shift.rule == name)
    return {change.name.lower(): counted[change] for change in COUNTED}


def _shown(shift: Shift) -> dict[str, Any]:
    return {
        "rule": shift.rule,
        "change": shift.change.name.lower(),
        "event": shift.event.id,
        "type": f"{shift.event.source}/{shift.event.type}",
        "subject": shift.event.subject,
        "before": shift.before,
        "after": shift.after,
    }


def _print(backtest: Backtest, found: Found) -> None:
    rows = [
        (pair.name, *(str(count) for count in _counts(pair.name, found.shifts).values()))
        for pair in backtest.pairs
    ]
    console().print(table(("rule", *(change.value for change in COUNTED)), rows, whole={"rule"}))
    for pair in backtest.pairs:
        for change in COUNTED[:-1]:
            _print_examples([s for s in found.shifts if (s.rule, s.change) == (pair.name, change)])
    unread = f", {found.unread} can't be read today" if found.unread else ""
    click.echo(f"{found.asked} events asked{unread}; nothing was started")
    click.echo("not judged: limits, dedupe, loops, and what was learned of our own actors")


def _print_examples(shifts: Sequence[Shift]) -> None:
    for shift in shifts[:EXAMPLES]:
        event = shift.event
        what = f"{event.source}/{event.type} {event.subject or ''}".rstrip()
        click.echo(plain(f"{shift.rule}: {shift.change}: {event.id} {what}"))
        click.echo(plain(f"    today: {shift.before}"))
        click.echo(plain(f"    then:  {shift.after}"))
    if len(shifts) > EXAMPLES:
        click.echo(f"    and {len(shifts) - EXAMPLES} more")
