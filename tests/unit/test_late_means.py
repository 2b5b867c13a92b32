"""A1: a worker polls before its vendors are imported; whoever needs one waits for it, and it is made once."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from orchestrator.agent import late
from orchestrator.agent.late import Late, LateHands, LateModel
from orchestrator.agent.model import Claude
from orchestrator.agent.reply import Rejected, Request
from orchestrator.agent.text.redacting import nothing
from orchestrator.servers import StdioServer

VENDORS = ("anthropic", "mcp", "granian", "litestar", "uvicorn")
ASKED = Request(model="m", max_tokens=1, system=[], tools=[], messages=[])
LAB = {"lab": StdioServer(name="lab", command=("true",))}


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def hands_of(directory, thread):
    return LateHands({}, environment={}, stderr=directory, thread=thread)


@pytest.mark.parametrize("module", ["orchestrator.worker", "orchestrator.cli.work"])
def test_a1_a_worker_that_starts_imports_no_vendor_that_its_first_poll_does_not_need(module):
    asked = f"import sys, {module}; print([name for name in {VENDORS!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


async def test_many_who_ask_at_once_get_the_same_one(thread):
    made = []
    it = Late("orchestrator.agent.model:Claude", lambda kind: made.append(kind) or made, thread)

    found = await asyncio.gather(it.arrived(), it.arrived(), it.arrived())
    assert found == [made] * 3
    assert made == [Claude]
    assert it.here is made


async def test_s2_one_who_is_cancelled_takes_it_from_nobody(thread):
    gate = threading.Event()
    thread.submit(gate.wait)
    it = Late("orchestrator.agent.model:Claude", lambda kind: kind, thread)
    first, second = asyncio.create_task(it.arrived()), asyncio.create_task(it.arrived())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert it.here is None
    gate.set()

    assert await second is Claude
    assert first.cancelled()


async def test_what_can_not_be_imported_is_told_to_everybody_who_asks(thread):
    it = Late("orchestrator.agent.nowhere:Nobody", lambda kind: kind, thread)

    for _ in range(2):
        with pytest.raises(ImportError, match="nowhere"):
            await it.arrived()
    assert it.here is None


async def test_a_late_model_answers_as_the_model_does(thread):
    model = LateModel(None, None, thread)
    await model.close()

    with pytest.raises(Rejected, match="ANTHROPIC_API_KEY"):
        await model.say(ASKED)
    await model.ready()
    await model.close()


async def test_late_hands_reach_the_servers_as_they_were_last_told(tmp_path, thread):
    hands = hands_of(tmp_path, thread)
    hands.learn(LAB)

    outcome = await hands.call("other", "x", {}, deadline=1.0, key="k")
    assert "no server is named 'other'" in outcome.reason
    hands.learn({**LAB, "other": StdioServer(name="other", command=("/nowhere",))})
    outcome = await hands.call("other", "x", {}, deadline=1.0, key="k")
    assert "no server is named" not in outcome.reason
    await hands.close()


async def test_h3_late_hands_hand_everything_on(tmp_path, thread, monkeypatch):
    heard = []

    class Heard:
        def __init__(self, servers, **options):
            heard.append(("made", servers, options))

        async def discover(self, server):
            heard.append(("discover", server))

        async def call(self, *what, **how):
            heard.append(("call", what, how))

        async def close(self):
            heard.append(("close",))

    monkeypatch.setitem(sys.modules, "heard_hands", SimpleNamespace(Heard=Heard))
    monkeypatch.setattr(late, "HANDS", "heard_hands:Heard")
    hands = hands_of(tmp_path, thread)
    await hands.close()
    await hands.discover("lab")
    how = {"deadline": 2.0, "key": "k", "before_send": len, "progress": print, "responses": None}
    await hands.call("lab", "read", {"a": 1}, **how)
    await hands.close()

    assert heard == [
        ("made", {}, {"environment": {}, "stderr": tmp_path, "redact": nothing}),
        ("discover", "lab"),
        ("call", ("lab", "read", {"a": 1}), how),
        ("close",),
    ]
