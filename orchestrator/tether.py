"""Runs one command that dies with its parent; it knows nothing else.

    python -I tether.py PARENT_PID [DESCRIPTOR] -- COMMAND ARGUMENT...

On Linux the kernel keeps the promise (PR_SET_PDEATHSIG) and this process becomes the command. Elsewhere it
stays and watches standard input, a pipe whose other end only the parent holds: when that ends, so does the command.
DESCRIPTOR is a socket for the command, which finds it as systemd would hand it over: as number 3, by LISTEN_PID.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

FIRST = 3  # SD_LISTEN_FDS_START
PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html

ORPHANED = 3
"""The exit code when the parent was gone before the command began."""


def hand_over(descriptor: int) -> None:
    """Make the descriptor number 3, and say that it is for this process."""
    if descriptor != FIRST:
        os.dup2(descriptor, FIRST)
        os.close(descriptor)
    # Not os.environ, which nobody but the settings may read: what is exec'ed finds it all the same.
    os.putenv("LISTEN_PID", str(os.getpid()))


def become(parent: int, command: Sequence[str]) -> None:
    """Replace this process by the command, to be killed when the parent dies (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above: then no signal will ever come.
    if os.getppid() != parent:
        sys.exit(ORPHANED)
    # A reload that comes before the command can hear it must not end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.execvp(command[0], list(command))  # noqa: S606 - the command is our own supervisor's


def watch(command: Sequence[str], descriptors: Sequence[int] = ()) -> int:
    """Run the command until it ends or standard input does; its exit code."""
    # The process that inherits them isn't this one.
    line = ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *command]
    with subprocess.Popen(  # noqa: S603 - as above
        line, stdin=subprocess.DEVNULL, pass_fds=descriptors
    ) as process:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, lambda number, _: process.send_signal(number))
        threading.Thread(target=_kill_at_end_of_input, args=[process], daemon=True).start()
        return process.wait()


def _kill_at_end_of_input(process: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    process.kill()


def main(arguments: Sequence[str]) -> int:
    """Run what stands after `--`."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else ()
    command = arguments[len(ours) + 1 :]
    if len(ours) not in (1, 2) or not command:
        sys.exit("usage: tether.py PARENT_PID [DESCRIPTOR] -- COMMAND ARGUMENT...")
    parent, *descriptors = ours
    for descriptor in descriptors:
        hand_over(int(descriptor))
    if sys.platform == "linux":
        become(int(parent), command)
    return watch(command, [FIRST for _ in descriptors])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
