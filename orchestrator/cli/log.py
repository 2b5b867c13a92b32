"""`doorbell runs log`: a run to read as a conversation; it reads the ledger and says nothing to the run."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, print_json
from orchestrator.console.questions import Call, Log
from orchestrator.ledger.lines import Voice
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
    Voice.ASKED: "yellow",
    Voice.HEARD: "yellow",
    Voice.SETTLED: "yellow",
    Voice.NOTIFIED: "blue",
    Voice.CLEARED: "dim",
    Voice.QUARANTINED: "red",
    Voice.STANDS: "green",
}

OF_CALLS: Final = frozenset(
    {Voice.CALLED, Voice.WAITED, Voice.ANSWERED, Voice.ASKED, Voice.HEARD, Voice.SETTLED}
)
"""What stands at no turn only where somebody applied a proposal."""

Shown = dict[str, Any]
Tell = Callable[[Sequence[Shown]], None]


@click.command("log")
@anywhere
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on telling until the run ends.")
@click.option("--whole", is_flag=True, help="Cut nothing.")
@click.option("--call", "call_id", metavar="CALL", help="One tool call whole, such as 3.0.")
def log(
    *, as_json: bool, run: str, follow: bool, whole: bool, call_id: str | None, **flags: Any
) -> None:
    """A run as a conversation: what it was told, what it said, called, heard back, and waits for.

    With --json and --follow every line is a document of its own. With --call only that call: all that it was given,
    and all that its server answered.
    """
    out = console()
    if call_id is not None:
        if follow:
            raise click.UsageError("--call shows one call as it stands: leave --follow out")
        made = asyncio.run(_made(Call(run=run, call=call_id), flags))
        if as_json:
            print_json(made)
        else:
            _print_call(out, made)
        return

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
    told: set[str] = set()
    async with console_of(**flags) as asked:
        while True:
            lines = (await asked.ask(Log(run=run)))["lines"]
            if fresh := [line for line in lines if line["name"] not in told]:
                tell(fresh)
            told |= {line["name"] for line in fresh}
            if not follow or lines[-1]["state"] == RunState.ENDED:
                return
            await asyncio.sleep(LOOK)


async def _made(asked: Call, flags: dict[str, Any]) -> Shown:
    async with console_of(**flags) as console:
        return dict(await console.ask(asked))


def _print_call(out: Console, made: Shown) -> None:
    def line(text: str, style: str = "") -> None:
        out.print(Text(plain(text), style=style), soft_wrap=True)

    line(f"call {made['id']} of run {made['run']}: {_tool(made)}, {made['state']}", "magenta")
    for text in json.dumps(made["arguments"], ensure_ascii=False, indent=2).splitlines():
        line(text)
    gone = "" if made["is_whole"] else ", what the model was shown: the rest is stored no more"
    line(f"result: {made['media_type']}, {made['size']} bytes{gone}", "magenta")
    for text in (made["text"] or "").splitlines():
        line(text)


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
            # A rule with `call:` asks no model, so nothing was attempted for its turn.
            who = "model" if line["attempts"] else "rule"
            yield _head(line, f"the {who} said ({line['stop']}{_cost(line)})")
            yield from _cut(line["text"], most)
        case Voice.CALLED:
            given = value(line["arguments"], ARGUMENTS if most else 10**9)
            yield _head(line, f"called {_tool(line)} {given}")
        case Voice.WAITED:
            wanted = " or ".join(line["events"])
            of = f" of {line['key']}" if line["key"] else ""
            yield _head(line, f"waits for {wanted}{of}, until {when(line['until'])}")
        case Voice.ANSWERED:
            yield _head(line, f"{_tool(line)}: {line['state']}{_size(line)}")
            yield from _cut("\n".join(_texts(line["content"])), most)
        case Voice.STANDS:
            ended = f": {line['outcome']}" if line["outcome"] else ""
            yield _head(line, f"{line['state']}{ended} {line['reason']}".rstrip())
        case _:
            yield from _aside(line, most)


def _aside(line: Shown, most: int | None) -> Iterator[str]:
    """What happened beside the words: people, notices, what was cleared or put in quarantine."""
    match Voice(line["voice"]):
        case Voice.ASKED:
            yield _head(line, _asked(line))
            yield from _cut(_given(line), most)
        case Voice.HEARD:
            yield _head(
                line, f"{line['person']} said {line['word']} {line['code']}: {line['became']}"
            )
        case Voice.SETTLED:
            yield _head(line, _settled(line))
            yield from _cut("\n".join(_edits(line)), most)
        case Voice.NOTIFIED:
            yield _head(
                line, f"people are told ({line['type']}, event {line['event']}): {_became(line)}"
            )
        case Voice.CLEARED:
            yield _head(
                line, f"results up to turn {line['through']} are shown to the model no more"
            )
        case Voice.QUARANTINED:
            yield _head(line, f"quarantine: {line['server']}.{line['tool']}")
            yield from _cut(line["text"], most)
        case _:
            yield _head(line, str(line["voice"]))


def _asked(line: Shown) -> str:
    what = f"consent to {line['tool']}" if line["tool"] else "an answer"
    return f"asks {' or '.join(line['by'])} for {what}, code {line['code']}, until {when(line['until'])}"


def _given(line: Shown) -> str:
    if line["tool"] is None:
        return str(line["arguments"].get("question", ""))
    return json.dumps(line["arguments"], ensure_ascii=False)


def _settled(line: Shown) -> str:
    by = f" by {line['person']}" if line["person"] else ""
    why = f": {line['why']}" if line["why"] else ""
    changed = ", changed" if line["edited"] else ""
    return f"{line['standing']}{by}{changed} (code {line['code']}){why}"


def _edits(line: Shown) -> Iterator[str]:
    for name, edit in line["edited"].items():
        yield f"{name}: {value(edit['asked'], ARGUMENTS)} -> {value(edit['made'], ARGUMENTS)}"


def _became(line: Shown) -> str:
    if line["became"] is None:
        return "nothing is known of it yet"
    return f"FAILED: {line['became']}" if line["failed"] else str(line["became"])


def _head(line: Shown, what: str) -> str:
    place = f"turn {line['turn']}" if line["turn"] else _applied(line)
    at = f"  {when(line['at'])}" if line["at"] else ""
    return f"{place}{at}  {what}".lstrip()


def _applied(line: Shown) -> str:
    return "applied" if line["voice"] in OF_CALLS else ""


def _tool(line: Shown) -> str:
    return f"{line['server']}.{line['tool']}" if line["server"] else str(line["tool"])


def _size(line: Shown) -> str:
    tried = f", attempt {line['attempts']}" if line["attempts"] > 1 else ""
    if line["artifact"] is None or line["state"] not in {CallState.DONE, CallState.FAILED}:
        return tried
    return (
        f"{tried}, {line['size']} bytes, artifact {line['artifact'][:12]} (--call {line['call']})"
    )


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
