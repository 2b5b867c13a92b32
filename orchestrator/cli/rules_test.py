"""`doorbell rules test`: asks rules of the events in their own tests, offline; it reads files and opens no store."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from orchestrator import views
from orchestrator.cli.options import DOTENV, config_option, json_option, print_json, settings_from
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.errors import OperatorError
from orchestrator.rehearsal.fixtures import fixture_in
from orchestrator.rehearsal.testing import Around, Verdict, judged
from orchestrator.rules.load import closest
from orchestrator.rules.rule import Finding
from orchestrator.settings import environment
from orchestrator.sources.notices import notices_source
from orchestrator.sources.schedule import schedule_source
from orchestrator.sources.source import DOORBELL, SCHEDULE
from orchestrator.stores import read_secret_file
from orchestrator.tell import plain, value

FAILED, BROKEN = 1, 2
WIDEST = 200


@click.command("test")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@config_option
@json_option
def test(*, names: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Run the tests that rules carry, offline: exit 1 when one fails, 2 when a file is broken.

    A fixture needs no signature; where one came along and the source's secret is set, it must fit.
    """
    directory = settings_from(config=config).config
    configuration = load(directory, environment(DOTENV), read_secret_file)
    verdicts = verdicts_of(configuration, directory, datetime.now(UTC), names)
    if as_json:
        print_json(report(configuration, verdicts))
    else:
        _print(configuration, verdicts)
    broken = configuration.mistakes or any(verdict.broken for verdict in verdicts)
    if broken or not all(verdict.passed for verdict in verdicts):
        raise SystemExit(BROKEN if broken else FAILED)


def verdicts_of(
    configuration: Configuration, directory: Path, now: datetime, names: Sequence[str] = ()
) -> list[Verdict]:
    """What comes of the tests of these rules, or of all. Raises `OperatorError` for a name that is none."""
    known = {rule.name: rule for rule in configuration.rules}
    for name in names:
        # A rule with a mistake isn't among the rules; the mistake itself is told.
        if name not in known and not configuration.mistakes:
            raise OperatorError(f"unknown rule {name!r}{closest(name, known)}")
    around = Around(
        rules=configuration.rules,
        sources={
            **configuration.shut,
            **configuration.sources,
            SCHEDULE: schedule_source(),
            DOORBELL: notices_source(),
        },
        fixture=partial(fixture_in, directory),
        now=now,
    )
    return [
        judged(rule, example, around)
        for rule in configuration.rules
        if not names or rule.name in names
        for example in rule.tests
    ]


def report(configuration: Configuration, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "ok": not configuration.mistakes and all(verdict.passed for verdict in verdicts),
        "mistakes": [str(mistake) for mistake in configuration.mistakes],
        "tests": [_shown(verdict) for verdict in verdicts],
        "untested": [rule.name for rule in configuration.rules if not rule.tests],
    }


def complaint_of(verdict: Verdict) -> str:
    """What is wrong with it, in one line."""
    if verdict.broken is not None:
        return verdict.broken
    said = "; ".join(_difference(one.what, one.expected, one.actual) for one in verdict.differences)
    return f"{verdict.example.event}: {said}"


def _shown(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule,
        "event": verdict.example.event,
        "file": verdict.file,
        "line": verdict.example.line,
        "column": verdict.example.column,
        "passed": verdict.passed,
        "broken": verdict.broken,
        "reason": verdict.reason,
        "signature": None if verdict.proof is None else verdict.proof.value,
        "differences": [
            {"what": one.what, "expected": one.expected, "actual": one.actual}
            for one in verdict.differences
        ],
        "trace": [views.finding(finding) for finding in verdict.trace],
    }


def _print(configuration: Configuration, verdicts: Sequence[Verdict]) -> None:
    for mistake in configuration.mistakes:
        click.echo(f"mistake {mistake}", err=True)
    for verdict in verdicts:
        for line in _lines(verdict):
            click.echo(plain(line))
    failed = sum(not verdict.passed and not verdict.broken for verdict in verdicts)
    broken = sum(verdict.broken is not None for verdict in verdicts)
    untested = sum(not rule.tests for rule in configuration.rules)
    passed = len(verdicts) - failed - broken
    click.echo(
        f"{passed} passed, {failed} failed, {broken} broken; rules without a test: {untested}"
    )
    click.echo("not judged: limits, dedupe, loops, and what was learned of our own actors")
    proofs = Counter(verdict.proof for verdict in verdicts if verdict.proof is not None)
    if proofs:
        said = ", ".join(f"{count} {proof}" for proof, count in sorted(proofs.items()))
        click.echo(f"signatures aren't needed here: {said}")


def _lines(verdict: Verdict) -> Iterator[str]:
    where = f"{verdict.rule}  {verdict.example.event}"
    if verdict.passed:
        yield f"ok    {where}  {verdict.reason}"
        return
    place = f"{verdict.file}:{verdict.example.line}:{verdict.example.column}"
    if verdict.broken is not None:
        yield f"BROKEN {where}  {place}: {verdict.broken}"
        return
    yield f"FAIL  {where}  {place}"
    for one in verdict.differences:
        yield f"      {_difference(one.what, one.expected, one.actual)}"
    for finding in verdict.trace:
        yield f"      {_finding(finding)}"


def _difference(what: str, expected: Any, actual: Any) -> str:
    return f"{what}: expected {value(expected, WIDEST)}, got {value(actual, WIDEST)}"


def _finding(finding: Finding) -> str:
    mark = "✓" if finding.held else "✗"
    asked = f"{finding.path} {finding.operator} {value(finding.expected)}"
    return f"{mark} {asked}   came: {value(finding.actual)}"
