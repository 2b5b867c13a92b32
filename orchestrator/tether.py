"""Runs one command that dies with its parent; it knows nothing else.

    python -I tether.py PARENT_PID -- COMMAND ARGUMENT...

On Linux the kernel keeps the promise (PR_SET_PDEATHSIG) and this process becomes the command. Elsewhere it
stays and watches standard input, a pipe whose other end only the parent holds: when that ends, so does the command.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html

ORPHANED = 3
"""The exit code when the parent was gone before the command began."""


def become(parent: int, command: Sequence[str]) -> None:
    """Replace this process by the command, to be killed when the parent dies (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above: then no signal will ever come.
    if os.getppid() != parent:
        sys.exit(ORPHANED)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.execvp(command[0], list(command))  # noqa: S606 - the command is our own supervisor's


def watch(command: Sequence[str]) -> int:
    """Run the command until it ends or standard input does; its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - as above
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda number, _: process.send_signal(number))
        threading.Thread(target=_kill_at_end_of_input, args=[process], daemon=True).start()
        return process.wait()


def _kill_at_end_of_input(process: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    process.kill()


def main(arguments: Sequence[str]) -> int:
    """Run what stands after `--`."""
    parent, separator, *command = arguments
    if separator != "--" or not command:
        sys.exit("usage: tether.py PARENT_PID -- COMMAND ARGUMENT...")
    if sys.platform == "linux":
        become(int(parent), command)
    return watch(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
