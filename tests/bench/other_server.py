"""The door to the model before a Messages server not written here: `python -m tests.bench.other_server LLMOCK`.

LLMOCK is the program of that name from PyPI, in any environment. It prints what became of each question, and fails
where that is not what our own server leads one to expect.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from orchestrator.agent.model import Claude
from orchestrator.agent.reply import Rejected, Request, TooLong, Unavailable
from tests.support.ports import free_port

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TOOL = {"name": "lab__look", "description": "Look at a thing.", "input_schema": SCHEMA}
HELLO = {"role": "user", "content": [{"type": "text", "text": "Hello."}]}
PLAIN = Request(
    model="claude-sonnet-5-5",
    max_tokens=500,
    system=[{"type": "text", "text": "You triage."}],
    tools=[],
    messages=[HELLO],
)
LONG = replace(
    PLAIN, messages=[{"role": "user", "content": [{"type": "text", "text": "word " * 20_000}]}]
)


@asynccontextmanager
async def llmock(program: str, *flags: str) -> AsyncIterator[Claude]:
    """A server with these flags, and a door to it."""
    port = free_port()
    command = [program, "serve", "--port", str(port), *flags]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: ASYNC220 - a bench
    model = Claude("a-key", f"http://127.0.0.1:{port}/anthropic")
    try:
        await _listening(port)
        yield model
    finally:
        await model.close()
        process.kill()
        process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def became(model: Claude, request: Request) -> str:
    """What became of a question, in a word or two."""
    try:
        said = await model.say(request)
    except TooLong:
        return "too long"
    except Unavailable as error:
        return f"unavailable, begun={error.begun}, slowed={error.slowed}"
    except Rejected as error:
        return f"rejected: {error}"
    kinds = "+".join(str(block["type"]) for block in said.content)
    priced = said.usage.get("input_tokens", 0) > 0
    return f"{said.stop}: {kinds}, counted={priced}"


async def conversed(model: Claude) -> str:
    """A tool call, its result sent back with what was said, and the answer to that."""
    asks = replace(PLAIN, tools=[TOOL], messages=[HELLO])
    said = await model.say(asks)
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "seen"}
        for block in said.content
        if block["type"] == "tool_use"
    ]
    if not results:
        return f"{said.stop}: no call"
    told = [HELLO, {"role": "assistant", "content": said.content}]
    answered = [*told, {"role": "user", "content": results}]
    return f"{said.stop}, then {await became(model, replace(asks, messages=answered))}"


async def main(program: str) -> None:
    """Every question, each with what is expected of it."""
    wrong = 0
    async with llmock(program, "--context-window", "5000") as model:
        wrong += told("plain", await became(model, PLAIN), "end_turn: text, counted=True")
        wrong += told("a call and its result", await conversed(model), "tool_use, then ")
        wrong += told("too long", await became(model, LONG), "too long")
    async with llmock(program, "--rpm", "1") as model:
        await became(model, PLAIN)
        limited = "unavailable, begun=False, slowed=True"
        wrong += told("the second in a minute", await became(model, PLAIN), limited)
    for fault in ("disconnect", "truncate", "malformed"):
        async with llmock(program, "--stream-fault", f"{fault}=1") as model:
            lost = "unavailable, begun=True, slowed=False"
            wrong += told(f"a stream with {fault}", await became(model, PLAIN), lost)
    sys.exit(1 if wrong else 0)


def told(what: str, found: str, expected: str) -> bool:
    """Print it; whether it is something else than expected."""
    sound = found.startswith(expected)
    sys.stdout.write(f"{what:<26} {found}{'' if sound else f'   EXPECTED {expected}'}\n")
    return not sound


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        sys.stdout.write("not run: expected the program llmock as its argument\n")
