"""H3: a server that floods or lies is a result in words, bounded in time and memory, and harms no other."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.hands.convert import LIMIT
from orchestrator.agent.hands.definitions import Answered, HandsUnreachable, Lost
from orchestrator.agent.hands.heard import MAX_PROGRESS
from orchestrator.servers import HttpServer, StdioServer
from tests.support.asgi import serving
from tests.support.lab import SUPPORT, ask, dead, log, old, pids, reaching, text, until

__all__ = ["log", "old"]  # fixtures, by being here

MEGABYTES = 1_000_000


@pytest.fixture
def liar(log):
    def lies(how: str) -> StdioServer:
        return StdioServer(
            name="liar", command=(sys.executable, str(SUPPORT / "lying_server.py"), str(log), how)
        )

    return lies


def memory() -> int:
    """Bytes of ours in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@asynccontextmanager
async def bounded(seconds: float, megabytes: int):
    """Neither longer, nor more memory, nor an event loop that others can't use."""
    before, ticks = memory(), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.02)
            ticks += 1

    ticking = asyncio.create_task(tick())
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        took = asyncio.get_running_loop().time() - began
        ticking.cancel()
    assert memory() - before < megabytes * MEGABYTES
    assert ticks + 5 > took  # a second is fifty of them; a loaded machine gets one


# Answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("line", Lost, "it sent a message larger than 16 MiB"),
        ("endless", Lost, "it sent a message larger than 16 MiB"),
        ("deep", Lost, "no answer within"),
        ("others", Lost, "no answer within"),
        ("closed", Lost, "Connection closed"),
        ("digits", Lost, "no answer within"),
        ("twice", Answered, "seen"),
        ("words", Answered, "refused the call: eeee"),
        ("shapes", Answered, "not a tool result"),
        ("pieces", Lost, "it sent a message of more than 50000 parts"),
    ],
)
async def test_h3_whatever_a_server_answers_is_a_result_in_words(liar, how, kind, words):
    # Only those that never come to an end are waited for to the end.
    deadline = 3 if words == "no answer within" else 10
    async with reaching(liar(how)) as hands:
        await hands.discover("liar")
        async with bounded(40, 400):
            outcome = await ask(hands, "liar", "look", deadline=deadline)

    assert isinstance(outcome, kind), outcome
    said = text(outcome) if isinstance(outcome, Answered) else outcome.reason
    assert words in said
    assert len(said) < LIMIT + 1_000


async def test_h3_progress_without_end_is_lost_at_its_deadline_and_told_in_lines(liar):
    heard = []
    async with reaching(liar("progress")) as hands:
        await hands.discover("liar")
        async with bounded(40, 100):
            outcome = await hands.call(
                "liar", "look", {}, deadline=1.0, key="k", progress=heard.append
            )
        assert isinstance(outcome, Lost)
        assert heard
        assert max(map(len, heard)) < MAX_PROGRESS + 20


async def test_h3_one_server_that_floods_does_not_keep_another_from_answering(liar, old):
    async with reaching(liar("noise"), old) as hands:
        await hands.discover("liar")
        async with bounded(40, 100):
            for _ in range(20):
                assert text(await ask(hands, "old", "hello", deadline=5)) == "good day"


async def test_h3_what_floods_stderr_fills_no_disk(liar, tmp_path):
    kept = tmp_path / "stderr"
    kept.mkdir()
    async with reaching(liar("stderr"), stderr=kept) as hands:
        for _ in range(2):
            assert text(await ask(hands, "liar", "look")) == "seen"
        await until((kept / "liar.log.1").exists)
    assert sum(file.stat().st_size for file in kept.iterdir()) < 20 * MEGABYTES


# Lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("pages", "expected at most 200 pages, got 201 and more to come"),
        ("many", "expected at most 2000 tools, got 2500 and more to come"),
        ("heavy", "bytes of definitions"),
        ("nonsense", "could not list its tools"),
        ("version", "could not connect"),
    ],
)
async def test_h3_a_list_without_end_or_sense_is_refused_in_words(liar, how, words):
    async with reaching(liar(how)) as hands, bounded(40, 400):
        with pytest.raises(HandsUnreachable) as unreachable:
            await hands.discover("liar")
    assert words in str(unreachable.value)
    assert len(str(unreachable.value)) < 3_000


async def test_h3_names_of_any_size_and_sign_are_listed_as_they_are(liar):
    async with reaching(liar("names")) as hands, bounded(40, 200):
        found = await hands.discover("liar")
    assert [len(tool.name) for tool in found.tools[:2]] == [1_000_000, 7]


async def test_h3_a_liar_is_ended_with_its_connection(liar, log):
    async with reaching(liar("noise")) as hands:
        await hands.discover("liar")
    await until(lambda: dead(pids(log)[0]))


# HTTP ------------------------------------------------------------------------------------------


class Flood:
    """An MCP server over HTTP whose answer to a call never ends, in the way that it is told."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        request = json.loads(body)
        if request["method"] == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            fresh = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": result | fresh}
            await self._begin(send, "application/json")
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
            return
        await self._begin(send, "text/event-stream" if "sse" in self.how else "application/json")
        pieces = {
            "json": b'"' + b"x" * 1_000_000,
            "drip": b" ",
            "sse event": b"data: " + b"x" * 1_000_000,
            "sse comments": b": still there\n\n" * 1_000,
        }
        while True:
            await send({"type": "http.response.body", "body": pieces[self.how], "more_body": True})
            await asyncio.sleep(0.1 if self.how == "drip" else 0)

    @staticmethod
    async def _begin(send: Any, media_type: str) -> None:
        headers = [(b"content-type", media_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("json", "its answer is larger than 16 MiB"),
        ("drip", "no answer within"),
        ("sse event", ""),
        ("sse comments", "no answer within"),
    ],
)
async def test_h3_an_http_answer_without_end_is_a_result_too(how, words):
    deadline = 3 if words == "no answer within" else 10
    async with (
        serving(Flood(how)) as url,
        reaching(HttpServer(name="api", url=url)) as hands,
        bounded(40, 400),
    ):
        outcome = await ask(hands, "api", "x", deadline=deadline)
    assert isinstance(outcome, Lost), outcome
    assert words in outcome.reason
    assert len(outcome.reason) < 2_000
