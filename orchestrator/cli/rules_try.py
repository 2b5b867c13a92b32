"""`doorbell rules try FILE`: a candidate rule file against the events that were kept; it writes and starts nothing."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from orchestrator.configuration.rates import second_backstops
from orchestrator.console.lines import delivered
from orchestrator.console.questions import MOST, Console, Delivery, Events
from orchestrator.errors import ConfigurationError, Mistake, OperatorError, SenderError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, EntryState, event_of
from orchestrator.rehearsal.backtest import Backtest, Change, Shift, backtest_of, said
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
STANDING: Final = frozenset({EntryState.RECEIVED, EntryState.DECIDED})
NONE: Final[Mapping[Change, int]] = dict.fromkeys(Change, 0)

Shown = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Found:
    """What asking all events gave: how often each rule changed how, and those changes, as far as they are `shown`.

    Of each rule and change no more than `most` are shown, None is all. `unread` events their source can't read today;
    `cut` says that there are older ones, which nobody asked.
    """

    most: int | None
    counted: defaultdict[str, Counter[Change]] = field(default_factory=lambda: defaultdict(Counter))
    shown: list[Shown] = field(default_factory=list)
    asked: int = 0
    unread: int = 0
    cut: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything would be otherwise."""
        return any(counted.total() > counted[Change.SAME] for counted in self.counted.values())

    def counts(self, rule: str) -> Mapping[Change, int]:
        """How often each change is one of this rule."""
        return {**NONE, **self.counted[rule]}

    def note(self, shifts: Iterable[Shift], event: Event) -> None:
        """Count what becomes of an event."""
        self.asked += 1
        for shift in shifts:
            counted = self.counted[shift.rule]
            counted[shift.change] += 1
            if shift.change is not Change.SAME and (
                self.most is None or counted[shift.change] <= self.most
            ):
                self.shown.append(_shown(shift, event))


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
    compared = backtest_of(today.rules, candidate.rules, file.name, sources)
    _one_backstop(compared, candidate, file)
    start = since or moment(SINCE, datetime.now(UTC))
    sought = Events(source=source, since=start, limit=limit, decisions=False)
    found = Found(most=None if as_json else EXAMPLES)
    asyncio.run(_try(compared, sought, found, flags))
    if as_json:
        print_json(_report(compared, found))
    else:
        _print(compared, found)
    if found.changed:
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
        raise _broken(wrong, file)
    lost = set(candidate.documents[name].value or {}) - {rule.name for rule in candidate.rules}
    if lost:
        said = "what they run has a mistake: `doorbell check` names it"
        raise OperatorError(f"{', '.join(sorted(lost))} can't be asked: {said}")
    return today, candidate


def _without_rules(files: Files) -> dict[str, str]:
    return {name: text for name, text in files.texts.items() if not name.startswith("rules/")}


def _one_backstop(compared: Backtest, candidate: Configuration, file: Path) -> None:
    """Raises `ConfigurationError` where the candidate's backstop would stand beside another."""
    document = candidate.documents[f"rules/{file.name}"]
    wrong = [document.mistake(flaw) for _, flaw in second_backstops(compared.candidate)]
    if wrong:
        raise _broken(wrong, file)


def _broken(mistakes: Sequence[Mistake], file: Path) -> ConfigurationError:
    return ConfigurationError([replace(mistake, file=str(file)) for mistake in mistakes])


async def _try(backtest: Backtest, sought: Events, found: Found, flags: dict[str, Any]) -> None:
    async with console_of(**flags) as asked:
        async for entry in _entries(asked, sought, found):
            event = _event(entry, backtest.sources.get(entry.source))
            if event is None:
                found.unread += 1
            else:
                found.note(backtest.shifts(event), event)


async def _entries(asked: Console, sought: Events, found: Found) -> AsyncIterator[Entry]:
    """Those entries with their bodies, page by page, that anybody but a person wrote and that stand."""
    left, before = sought.limit, None
    while left:
        page = await asked.ask(replace(sought, before=before, limit=min(left, MOST)))
        for listed in page["events"]:
            if listed["state"] in STANDING and listed["source"] != OPERATOR:
                yield delivered(await asked.ask(Delivery(event=listed["id"])))
        left, before = left - len(page["events"]), page["next"]
        if before is None:
            return
    found.cut = True


def _event(entry: Entry, source: Source | None) -> Event | None:
    if source is None:
        return None
    try:
        data = source.dialect.read(entry.headers, entry.body).data
        return event_of(entry, data, author_in(source.dialect, data))
    except SenderError:
        return None


def _report(backtest: Backtest, found: Found) -> Shown:
    return {
        "changed": found.changed,
        "events": found.asked,
        "unread": found.unread,
        "cut": found.cut,
        "rules": [_counted(pair.name, found) for pair in backtest.pairs],
        "changes": found.shown,
    }


def _counted(rule: str, found: Found) -> Shown:
    counts = found.counts(rule)
    return {"rule": rule, **{change.name.lower(): counts[change] for change in Change}}


def _shown(shift: Shift, event: Event) -> Shown:
    return {
        "rule": shift.rule,
        "change": shift.change.name.lower(),
        "event": event.id,
        "type": f"{event.source}/{event.type}",
        "subject": event.subject,
        "before": said(shift.before),
        "after": said(shift.after),
    }


def _print(backtest: Backtest, found: Found) -> None:
    rows = [
        (pair.name, *(str(count) for count in found.counts(pair.name).values()))
        for pair in backtest.pairs
    ]
    console().print(table(("rule", *Change), rows, whole={"rule"}))
    shown = defaultdict[tuple[str, str], list[Shown]](list)
    for one in found.shown:
        shown[one["rule"], one["change"]].append(one)
    for pair in backtest.pairs:
        for change, count in found.counts(pair.name).items():
            _print_examples(change, shown[pair.name, change.name.lower()], count)
    unread = f", {found.unread} can't be read today" if found.unread else ""
    click.echo(f"{found.asked} events asked{unread}; nothing was started")
    if found.cut:
        click.echo("there are older ones, which weren't asked: --limit says how many are")
    click.echo("not judged: limits, dedupe, loops, and what was learned of our own actors")


def _print_examples(change: Change, shown: Sequence[Shown], count: int) -> None:
    for one in shown:
        what = f"{one['type']} {one['subject'] or ''}".rstrip()
        click.echo(plain(f"{one['rule']}: {change}: {one['event']} {what}"))
        click.echo(plain(f"    today: {one['before']}"))
        click.echo(plain(f"    then:  {one['after']}"))
    if shown and count > len(shown):
        click.echo(f"    and {count - len(shown)} more")
