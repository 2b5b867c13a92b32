"""The story the demo tells: every step is observed in the real state, or the demo has failed.

It rings the door, watches, kills workers, and reads the inbox, the ledger, Temporal and the stand-in of GitHub to
see what really happened. It never tells the product what to do.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from temporalio.client import Client, WorkflowExecutionStatus

from orchestrator import temporal, views
from orchestrator.demo.watch import Seen, Watch
from orchestrator.demo.world import World
from orchestrator.dispatch.decide import OURSELVES
from orchestrator.tell import tree, value

REPLY = "Sure! Steps: open the page, look at the second paragraph. It happens every time, on 2.3.1 and on main."
RESTART = 45.0
WORKING = 120.0
SOON = 20.0
KILL_AT_TURN = 2
ACCEPTED = 202
COMMENT = "add_issue_comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What rings first: an event name as GitHub's header has it, and a payload."""

    name: str
    payload: Mapping[str, Any]


@dataclass(kw_only=True, slots=True)
class Story:
    """The steps, and which of them were observed."""

    world: World
    watch: Watch
    delivery: Delivery
    stranger: Delivery
    steps: list[tuple[str, bool]] = field(default_factory=list)

    async def tell(self) -> bool:
        """The whole story; True only if every step was observed. A delivery that no rule wants has a shorter one."""
        kept = await self._kept()
        if kept is None:
            return False
        if await self._wanted(kept):
            await self._answered(kept)
        else:
            await self._twice(kept)
        return all(held for _, held in self.steps)

    async def ended(self) -> None:
        """What was written where, what it cost, and the address of the run."""
        seen = await self.watch.look()
        console = self.watch.console
        for write in self.world.github.writes if self.world.github else ():
            line = f"written at GitHub's stand-in: {write.method} {write.path} {value(write.body)}"
            console.print(line, soft_wrap=True, markup=False)
        for run in seen.runs:
            console.print(_cost(run), soft_wrap=True)
            console.print(f"Temporal UI: {run['temporal_url']}", soft_wrap=True)
        observed = Table("step", "observed", box=None, header_style="bold")
        for step, held in self.steps:
            observed.add_row(step, "[green]yes[/]" if held else "[bold red]NO[/]")
        console.print(observed)

    def _step(self, text: str, *, held: bool) -> bool:
        self.steps.append((text, held))
        self.watch.say("✔ " if held else "✘ ", text, "green" if held else "bold red")
        return held

    async def _kept(self) -> str | None:
        self.watch.say("🔔", f"GitHub rings: {self.delivery.name}, signed, over HTTP")
        answer = await self.world.ring(self.delivery.name, self.delivery.payload, "demo-delivery-1")
        receipt = answer.json()
        held = answer.status_code == ACCEPTED and receipt["status"] == "kept"
        if not held:
            said = f"{receipt.get('title', receipt['status'])}. {receipt.get('detail', '')}"
            self.watch.say("🚪", f"the door answered {answer.status_code}: {said}")
        self._step("verified, on disk, answered 202", held=held)
        return str(receipt["event"]) if held else None

    async def _wanted(self, event_id: str) -> bool:
        """Whether a rule started a run for it; if none did, why not is told instead."""
        seen = await self.watch.until(lambda s: bool(s.event(event_id)["decisions"]), SOON)
        decisions = seen.event(event_id)["decisions"] if seen else []
        if any(decision["action"] == "start" for decision in decisions):
            return True
        await self._why_not(event_id, seen)
        return False

    async def _answered(self, event_id: str) -> None:
        parked = await self._worked(event_id)
        await self._twice(event_id)
        await self._nobody_wants_it()
        if parked:
            await self._parked_and_woken(event_id)

    async def _worked(self, event_id: str) -> bool:
        seen = await self.watch.until(lambda seen: bool(seen.runs), SOON)
        started = seen is not None and seen.runs[0]["id"] in _runs_of(seen.event(event_id))
        self._step("a rule matched and started one run", held=started)
        await self._killed_in_a_turn()
        seen = await self.watch.until(_state("waiting", "parked", "ended"), WORKING)
        parked = seen is not None and seen.runs[0]["state"] == "waiting"
        self._step("the run went on and parked, waiting for the reporter", held=parked)
        used = {call["server"] for call in seen.runs[0]["tool_calls"]} if seen else set()
        self._step(
            "tools of two MCP servers were used, over HTTP and stdio",
            held={"github", "time"} <= used,
        )
        written = _writes(seen.runs[0]) if seen else Counter()
        self._step(f"written, once each: {_told(written)}", held=self._written_once(written))
        echo = await self.watch.until(_own_comment_skipped, SOON)
        self._step("our own comment rang back and was skipped as our own", held=echo is not None)
        return parked

    async def _killed_in_a_turn(self) -> None:
        seen = await self.watch.until(
            lambda s: _in_turn(s) or _state("waiting", "parked", "ended")(s), WORKING
        )
        if seen is None or not _in_turn(seen):
            self._step("the worker was killed while a turn was in flight", held=False)
            return
        pid = self.world.kill_worker()
        left = (await self.watch.look()).under_way
        self.watch.say(
            "💥",
            f"SIGKILL to the worker (pid {pid}) while turn {max(left)[1] if left else '?'} is in flight",
        )
        self._step(
            "the worker was killed while a turn was in flight", held=bool(left & seen.under_way)
        )

    async def _twice(self, kept: str) -> None:
        self.watch.say("🔔", "the same delivery again")
        answer = await self.world.ring(self.delivery.name, self.delivery.payload, "demo-delivery-1")
        receipt = answer.json()
        held = answer.status_code == ACCEPTED and receipt.get("duplicate_of") == kept
        self._step(f"named a duplicate of {receipt.get('duplicate_of')}", held=held)

    async def _nobody_wants_it(self) -> None:
        self.watch.say("🔔", f"an event no rule wants: {self.stranger.name}")
        answer = await self.world.ring(self.stranger.name, self.stranger.payload, "demo-delivery-2")
        event_id = answer.json()["event"]
        seen = await self.watch.until(lambda s: bool(s.event(event_id)["decisions"]), SOON)
        await self._why_not(event_id, seen)

    async def _why_not(self, event_id: str, seen: Seen | None) -> None:
        decisions = seen.event(event_id)["decisions"] if seen else []
        held = bool(decisions) and all(decision["action"] == "ignore" for decision in decisions)
        self.watch.say("❓", f"doorbell why {event_id}")
        entry = await self.watch.stores.inbox.entry(event_id)
        if entry is not None:
            self.watch.console.print(tree(await views.why(self.watch.stores, entry)))
        self._step("kept, matched by nothing, and `why` says which condition failed", held=held)

    async def _parked_and_woken(self, event_id: str) -> None:
        before = (await self.watch.look()).runs
        held = len(before) == 1 and await self._open_in_temporal(before[0]["workflow_id"])
        self._step("parked in Temporal, at no cost", held=held)
        await self._killed_while_parked()
        await self._reporter_answers()
        seen = await self.watch.until(_state("parked", "ended"), WORKING)
        after = seen.runs if seen else []
        same = len(after) == 1 and after[0]["id"] == before[0]["id"] and len(after[0]["events"]) > 1
        self._step("the reply woke the very same run", held=same)
        went_on = (
            same and after[0]["turns"] > before[0]["turns"] and after[0]["events"][0] == event_id
        )
        self._step("the same conversation went on", held=went_on)
        honest = same and after[0]["outcome"] == "completed"
        self._step(
            "it ended with an honest outcome: "
            + (after[0]["outcome"] or "none" if after else "none"),
            held=honest,
        )
        written = _writes(after[0]) if after else Counter()
        self._step("nothing was written twice", held=self._written_once(written))

    async def _killed_while_parked(self) -> None:
        pid = self.world.kill_worker()
        self.watch.say("💥", f"SIGKILL to the worker (pid {pid}) while the run is parked")
        restarted = await self._until_another_worker(pid)
        self._step("the worker was killed while the run was parked, and came back", held=restarted)

    async def _reporter_answers(self) -> None:
        known = self.world.github
        if known is None:
            return
        user = self.delivery.payload["issue"]["user"]
        self.watch.say("🔔", f"{user['login']} answers: issue_comment.created")
        payload = known.comment_as(user["login"], user["id"], REPLY)
        answer = await self.world.ring("issue_comment", payload, "demo-delivery-3")
        self._step("the reply was kept", held=answer.status_code == ACCEPTED)

    async def _until_another_worker(self, pid: int) -> bool:
        for _ in range(int(RESTART * 10)):
            if self.world.state.pids().get("worker", pid) != pid:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _open_in_temporal(self, workflow_id: str) -> bool:
        client: Client = await temporal.connect(str(self._addresses()), self.world.namespace)
        described = await client.get_workflow_handle(workflow_id).describe()
        return described.status is WorkflowExecutionStatus.RUNNING

    def _addresses(self) -> str:
        found = self.world.state.addresses()
        return found.temporal if found else ""

    def _written_once(self, written: Counter[str]) -> bool:
        """Whether GitHub got exactly the writes that the run says were done, each kind at most once."""
        got = self.world.github.writes if self.world.github else []
        comments = sum(write.path.endswith("/comments") for write in got)
        there = Counter({COMMENT: comments, "issue_write": len(got) - comments})
        return written[COMMENT] == 1 and +there == written and max(written.values()) == 1


