"""`doorbell runs log`: a run to read as a conversation; it reads the ledger and says nothing to the run."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from orchestrator.cli.naming import run_named
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.ledger import transcript
from orchestrator.ledger.transcript import Voice
from orchestrator.tell import plain, value, when
from workflows.messages import CallState, RunState

LOOK: Final = 0.5
CUT: Final = 1_500
"""Characters of one text that are shown, unless all is asked for."""

ARGUMENTS: Final = 400
COLOURS: Final = {
    Voice.TOLD: "cyan",
    Voice.SAID: "bold",
    Voice.CALLED: "magenta",
    Voice.WAITED: "blue",
    Voice.ANSWERED: "dim",
    Voice.STANDS: "green",
}

Shown = dict[str, Any]
Tell = Callable[[Sequence[Shown]], None]


@click.command("log")
@local
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on telling until the run ends.")
@click.option("--whole", is_flag=True, help="Cut nothing.")
def log(*, as_json: bool, run: str, follow: bool, whole: bool, **flags: Any) -> None:
    """A run as a conversation: what it was told, what it said, called, heard back, and waits for.

    With --json and --follow every line is a document of its own.
    """
    out = console()

    def tell(lines: Sequence[Shown]) -> None:
        if as_json and follow:
            for line in lines:
                click.echo(json.dumps(line, ensure_ascii=False))
        elif as_json:
            print_json(lines)
        else:
            _print(out, lines, whole=whole)

    asyncio.run(_told(run, tell, flags, follow=follow))


async def _told(run: str, tell: Tell, flags: dict[str, Any], *, follow: bool) -> None:
    _, stores = stores_of(settings_from(**flags))
    told: set[str] = set()
    try:
        run_id = (await run_named(stores, run)).run_id
        while True:
            lines = await stores.ledger.read(transcript.shown, run_id)
            if fresh := [line for line in lines if line["name"] not in told]:
                tell(fresh)
            told |= {line["name"] for line in fresh}
            if not follow or lines[-1]["state"] == RunState.ENDED:
                return
            await asyncio.sleep(LOOK)
    finally:
        stores.close()


def _print(out: Console, lines: Sequence[Shown], *, whole: bool) -> None:
    for line in lines:
        most = None if whole else CUT
        head, *rest = _words(line, most)
        style = COLOURS[Voice(line["voice"])]
        out.print(Text(plain(head), style=style), soft_wrap=True)
        for text in rest:
            out.print(Text(f"    {plain(text)}", style=style), soft_wrap=True)


def _words(line: Shown, most: int | None) -> Iterator[str]:
    match Voice(line["voice"]):
        case Voice.TOLD:
            yield _head(line, f"told: event {line['event']}" if line["event"] else "told")
            yield from _cut(line["text"], most)
        case Voice.SAID:
            yield _head(line, f"the model said ({line['stop']}{_cost(line)})")
            yield from _cut(line["text"], most)
        case Voice.CALLED:
            given = value(line["arguments"], ARGUMENTS if most else 10**9)
            yield _head(line, f"called {_tool(line)} {given}")
        case Voice.WAITED:
            wanted = " or ".join(line["events"])
            yield _head(line, f"waits for {wanted} of {line['key']}, until {when(line['until'])}")
        case Voice.ANSWERED:
            yield _head(line, f"{_tool(line)}: {line['state']}{_size(line)}")
            yield from _cut("\n".join(_texts(line["content"])), most)
        case Voice.STANDS:
            ended = f": {line['outcome']}" if line["outcome"] else ""
            yield _head(line, f"{line['state']}{ended} {line['reason']}".rstrip())


def _head(line: Shown, what: str) -> str:
    place = f"turn {line['turn']}" if line["turn"] else _applied(line)
    at = f"  {when(line['at'])}" if line["at"] else ""
    return f"{place}{at}  {what}".lstrip()


def _applied(line: Shown) -> str:
    return "" if line["voice"] == Voice.STANDS else "applied"


def _tool(line: Shown) -> str:
    return f"{line['server']}.{line['tool']}" if line["server"] else str(line["tool"])


def _size(line: Shown) -> str:
    tried = f", attempt {line['attempts']}" if line["attempts"] > 1 else ""
    if line["artifact"] is None or line["state"] not in {CallState.DONE, CallState.FAILED}:
        return tried
    return f"{tried}, {line['size']} bytes, artifact {line['artifact'][:12]}"


def _cost(line: Shown) -> str:
    attempts = line["attempts"]
    if not attempts:
        return ""
    known = [one["usd"] for one in attempts if one["usd"] is not None]
    price = f"USD {sum(known):.4f}" if len(known) == len(attempts) else "price unknown"
    read = sum(one["input_tokens"] for one in attempts)
    cached = sum(one["cached_tokens"] for one in attempts)
    written = sum(one["output_tokens"] for one in attempts)
    more = f", {len(attempts)} attempts" if len(attempts) > 1 else ""
    thought = ", thinking left out" if line["thoughts"] else ""
    return f", {price}, {read} in, {cached} cached, {written} out{more}{thought}"


def _texts(content: Sequence[Shown]) -> Iterator[str]:
    for block in content:
        yield str(block["text"]) if block["type"] == "text" else f"[{block['type']}]"


def _cut(text: str, most: int | None) -> list[str]:
    if most is None or len(text) <= most:
        return text.splitlines()
    left = len(text) - most
    return [*text[:most].splitlines(), f"… {left} more characters: --whole"]
