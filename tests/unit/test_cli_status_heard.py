"""`doorbell status` says which source is silent, and what recovery found or can't do."""

from datetime import timedelta

from orchestrator.cli.status import _text
from orchestrator.recovery.gaps import Recovered
from orchestrator.recovery.recovering import Standing
from orchestrator.recovery.silence import Silence
from tests.support.builders import NOW
from tests.unit.test_cli_status import WELL


def silence(source, heard_at, *, silent):
    expect = timedelta(hours=6)
    return Silence(source=source, expect=expect, heard_at=heard_at, silent=silent).told()


def standing(source, error=None, **done):
    found = Recovered(**done)
    return Standing(source=source, recovered=found, looked_at=NOW, error=error).told()


def test_o3_silence_and_recovery_have_a_line_for_each_source():
    told = WELL | {
        "temporal": {"address": "a", "reachable": True, "ui": None},
        "service": "http://127.0.0.1:8787",
        "silence": [silence("billing", None, silent=True), silence("github", NOW, silent=False)],
        "recovery": [
            standing("github", found=9, reinjected=7, too_old=2),
            standing("org"),
            standing("second", "GitHub answered 401"),
        ],
    }

    assert _text(told).splitlines()[6:11] == [
        "SILENT    billing: last delivery never, expected every 6h",
        "heard     github: last delivery 2026-11-21T12:00:00+00:00, expected every 6h",
        "recovery  github: 7 reinjected, 2 too old",
        "recovery  org: nothing was missed",
        "recovery  second: GitHub answered 401",
    ]
