"""How long `doorbell rules try` takes with many rules and events: `python -m tests.bench.tries [EVENTS] [RULES]`.

2,000 events are kept, and about every twentieth what 500 rules decided. Then three candidates for those rules are
tried, each in a process of its own: the very same, one in which every tenth rule acts on every event, and one rule
alone, beside a backstop. Seconds of the clock and of the processor, and the memory that the process took at most.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import event_of
from orchestrator.rules.rulebook import Rulebook
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, configuration_reader
from tests.bench.rules import body, say, with_rules
from tests.support.builders import NOW, github
from tests.support.configurations import PLAYBOOK, SECRETS, SERVERS, SOURCES

SINCE: Final = NOW.date().isoformat()
EVENTS: Final = 2_000
RULES: Final = 500
DECIDED: Final = 20
CHANGED: Final = (0, 3)
"""How the command ends: nothing would change, something would."""

RULE: Final = """\
r{number}:
  on: github/issues.*
  when:
    repository.full_name: "{repository}"
    issue.labels[*].name: {{none: [wontfix, no-bot-{number}]}}
    any:
      - {{issue.state: open}}
      - {{issue.title: {{regex: "(?i)(crash|slow|fail).*{number}"}}}}
  run: triage
  with: {{owner: "{{{{ event.repository.owner.login }}}}", number: "{{{{ event.issue.number }}}}"}}
  key: "case-{number}:{{{{ event.issue.number }}}}"
"""
LAST: Final = """\
last:
  backstop: true
  run: triage
  with: {owner: nobody, number: 1}
"""


def rules(count: int, *, wide: bool = False) -> str:
    """So many rules, each for one of 200 repositories; where it is wide, every tenth is for all of them."""
    return "".join(
        RULE.format(
            number=number,
            repository="*" if wide and number % 10 == 0 else f"acme/service-{number % 200}",
        )
        for number in range(count)
    )


def written(home: Path, count: int) -> None:
    """A configuration of these rules, and the candidates beside it."""
    texts = {
        ".env": "".join(f"{name}={value}\n" for name, value in SECRETS.items()),
        "doorbell.d/sources.yaml": SOURCES,
        "doorbell.d/servers.yaml": SERVERS,
        "doorbell.d/playbooks/triage.md": PLAYBOOK,
        "doorbell.d/rules/many.yaml": rules(count),
        "doorbell.d/rules/last.yaml": LAST,
        "same/many.yaml": rules(count),
        "wide/many.yaml": rules(count, wide=True),
        "one/one.yaml": RULE.format(number=count, repository="acme/service-7"),
    }
    for name, text in texts.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)


async def kept(stores: Stores, book: Rulebook, count: int) -> None:
    """So many events, some of them decided about by these rules."""
    known = with_rules(book)
    for number in range(count):
        name = f"evt_{number}"
        await stores.inbox.keep([github(name, "issues", json.loads(body(number)))])
        entry = await stores.inbox.entry(name)
        if entry is not None and number % DECIDED == 0:
            happened = event_of(entry, json.loads(entry.body))
            await stores.inbox.decide(name, decide(happened, entry.position, known), NOW)


def tried(home: Path, label: str, file: str) -> None:
    """One candidate, as a person tries it."""
    words = [sys.executable, "-m", "orchestrator", "rules", "try", file, "--since", SINCE]
    begun = time.perf_counter()
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(words, cwd=home, stdout=said)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    assert process.returncode in CHANGED, process.returncode
    used = usage.ru_utime + usage.ru_stime
    say(label, f"{wall:.1f} s, {used:.1f} s of processor, {usage.ru_maxrss / 1024:,.0f} MB at most")


def main(events: int, count: int) -> None:
    """Keep the events, try the candidates."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        written(home, count)
        book = configuration_reader(home / "doorbell.d", SECRETS)().rules
        stores, begun = Stores.open(StateDirectory(home / ".doorbell"), None), time.perf_counter()
        try:
            asyncio.run(kept(stores, Rulebook(book), events))
        finally:
            stores.close()
        say(f"{events:,} events kept", f"{time.perf_counter() - begun:.0f} s")
        tried(home, f"the same {count} rules", "same/many.yaml")
        tried(home, "every tenth acts on every event", "wide/many.yaml")
        tried(home, "one rule more, beside a backstop", "one/one.yaml")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(EVENTS, RULES)[len(given) :])
