"""What is broken is shown with its own text and the reason."""

from orchestrator.configuration.broken import SHOWN, block_of, broken
from orchestrator.errors import Mistake

RULES = """\
# two rules
sound:
  on: [github/push]
  run: triage

"bad-one":
  on: [github/issues.*]
  # a comment of its own
  rn: triage
last:
  on: schedule
"""


def mistake(line: int, file: str = "d/rules/a.yaml") -> Mistake:
    return Mistake(file=file, line=line, column=3, message="unknown key 'rn'")


def test_a_rule_is_shown_from_its_name_to_the_next() -> None:
    (shown,) = broken([mistake(9)], {"d/rules/a.yaml": RULES})

    assert shown.told() == {
        "file": "d/rules/a.yaml",
        "line": 9,
        "name": "bad-one",
        "reason": "unknown key 'rn'",
        "text": '"bad-one":\n  on: [github/issues.*]\n  # a comment of its own\n  rn: triage',
    }


def test_a_mistake_at_the_name_itself_or_in_the_last_line_has_the_same_text() -> None:
    assert block_of(RULES, 10) == block_of(RULES, 11) == ("last", "last:\n  on: schedule")


def test_where_there_is_no_rule_there_is_the_line_and_where_no_line_nothing() -> None:
    texts = {"d/playbooks/p.md": "---\nmodl: x\n---\nprose\n", "d/rules/a.yaml": "- a list\n"}

    shown = broken(
        [
            mistake(2, "d/playbooks/p.md"),
            mistake(1),
            mistake(7),
            mistake(1, "d/gone.yaml"),
        ],
        texts,
    )

    assert [(one.name, one.text) for one in shown] == [
        (None, "modl: x"),
        (None, "- a list"),
        (None, ""),
        (None, ""),
    ]


def test_a_long_rule_is_cut() -> None:
    long = "a:\n" + "  x: 1\n" * 500

    assert len(block_of(long, 400)[1].splitlines()) == SHOWN
