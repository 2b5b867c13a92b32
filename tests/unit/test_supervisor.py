"""What the supervisor does, with small children; what it decides stands in `test_supervision`."""

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import OperatorError
from orchestrator.state import alive
from tests.support.stage import Stage, remains


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


async def test_a_child_that_is_restarted_stops_first_and_the_other_is_left_alone(
    stage: Stage,
) -> None:
    supervisor = stage.supervisor(stage.child("one"), stage.child("two"))
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    other, old = stage.pids["two"], stage.pids["one"]
    supervisor.restart("one")
    await stage.pid_after("one", old)
    await stage.until("one started", 2)()
    assert stage.story() == ["one started", "two started", "one stopped", "one started"]
    assert stage.pids["two"] == other
    assert ("doorbell", "one is restarted") in stage.echoed
    assert not [line for _, line in stage.echoed if "exit code" in line]
    supervisor.stop()
    supervisor.restart("one")
    await running
    assert stage.pids == {}


async def test_a_reload_reaches_each_child_that_reloads_and_no_other(stage: Stage) -> None:
    hears = "signal.signal(signal.SIGHUP, lambda *_: tell('heard'))\ntell('hears')\nwhile True: signal.pause()"
    one = replace(stage.child("one", hears, stage.until("one hears")), reloads=True)
    supervisor = stage.supervisor(one, stage.child("two"))
    supervisor.reload()
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    before = dict(stage.pids)
    supervisor.reload()
    await stage.until("one heard")()
    assert stage.pids == before
    supervisor.stop()
    await running
    assert stage.story()[-2:] == ["two stopped", "one stopped"]


async def test_a_child_that_will_not_stop_for_its_restart_is_killed_after_its_patience(
    stage: Stage,
) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell('deaf')\nwhile True: signal.pause()"
    child = stage.child("one", deaf, stage.until("one deaf"), patience=0.2)
    supervisor = stage.supervisor(child)
    running = asyncio.create_task(supervisor.run())
    await stage.ready.wait()
    old = stage.pids["one"]
    supervisor.restart("one")
    assert await stage.pid_after("one", old) != old
    assert not alive(old)
    supervisor.stop()
    supervisor.stop()
    await running


async def test_a_child_inherits_its_listener_as_number_3_and_the_others_inherit_nothing(
    stage: Stage,
) -> None:
    look = (
        "tell(str(os.getpid()) + ' ' + os.environ.get('LISTEN_PID', 'none'))\n"
        "tell(' '.join(sorted(set(os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{n}')) & {SOCKET})))\ntell('looked')\nsignal.pause()"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inode = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
        told = look.replace("SOCKET", repr(inode))
        one = stage.child("one", told, stage.until("one looked"))
        two = stage.child("two", told, stage.until("two looked"))
        supervisor = stage.supervisor(replace(one, listener=listener.fileno()), two)
        running = asyncio.create_task(supervisor.run())
        await stage.ready.wait()
        pids = stage.pids
        supervisor.stop()
        await running
    story = stage.story()
    assert story[1:3] == [f"one {pids['one']} {pids['one']}", f"one {inode}"]
    assert story[5:7] == [f"two {pids['two']} none", "two "]


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
    assert not await remains(grandchild)
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


async def never() -> None:
    await asyncio.Event().wait()
