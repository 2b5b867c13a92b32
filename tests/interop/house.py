"""A configuration directory and the `doorbell` program on it, as a person has them; it judges nothing."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.state import StateDirectory
from orchestrator.stores import Stores

ROOT = Path(__file__).parents[2]
LONGEST = 300.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the program answered."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self):
        """Its answer as a program reads it; None where it gave none."""
        return json.loads(self.out) if self.out.strip() else None


@dataclass(frozen=True, kw_only=True)
class House:
    """One directory with `doorbell.d` and the state beside it."""

    directory: Path

    @property
    def work(self):
        """Where servers may read and write."""
        return self.directory / "work"

    def furnish(self, servers, playbooks):
        """Write the configuration: entries of servers.yaml, and playbooks by name."""
        config = self.directory / "doorbell.d"
        (config / "playbooks").mkdir(parents=True, exist_ok=True)
        (config / "sources.yaml").write_text("{}\n", encoding="utf-8")
        lines = [f"{name}: {json.dumps(entry)}\n" for name, entry in servers.items()]
        (config / "servers.yaml").write_text("".join(lines), encoding="utf-8")
        # A call that may change something is only made where an audit keeps it.
        Stores.open(StateDirectory(self.directory / "state"), None).close()
        for name, text in playbooks.items():
            (config / "playbooks" / f"{name}.md").write_text(text, encoding="utf-8")

    def doorbell(self, *words):
        """Run it to its end."""
        where = ["--config", self.directory / "doorbell.d"]
        if words[0] == "hands":
            where += ["--state", self.directory / "state"]
        program = [Path(sys.executable).with_name("doorbell"), *words, *where, "--json"]
        began = time.monotonic()
        ended = subprocess.run(
            [*map(str, program)],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        took = time.monotonic() - began
        return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr, seconds=took)


def repository(work):
    """A git repository of one commit with one file."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "hello.txt").write_text("hello\n", encoding="utf-8")
    who = ["-c", "user.name=interop", "-c", "user.email=interop@example.org"]
    for words in (
        ["init", "--quiet"],
        ["add", "hello.txt"],
        [*who, "commit", "--quiet", "--message", "the first commit"],
    ):
        subprocess.run(["git", *words], cwd=work, check=True)
