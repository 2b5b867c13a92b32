"""The supervisor's promises: first what it decides, as values; then what it does, with small children."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import tether
from orchestrator.errors import OperatorError
from orchestrator.settings import environment
from orchestrator.state import alive
from orchestrator.supervision import (
    FIRST_TRIES,
    LONGEST_DELAY,
    SETTLED_AFTER,
    Kill,
    Phase,
    Standing,
    Start,
    Terminate,
    asked_to_stop,
    backoff,
    became_ready,
    exited,
    hopeless,
    killed,
    next_due,
    plan,
    started,
    unwind,
)
from orchestrator.supervisor import Child, Supervisor

A, B, C = (Standing(name=name, patience=3.0) for name in "abc")


def up(standing: Standing) -> Standing:
    return became_ready(started(standing, 0.0), 0.0)


def test_a_child_is_started_only_after_the_one_ahead_of_it_was_ready() -> None:
    assert plan([A, B, C], 0.0) == [Start("a")]
    assert plan([started(A, 0.0), B, C], 0.0) == []
    assert plan([up(A), B, C], 0.0) == [Start("b")]
    assert plan([up(A), up(B), up(C)], 0.0) == []


def test_a_death_further_ahead_does_not_hold_back_the_others() -> None:
    dead = exited(up(A), 1.0)
    assert plan([dead, exited(up(B), 1.0), up(C)], 1.0) == []
    assert plan([dead, exited(up(B), 1.0), up(C)], 1.2) == [Start("a"), Start("b")]


def test_children_are_stopped_one_after_the_other_and_killed_only_after_their_patience() -> None:
    asked = asked_to_stop(up(A), 10.0)
    assert unwind([up(A), up(B)], 10.0) == [Terminate("a")]
    assert unwind([asked, up(B)], 12.9) == []
    assert unwind([asked, up(B)], 13.0) == [Kill("a")]
    assert unwind([killed(asked), up(B)], 99.0) == []
    assert unwind([exited(asked, 11.0), up(B)], 11.0) == [Terminate("b")]
    assert unwind([A, B], 0.0) == []


def test_the_delay_doubles_from_a_fifth_of_a_second_to_five() -> None:
    assert [backoff(n) for n in (1, 2, 3, 4, 5, 6, 60)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_failures_are_forgotten_once_a_child_was_up_long_enough() -> None:
    flapping = exited(up(replace(A, failures=4)), SETTLED_AFTER - 1)
    settled = exited(up(replace(A, failures=4)), SETTLED_AFTER)
    assert (flapping.failures, settled.failures) == (5, 1)
    assert settled.due == SETTLED_AFTER + 0.2


def test_a_child_that_was_never_ready_is_given_up_when_a_person_must_act_or_after_some_tries() -> (
    None
):
    once = exited(started(A, 0.0), 1.0)
    assert hopeless(once, 2)
    assert not hopeless(once, 1)
    assert hopeless(replace(once, failures=FIRST_TRIES), 1)
    assert not hopeless(exited(up(A), 1.0), 2)


def test_readiness_of_a_child_that_is_being_stopped_changes_nothing() -> None:
    stopping = asked_to_stop(started(A, 0.0), 1.0)
    assert became_ready(stopping, 2.0) is stopping


standings = st.builds(
    Standing,
    name=st.just("x"),
    patience=st.just(1.0),
    phase=st.sampled_from(Phase),
    due=st.floats(0, 20) | st.just(float("inf")),
    proved=st.booleans(),
)


@given(st.lists(standings, max_size=4), st.floats(0, 20))
def test_time_alone_never_changes_a_plan_before_the_next_due_time(
    children: list[Standing], now: float
) -> None:
    due = next_due(children, now)
    just_before = 1e9 if due is None else (now + due) / 2
    assert plan(children, now) == plan(children, min(just_before, 1e9)) or just_before == due
    assert unwind(children, now) == unwind(children, min(just_before, 1e9)) or just_before == due


@given(st.integers(1, 10_000))
def test_no_delay_is_longer_than_the_longest(failures: int) -> None:
    assert 0 < backoff(failures) <= LONGEST_DELAY


@dataclass
class Stage:
    """Children that tell what they do in one shared file, and the supervisor over them."""

    path: Path
    echoed: list[tuple[str, str]] = field(default_factory=list)
    pids: Mapping[str, int] = field(default_factory=dict)
    seen: dict[str, list[int]] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def child(
        self,
        name: str,
        then: str = "signal.pause()",
        ready: Callable[[], Awaitable[None]] | None = None,
        patience: float = 20.0,
    ) -> Child:
        return Child(
            name=name,
            command=[sys.executable, "-c", PREAMBLE.format(name=name, log=str(self.log)) + then],
            environment=environment(),
            ready=ready or self.until(f"{name} started"),
            patience=patience,
        )

    @property
    def log(self) -> Path:
        return self.path / "story"

    def story(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def until(self, line: str, count: int = 1) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            await _until(lambda: self.story().count(line) >= count)

        return wait

    def supervisor(self, *children: Child) -> Supervisor:
        return Supervisor(
            children=children,
            stop_order=[child.name for child in reversed(children)],
            logs=self.path / "logs",
            echo=lambda name, line: self.echoed.append((name, line.decode())),
            on_ready=self.ready.set,
            on_pids=self.note,
        )

    def note(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)
        for name, pid in pids.items():
            if pid not in self.seen.setdefault(name, []):
                self.seen[name].append(pid)
        self.changed.set()

    async def pid_after(self, name: str, old: int) -> int:
        while self.pids.get(name, old) == old:
            self.changed.clear()
            await self.changed.wait()
        return self.pids[name]


PREAMBLE = """
import os, signal, sys
def tell(word):
    with open({log!r}, "a") as story:
        story.write("{name} " + word + "\\n")
