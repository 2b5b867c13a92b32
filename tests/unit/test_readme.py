"""The README promises only what a test holds, and names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([A-Z]\d) \| .+ \| `(test_\w+)` \|$", re.MULTILINE)


def written() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"def (test_\w+)", text)}


def test_every_promise_names_a_test_that_carries_its_id() -> None:
    rows = ROW.findall(README)

    assert len(rows) > 20
    assert [row for row in rows if not row[1].startswith(f"test_{row[0].lower()}_")] == []
    assert sorted({name for _, name in rows} - written()) == []


def test_no_promise_is_made_twice() -> None:
    ids = [promise for promise, _ in ROW.findall(README)]

    assert len(ids) == len(set(ids))


def test_every_command_it_names_is_one() -> None:
    verbs = (ROOT / "orchestrator" / "cli" / "main.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`doorbell ([a-z]+)", README))

    assert named
    assert sorted(verb for verb in named if f'"{verb}":' not in verbs) == []