def _runs_of(event: Mapping[str, Any]) -> set[str]:
    return {decision["run_id"] for decision in event["decisions"]}


def _writes(run: Mapping[str, Any]) -> Counter[str]:
    done = (call for call in run["tool_calls"] if call["state"] == "done")
    return Counter(call["tool"] for call in done if call["effect"] != "read")


def _told(written: Counter[str]) -> str:
    names = {COMMENT: "a comment", "issue_write": "the label"}
    return (
        " and ".join(names.get(tool, tool) for tool in sorted(written, reverse=True)) or "nothing"
    )


def _in_turn(seen: Seen) -> bool:
    return any(turn >= KILL_AT_TURN for _, turn in seen.under_way)


def _cost(run: Mapping[str, Any]) -> str:
    spent = run["spent"]
    tokens = f"{spent['input_tokens']} tokens in ({spent['cached_tokens']} cached), {spent['output_tokens']} out"
    assumed = (
        f", of which {spent['assumed_attempts']} lost attempt is charged as assumed"
        if spent["assumed_attempts"]
        else ""
    )
    usd = f"USD {spent['usd']:.4f}"
    scripted = "; scripted, so nobody was billed" if run["scripted"] else ""
    return f"run {run['id']}: {run['outcome']}, {run['turns']} turns, {tokens}, {usd}{assumed}{scripted}"


def _state(*states: str) -> Callable[[Seen], bool]:
    def holds(seen: Seen) -> bool:
        return bool(seen.runs) and seen.runs[0]["state"] in states

    return holds


def _own_comment_skipped(seen: Seen) -> bool:
    return any(
        event["type"] == "issue_comment.created"
        and any(d["rule"] == OURSELVES and d["action"] == "ignore" for d in event["decisions"])
        for event in seen.events
    )