def stop(number, frame):
    tell("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
tell("started")
print("hello from {name}", flush=True)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_children_start_in_order_and_stop_in_theirs(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.child("one"), stage.child("two"))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    supervisor.stop()
    await running
    assert stage.story() == ["one started", "two started", "two stopped", "one stopped"]
    assert stage.pids == {}


async def test_what_a_child_says_is_kept_in_its_log_and_echoed_with_its_name(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.child("one"))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    supervisor.stop()
    await running
    assert ("one", "hello from one") in stage.echoed
    assert (stage.path / "logs" / "one.log").read_text() == "hello from one\n"


async def test_a_child_killed_from_outside_is_started_again_and_the_other_is_left_alone(
    stage: Stage,
) -> None:
    supervisor = stage.supervisor(stage.child("one"), stage.child("two"))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    other, old = stage.pids["one"], stage.pids["two"]
    os.kill(old, signal.SIGKILL)
    assert await stage.pid_after("two", old) != old
    await stage.until("two started", 2)()
    assert stage.pids["one"] == other
    supervisor.stop()
    await running


async def test_a_child_that_will_not_stop_is_killed_after_its_patience(stage: Stage) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell('deaf')\nwhile True: signal.pause()"
    child = stage.child("one", deaf, stage.until("one deaf"), patience=0.2)
    supervisor = stage.supervisor(child)
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    supervisor.stop()
    await running
    assert not alive(stage.seen["one"][0])


async def test_being_asked_twice_to_stop_kills_at_once(stage: Stage) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell('deaf')\nwhile True: signal.pause()"
    supervisor = stage.supervisor(stage.child("one", deaf, stage.until("one deaf")))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    supervisor.stop()
    supervisor.stop()
    await running
    assert not alive(stage.seen["one"][0])


async def test_exit_code_2_before_it_was_ready_stops_everything_and_names_the_child(
    stage: Stage,
) -> None:
    supervisor = stage.supervisor(stage.child("one"), stage.child("two", "sys.exit(2)", never))
    with pytest.raises(OperatorError, match=r"two did not start \(exit code 2\)"):
        await supervisor.run()
    assert stage.story() == ["one started", "two started", "one stopped"]


async def test_a_child_that_never_becomes_ready_stops_everything_with_its_reason(
    stage: Stage,
) -> None:
    async def refuse() -> None:
        raise OperatorError("no answer on port 1")

    supervisor = stage.supervisor(stage.child("one", ready=refuse))
    with pytest.raises(OperatorError, match="no answer on port 1"):
        await supervisor.run()
    assert not alive(stage.seen["one"][0])


async def test_what_a_dead_child_left_running_is_ended_with_it(stage: Stage) -> None:
    spawn = (
        "import subprocess\n"
        "tell(str(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid))\n"
        "tell('spawned')\nsignal.pause()"
    )
    supervisor = stage.supervisor(stage.child("one", spawn, stage.until("one spawned")))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    grandchild = int(stage.story()[1].split()[1])
    os.kill(stage.pids["one"], signal.SIGKILL)
    await stage.until("one started", 2)()
    assert not await _remains(grandchild)
    supervisor.stop()
    await running


async def test_output_held_open_by_a_runaway_grandchild_does_not_delay_the_restart(
    stage: Stage,
) -> None:
    spawn = (
        "import subprocess\n"
        "tell(str(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],"
        " start_new_session=True).pid))\ntell('spawned')\nsignal.pause()"
    )
    supervisor = stage.supervisor(stage.child("one", spawn, stage.until("one spawned")))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    os.kill(stage.pids["one"], signal.SIGKILL)
    await stage.until("one spawned", 2)()
    supervisor.stop()
    await running
    for line in stage.story():
        if line.split()[1].isdigit():
            os.kill(int(line.split()[1]), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the tether watches a pipe")
async def test_a_child_dies_with_its_parent_even_by_sigkill(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    orphan = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    parent = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', {tether.__file__!r}, str(os.getpid()), '--',"
        f" sys.executable, '-c', {orphan!r}], stdin=subprocess.PIPE)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    await _until(lambda: pid_file.exists() and pid_file.read_text() != "")
    process.kill()
    await process.wait()
    assert not await _remains(int(pid_file.read_text()))


async def test_where_the_kernel_does_not_help_the_end_of_the_pipe_ends_the_command(
    tmp_path: Path,
) -> None:
    watching = (
        "import sys\nfrom orchestrator import tether\n"
        "sys.exit(tether.watch([sys.executable, '-c',"
        " 'import time; print(\"here\", flush=True); time.sleep(600)']))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        watching,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"here\n"
    process.stdin.close()
    assert await process.wait() != 0


async def test_a_command_whose_parent_is_gone_already_is_not_run() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", tether.__file__, "1", "--", sys.executable, "-c", "print('ran')"
    )
    assert await process.wait() == 3


async def never() -> None:
    await asyncio.Event().wait()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - another process has no event for us
        await asyncio.sleep(0.01)


async def _remains(pid: int) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await _until(lambda: not _runs(pid))
    return _runs(pid)


def _runs(pid: int) -> bool:
    """A zombie that nobody reaps is dead too."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
