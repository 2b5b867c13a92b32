"""`doorbell status`: what is up and what is not, and an exit code that says it to a program."""

import asyncio
import json

import pytest

from tests.support.asgi import serving
from tests.support.installed import UI, Installed

WELL = {
    "inbox": {"events": 3, "waiting": 1},
    "temporal": {"address": "127.0.0.1:7233", "reachable": True},
    "configuration": {
        "digest": "0123456789abcdef",
        "loaded_at": "2026-11-21T12:00:00+00:00",
        "rules": ["triage"],
        "sources": ["github"],
        "mistakes": [],
        "broken": [],
        "rejected": None,
        "warnings": ["sources.yaml:1:1: env:X is unset"],
    },
    "model": {"key": True, "scripted": False},
}

BROKEN = {
    "file": "r.yaml",
    "line": 2,
    "name": "triage",
    "reason": "no",
    "text": "triage:\n  onn: x",
}


@pytest.fixture
def there(tmp_path):
    return Installed(tmp_path / "state")


async def asked(there, told, *words):
    async def app(scope, _receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    async with serving(app) as url:
        there.path.mkdir()
        there.announced(url)
        return url, await asyncio.to_thread(there.doorbell, "status", *words)


def but(part, **changes):
    return WELL | {part: WELL[part] | changes}


async def test_all_well_is_zero_and_says_how_much_waits(there):
    url, result = await asked(there, WELL)

    assert result.exit_code == 0
    assert result.stdout == (
        f"service   {url}\n"
        "temporal  127.0.0.1:7233, reachable\n"
        "inbox     3 events, 1 waiting\n"
        "model     key set\n"
        "files     0123456789ab, since 2026-11-21T12:00:00+00:00\n"
        "rules     triage\n"
        "warning   sources.yaml:1:1: env:X is unset\n"
    )


async def test_what_a_limit_holds_back_is_said(there):
    limits = [
        {"rule": "triage", "open": 2, "concurrent": 2, "held": 7},
        {"rule": "digest", "open": 0, "concurrent": None, "held": 1},
    ]
    _, result = await asked(there, WELL | {"slots": limits})

    assert "limit     triage: 2 of 2 runs open, 7 held\n" in result.stdout
    assert "limit     digest: 0 runs open, 1 held\n" in result.stdout


async def test_json_is_the_services_own_answer_with_its_addresses(there):
    url, result = await asked(there, WELL, "--json")

    assert json.loads(result.stdout) == WELL | {
        "service": url,
        "temporal": WELL["temporal"] | {"ui": UI},
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (but("temporal", reachable=False), "temporal  127.0.0.1:7233, NOT reachable: entries wait"),
        (
            but("configuration", mistakes=["r.yaml:2:1: no"], broken=[BROKEN]),
            "mistake   r.yaml:2 (triage): no\n          | triage:\n          |   onn: x",
        ),
        (
            but("configuration", rejected={"digest": "f" * 64, "at": "today", "broken": [BROKEN]}),
            "1 mistake; the files above stay in force, whole\nmistake   r.yaml:2 (triage): no\n",
        ),
    ],
)
async def test_d6_what_is_not_well_is_said_and_exit_one(there, told, said):
    _, result = await asked(there, told)

    assert result.exit_code == 1
    assert said in result.stdout


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"key": False}, "model     no key: runs park until ANTHROPIC_API_KEY is set"),
        ({"scripted": True}, "model     scripted"),
        ({"retiring": {"m": "m is switched off on 2026-11-30"}}, "warning   m is switched off on"),
    ],
)
async def test_a_missing_or_scripted_model_is_said_and_is_no_failure(there, model, said):
    _, result = await asked(there, but("model", **model))

    assert result.exit_code == 0
    assert said in result.stdout


def test_nothing_running_is_exit_one_and_says_where_it_looked(there):
    result = there.doorbell("status")

    assert result.exit_code == 1
    assert f"the service is not running in {str(there.path)!r}: start it" in result.stdout
    assert json.loads(there.doorbell("status", "--json").stdout) == {"service": None}


def test_a_service_that_does_not_answer_is_not_running_either(there):
    there.path.mkdir()
    there.announced("http://127.0.0.1:9")

    result = there.doorbell("status")
    assert result.exit_code == 1
    assert "nobody answers at http://127.0.0.1:9/status" in result.stdout


async def test_a_pause_says_that_no_rule_in_force_has_its_name(there):
    pause = {"what": "rule", "name": "old", "by": "ann", "in_force": False}
    _, result = await asked(there, but("inbox", paused=[pause]))

    assert "paused    rule old, by ann (no rule in force has this name;" in result.stdout


async def test_what_is_paused_is_said_and_is_no_fault(there):
    pause = {"what": "source", "name": "github", "by": "ann", "at": "2026-11-21T12:00:00.000Z"}
    _, result = await asked(there, but("inbox", paused=[pause]))

    assert result.exit_code == 0
    assert (
        "paused    source github, by ann: what it has waits, its runs stand still" in result.stdout
    )


WAITING = {
    "code": "ABCDEFGHIJ",
    "run": "5a1f95b87d5d.1",
    "tool": "github.issue_write",
    "by": ["role:maintainer"],
    "age": 7_500.0,
    "left": 250_000.0,
}


async def test_what_runs_wrote_asked_lost_and_could_not_tell_is_said(there):
    lately = {
        "writes": {"sent": 1, "done": 12, "unknown": 2, "proposed": 3},
        "approvals": [WAITING, WAITING | {"code": "BBBBBBBBBB", "tool": None, "age": 61.0}],
        "notices_failed": [
            {"run": "5a1f95b87d5d.1", "type": "approval.asked", "became": "tell: GitHub said 403"}
        ],
        "lost": [
            {"run": "aaaaaaaaaaaa.1", "again": True, "words": "lost: it begins again"},
            {"run": "bbbbbbbbbbbb.1", "again": False, "words": "lost: it had sent a write"},
        ],
    }
    _, result = await asked(there, WELL | lately)

    assert (
        "writes    1 sent, 12 done, 2 unknown, 3 proposed (24 h, and all that are open)\n"
        "approvals 2 waiting, the oldest for 2 h\n"
        "          ABCDEFGHIJ  github.issue_write, run 5a1f95b87d5d.1: asked role:maintainer 2 h ago, 3 d left\n"
        "          BBBBBBBBBB  a question, run 5a1f95b87d5d.1: asked role:maintainer 61 s ago, 3 d left\n"
        "NOT TOLD  run 5a1f95b87d5d.1, approval.asked: tell: GitHub said 403\n"
        "lost      run aaaaaaaaaaaa.1: lost: it begins again\n"
        "LOST      run bbbbbbbbbbbb.1: lost: it had sent a write\n"
    ) in result.stdout
    assert result.exit_code == 0
