"""What the operating system says of this process, in the names every Prometheus client uses for it.

It reads `/proc`; where there is none, memory and files are left out.
"""

import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.telemetry import catalogue
from orchestrator.telemetry.registry import Figures, Labels, Metric, Reading

SELF: Final = Path("/proc/self")


def build_info(version: str, process: str) -> Labels:
    """The labels of `doorbell_build_info`."""
    return version, platform.python_version(), process


def of_this_process(build: Labels, started: float, dropped: Callable[[], int]) -> Reading:
    """Reads them; `started` is seconds since 1970, `dropped` counts the lines that the log lost."""

    async def read() -> Figures:
        used = resource.getrusage(resource.RUSAGE_SELF)
        known: dict[Metric, float] = {
            catalogue.STARTED: started,
            catalogue.CPU: used.ru_utime + used.ru_stime,
            catalogue.LOG_DROPPED: dropped(),
            **_from_proc(),
        }
        return {catalogue.BUILD: {build: 1.0}, **{it: {(): value} for it, value in known.items()}}

    return read


def _from_proc() -> dict[Metric, float]:
    try:
        pages = int((SELF / "statm").read_text("ascii").split()[1])
        files = len(os.listdir(SELF / "fd"))  # noqa: PTH208 - only counted
    except OSError:
        return {}
    return {catalogue.MEMORY: pages * os.sysconf("SC_PAGE_SIZE"), catalogue.FILES: files}
