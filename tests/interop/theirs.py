"""Servers that aren't ours, through our product: servers.yaml, `doorbell lock`, `hands list` and `hands call`."""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.interop.house import repository
from tests.interop.shelf import shelf
from tests.interop.table import Row, short

AT_ONCE = 3
DEADLINE = 30.0
TRIES = 3


def tried(house, places, wanted):
    """A row for the lock, and one for each server, or for each of those wanted."""
    repository(house.work)
    servers = [one for one in shelf(places, house.work) if not wanted or one.name in wanted]
    house.furnish({one.name: entry(one) for one in servers}, {s.name: s.playbook for s in servers})
    yield _locked(house, servers)
    found = _listed(house, servers)
    # A program each, and most of its time is its start.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda one: _one(house, one, found.get(one.name)), servers)


def entry(real):
    """The server as servers.yaml has it."""
    return {"command": list(real.command), **({"env": real.env} if real.env else {})}


def _tried(house, *words):
    """What `doorbell` says; again where a server wasn't up in time, as a large one isn't on a busy machine."""
    for _ in range(TRIES):
        said = house.doorbell(*words)
        if "could not connect" not in said.out + said.err:
            break
    return said


def _locked(house, servers):
    said = _tried(house, "lock")
    check = _tried(house, "lock", "--check")
    wrong = short(said.err or said.out, 2000) if said.code else ""
    if check.code:
        wrong += f" lock --check: {short(check.err or check.out, 2000)}"
    return Row(
        who="doorbell lock",
        what=f"{len(servers)} servers",
        came=f"one tool of each, {said.seconds:.0f} s",
        wrong=wrong,
    )


def _listed(house, servers):
    found = {}
    for _ in range(TRIES):
        names = [one.name for one in servers if found.get(one.name, {"error": "new"})["error"]]
        for start in range(0, len(names), AT_ONCE):
            said = house.doorbell("hands", "list", *names[start : start + AT_ONCE])
            found |= {row["server"]: row for row in said.json or ()}
    return found


def _one(house, real, row):
    if row is None or row["error"]:
        why = short(row["error"], 500) if row else "expected it to be listed"
        return Row(who=real.package, what=real.era, came="", wrong=why)
    facts = f"{row['protocol']}  {len(row['tools']):>3} tools {row['tokens']:>6} tokens"
    speed = f"{row['opened_seconds']:>4.1f} s, {row['latency_seconds'] * 1000:>3.0f} ms"
    wrong = "" if row["protocol"] == real.era else f"expected {real.era}"
    wrong += "" if row["well"] else f" not well: {row['drift'] or row['left_alone']}"
    came, wrong_call = _called(house, real)
    return Row(
        who=real.package,
        what=f"{facts}  {speed}",
        came=f"{real.tool}: {came}",
        wrong=f"{wrong} {wrong_call}".strip(),
    )


def _called(house, real):
    """How a call of a person's ended, and what is wrong with that."""
    words = [f"{real.name}.{real.tool}", json.dumps(real.arguments)]
    said = _tried(house, "hands", "call", *words, "--yes", "--timeout", f"{DEADLINE:g}")
    if said.json is None:
        return "no outcome", short(said.err, 500)
    outcome, seconds = said.json["outcome"], said.json["seconds"]
    text = " ".join(str(block.get("text", "")) for block in said.json["content"])
    # Where a cloud is out of reach, some say so as an answer like any other.
    expected = {"failed"} if real.fails else {"done"}
    wrong = "" if outcome in expected else f"expected {' or '.join(expected)}: {short(text, 500)}"
    wrong += "" if real.hears in text else f" expected {real.hears!r}: {short(text, 500)}"
    wrong += "" if seconds <= DEADLINE else f" expected an end within {DEADLINE:g} s"
    return f"{outcome} in {seconds:.1f} s: {short(text)}", wrong.strip()
