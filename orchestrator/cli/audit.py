"""`doorbell audit`: every call of a tool, who made it and how it ended, exported and proved; it changes nothing."""

import asyncio
import csv
import io
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.moments import ago
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.errors import OperatorError
from orchestrator.ledger import audit as kept
from orchestrator.ledger.audit import Chained, Proof
from orchestrator.tell import table, when

BROKEN: Final = 1
COLUMNS: Final = (
    "at",
    "who",
    "run",
    "rule",
    "tool",
    "effect",
    "arguments",
    "outcome",
    "took",
    "consent",
)
FIELDS: Final = (
    *("number", "at", "who", "run_id", "rule", "playbook", "event_id", "server", "tool", "effect"),
    *("arguments", "outcome", "is_error", "sent", "seconds", "approval", "person", "call_id"),
    "digest",
)
Row = dict[str, Any]


@click.command("audit")
@click.option("--since", metavar="WHEN", callback=ago, help="Such as 7d, or a date [all].")
@click.option("--server", metavar="NAME", help="Only the calls of this server.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@click.option("--verify", is_flag=True, help="Prove the whole chain; 1 where a line was changed.")
@click.option(
    "--file",
    "exported",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --verify: an export by --json instead of the ledger.",
)
@local
def audit(
    *,
    since: datetime | None,
    server: str | None,
    as_csv: bool,
    verify: bool,
    exported: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Show the calls that were made: who, by which rule, what with, and how they ended."""
    if verify and (since or server):
        raise click.UsageError("--verify proves the whole chain: leave out --since and --server")
    if exported is not None and not verify:
        raise click.UsageError("--file means nothing without --verify")
    if verify:
        # An export may begin anywhere; the ledger begins at the beginning.
        found = _ledgers(flags) if exported is None else kept.proved(_read(exported), None)
        _tell(found, as_json=as_json)
        return
    chain = _lines(flags, since, server)
    if as_json:
        print_json([_row(one) for one in chain])
    elif as_csv:
        click.echo(_csv(chain), nl=False)
    else:
        console().print(table(COLUMNS, [_cells(_row(one)) for one in chain], whole=("run",)))


def _lines(flags: dict[str, Any], since: datetime | None, server: str | None) -> list[Chained]:
    _, stores = stores_of(settings_from(**flags))
    try:
        at = None if since is None else since.timestamp()
        return asyncio.run(stores.ledger.read(kept.lines, at, server))
    finally:
        stores.close()


def _row(one: Chained) -> Row:
    return {"number": one.number, **one.line, "digest": one.digest}


def _read(exported: Path) -> list[Chained]:
    try:
        return [_chained(dict(row)) for row in json.loads(exported.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        said = f"expected what `doorbell audit --json` printed in {str(exported)!r}, got other text"
        raise OperatorError(f"{said}: {error}") from None


def _chained(row: Row) -> Chained:
    number, digest = int(row.pop("number")), str(row.pop("digest"))
    return Chained(number=number, text=kept.text_of(row), digest=digest)


def _ledgers(flags: dict[str, Any]) -> Proof:
    _, stores = stores_of(settings_from(**flags))
    try:
        return asyncio.run(stores.ledger.read(kept.proof))
    finally:
        stores.close()


def _tell(found: Proof, *, as_json: bool) -> None:
    last, forgotten = found.last, 0 if found.head is None else found.head.number
    if as_json:
        told = {"ok": not found.broken, "lines": found.lines, "broken": found.broken}
        told |= {"last": last and last.number, "digest": last and last.digest}
        print_json(told | {"forgotten": forgotten, "head": found.head and found.head.digest})
    else:
        for words in found.broken:
            click.echo(words, err=True)
        end = "" if last is None else f"; line {last.number} has the digest {last.digest}"
        click.echo(f"{found.lines} lines, {len(found.broken) or 'none'} of them broken{end}")
        if found.head and forgotten:
            click.echo(
                f"it begins at line {forgotten + 1}: those before were forgotten for their age; "
                f"line {forgotten} had the digest {found.head.digest}"
            )
    if found.broken:
        sys.exit(BROKEN)


def _csv(chain: Sequence[Chained]) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(FIELDS)
    for row in map(_row, chain):
        rows.writerow([_cell(_shown(name, row[name])) for name in FIELDS])
    return out.getvalue()


def _shown(name: str, value: Any) -> Any:
    return _iso(value) if name == "at" else value


def _cell(value: Any) -> Any:
    # A spreadsheet would calculate what a stranger calls himself.
    risky = isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return f"'{value}" if risky else value


def _cells(row: Row) -> tuple[str, ...]:
    took = row["seconds"]
    return (
        when(_iso(row["at"])),
        row["who"] or "-",
        row["run_id"] or "-",
        row["rule"] or "-",
        f"{row['server']}.{row['tool']}",
        row["effect"],
        row["arguments"][:12],
        row["outcome"],
        "not sent" if not row["sent"] else f"{took:.1f} s",
        row["person"] or "-",
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat()
