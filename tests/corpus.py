"""Every payload of a directory through a real door, signed as GitHub signs: `python -m tests.corpus DIRECTORY`.

It takes the indexes of @octokit/webhooks-examples (MIT; `index.json`, one list of examples for each event) wherever
they are below the directory, and files named `event.action.anything.json`. Of each payload it tells what the door
answered and what was kept; each is then sent under the name of five other events, which must be refused (D4). It
ends with 1 if anything isn't as it should be.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Entry
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.sources.github_shapes import SHAPES
from tests.support.senders import SENDERS, certificate
from tests.support.wire import Door, post, standing

OTHERS = 5
AT_ONCE = 4


@dataclass(frozen=True)
class Payload:
    """One example of an event."""

    event: str
    data: dict[str, Any]

    @property
    def body(self) -> bytes:
        """As GitHub writes it: compact, and not escaped."""
        return json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def type(self) -> str:
        action = self.data.get("action")
        return self.event if action is None else f"{self.event}.{action}"

    @property
    def number(self) -> str | None:
        """The key that every payload with an issue or a pull request must have."""
        repository = (self.data.get("repository") or {}).get("full_name")
        about = self.data.get("issue") or self.data.get("pull_request") or {}
        number = about.get("number") if isinstance(about, dict) else None
        return None if number is None or repository is None else f"issue:{repository}#{number}"


@dataclass(frozen=True)
class Told:
    """What became of one payload; `wrong` is empty where all is well."""

    payload: Payload
    status: int
    entry: Entry | None
    passed: tuple[str, ...]
    wrong: tuple[str, ...]

    def line(self) -> str:
        """One line of the report."""
        if self.entry is None:
            return f"{self.status}  {self.payload.type}  {'; '.join(self.wrong)}"
        actor = self.entry.actor.login if self.entry.actor else None
        keys = " ".join(self.entry.keys)
        told = f"{self.entry.type:<44} {self.entry.subject or '-':<40} {actor or '-':<20} {keys}"
        return f"{self.status}  {told}  {'; '.join(self.wrong)}".rstrip()


def payloads(directory: Path) -> Iterator[Payload]:
    """Every payload below the directory."""
    for file in sorted(directory.rglob("*.json")):
        if file.name == "index.json":
            for one in json.loads(file.read_text(encoding="utf-8")):
                yield from (Payload(one["name"], example) for example in one["examples"])
        elif (event := file.stem.partition(".")[0]) in SHAPES:
            data = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(data, dict) and {"sender", "action"} & data.keys():
                yield Payload(event, data)


def others(payload: Payload, events: Sequence[str], turn: int) -> list[str]:
    """Five other events, different ones from payload to payload."""
    rest = [event for event in events if event != payload.event]
    return [rest[(turn * OTHERS + step) % len(rest)] for step in range(min(OTHERS, len(rest)))]


async def send(door: Door, payload: Payload, event: str, delivery: str) -> Any:
    """The door's answer to the payload under this event's name."""
    said = {"x_github_event": event, "x_github_delivery": delivery}
    signed = SENDERS["github"].sign(payload.body, **said)
    return await door.one(post("/hooks/github", signed.headers, signed.body))


async def through(
    door: Door, inbox: SqlInbox, payload: Payload, names: Sequence[str], turn: int
) -> Told:
    """Send it under its own name and under the others."""
    answer = await send(door, payload, payload.event, f"d{turn}")
    kept = answer.status == 202 and answer.told["status"] in {"kept", "duplicate"}
    entry = await inbox.entry(answer.told["event"]) if kept else None
    passed = [
        name
        for name in names
        if (await send(door, payload, name, f"d{turn}-{name}")).reason != "type_mismatch"
    ]
    wrong = [] if entry else [f"expected 202, {answer.status} {answer.reason} came"]
    wrong += _misread(payload, entry) if entry else []
    wrong += [f"passed for {name}" for name in passed]
    return Told(payload, answer.status, entry, tuple(passed), tuple(wrong))


def _misread(payload: Payload, entry: Entry) -> list[str]:
    wrong = []
    if entry.type != payload.type:
        wrong.append(f"expected the type {payload.type}")
    if payload.number is not None and payload.number not in entry.keys:
        wrong.append(f"expected the key {payload.number}")
    if entry.subject is None and {"repository", "organization"} & payload.data.keys():
        wrong.append("expected a subject")
    if entry.actor is None and "sender" in payload.data:
        wrong.append("expected an actor")
    return wrong


async def all_through(door: Door, found: Sequence[Payload]) -> list[Told]:
    """What became of each, in order."""
    events = sorted({payload.event for payload in found})
    few = asyncio.Semaphore(AT_ONCE)
    database = Database.open(sqlite_url(door.directory / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)

    async def one(turn: int, payload: Payload) -> Told:
        async with few:
            return await through(door, inbox, payload, others(payload, events, turn), turn)

    try:
        return list(await asyncio.gather(*(one(turn, each) for turn, each in enumerate(found))))
    finally:
        database.close()


def report(told: Sequence[Told]) -> bool:
    """Print it all; whether all is well."""
    for one in told:
        print(one.line())  # noqa: T201 - it is a report
    events = Counter(one.payload.event for one in told)
    types = {one.payload.type for one in told}
    mislabelled = sum(min(OTHERS, len(events) - 1) for _ in told)
    passed = sum(len(one.passed) for one in told)
    wrong = [one for one in told if one.wrong]
    print(  # noqa: T201
        f"{len(told)} payloads of {len(events)} events, {len(types)} types; {len(wrong)} not as they should be; "
        f"{mislabelled - passed} of {mislabelled} mislabelled ones caught"
    )
    return not wrong


def main(directory: Path) -> int:
    """The exit code."""
    found = list(payloads(directory))
    with (
        tempfile.TemporaryDirectory() as temporary,
        standing(Path(temporary), certificate()) as door,
    ):
        told = asyncio.run(all_through(door, found))
        faults = door.faults()
    return 0 if report(told) and told and not faults else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
