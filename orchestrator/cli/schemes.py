"""`doorbell schemes`: the senders known by name, what each one's signature proves, and what vouches for it here."""

from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from orchestrator.cli.options import console, json_option, print_json
from orchestrator.errors import OperatorError
from orchestrator.rules.load import closest
from orchestrator.signatures.token import TokenScheme
from orchestrator.signatures.unsigned import UnsignedScheme
from orchestrator.sources.preset import Preset
from orchestrator.sources.presets import PRESETS

COLUMNS = ("scheme", "sender", "body", "id", "URL", "clock", "equal bytes", "proven")


@click.command("schemes")
@click.argument("name", required=False)
@json_option
def schemes(*, name: str | None, as_json: bool) -> None:
    """List the senders known by name, or tell everything about NAME."""
    if name is not None and name not in PRESETS:
        raise OperatorError(f"unknown scheme {name!r}{closest(name, PRESETS)}")
    told = [told_of(known, preset) for known, preset in PRESETS.items() if name in {None, known}]
    if as_json:
        print_json(told if name is None else told[0])
    elif name is None:
        console().print(_table(told))
    else:
        click.echo(_page(told[0]))


def told_of(name: str, preset: Preset) -> dict[str, Any]:
    """What `--json` prints of one sender."""
    proves = preset.scheme.proves
    return {
        "scheme": name,
        "sender": preset.title,
        "proves": {
            "body": proves.body,
            "id": preset.scheme.signs_id,
            "url": proves.url,
            "clock": proves.clock,
        },
        "equal_bytes": "duplicate" if preset.dedupe_body else "kept",
        "handshake": preset.handshake,
        "batch": preset.batch is not None,
        "secrets": preset.secret,
        "needs": list(preset.needs),
        "may_have": [option for option in preset.allows if option not in preset.needs],
        "keys": [] if preset.dialect is None else list(preset.dialect.publishes),
        "max_body": preset.max_body,
        "replay": replay(preset),
        "proven": preset.proven,
        "by": preset.by,
        "docs": preset.docs,
    }


def replay(preset: Preset) -> str:
    """What keeps an overheard delivery from acting twice."""
    if isinstance(preset.scheme, TokenScheme):
        return "nothing: who overhears the token can say anything"
    if isinstance(preset.scheme, UnsignedScheme):
        return "nothing: whoever is on this machine can say anything"
    clock = ["the signed clock"] if preset.scheme.proves.clock else []
    id_ = ["the signed id"] if preset.scheme.signs_id else []
    body = ["the hash of the body"] if preset.dedupe_body else []
    return ", ".join([*clock, *id_, *body]) or "nothing"


def _table(told: list[dict[str, Any]]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in told:
        proves = row["proves"]
        table.add_row(
            row["scheme"],
            escape(row["sender"]),
            *(_mark(told=proves[what]) for what in ("body", "id", "url", "clock")),
            row["equal_bytes"],
            row["proven"],
        )
    return table


def _mark(*, told: bool) -> str:
    return "signed" if told else "-"


def _page(row: dict[str, Any]) -> str:
    proves = ", ".join(what for what, yes in row["proves"].items() if yes) or "nothing"
    lines = [
        f"{row['scheme']}: {row['sender']}",
        f"  signs      {proves}",
        f"  replay     held by {row['replay']}",
        f"  handshake  {row['handshake'] or 'none'}{', batches are split' if row['batch'] else ''}",
        f"  keys       {', '.join(row['keys']) or 'as the source declares'}",
        f"  proven     {row['proven']}{': ' + row['by'] if row['by'] else ''}",
        f"  see        {row['docs']}",
        "",
        f"{row['scheme']}:",
        f"  scheme: {row['scheme']}",
    ]
    secrets = row["secrets"]
    if secrets is not None:
        variable = row["scheme"].upper().replace("-", "_")
        lines.append(f"  secrets: [env:{variable}_WEBHOOK_SECRET]   # {secrets}")
    lines += [f"  {option}: …" for option in row["needs"]]
    lines += [f"  # {option}: …" for option in row["may_have"]]
    return "\n".join(lines)
