"""A model that its provider switches off is told of before a run finds out."""

from datetime import date, datetime, timedelta

import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS

from orchestrator.rehearsal.retiring import ENDS, models_retiring, retiring, retiring_doubts
from tests.support.configurations import PLAYBOOK, configuration

MODEL = "claude-sonnet-4-5"


def test_the_list_is_the_sdks():
    """It fails when a new SDK knows more; then copy its list."""
    days = ("st,", "nd,", "rd,", "th,")
    plain = {}
    for model, text in DEPRECATED_MODELS.items():
        for day in days:
            text = text.replace(day, ",")  # noqa: PLW2901 - one ending after the other
        plain[model] = datetime.strptime(text, "%B %d, %Y").date()  # noqa: DTZ007 - a day has no zone

    assert plain == ENDS


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-1, "was switched off on 2026-11-30"),
        (0, "is switched off on 2026-11-30, today"),
        (1, "tomorrow"),
        (9, "in 9 days"),
    ],
)
def test_it_says_when_and_what_to_do(days, words):
    told = retiring([MODEL, MODEL, "claude-sonnet-5-5"], date(2026, 11, 30) - timedelta(days=days))

    assert list(told) == [MODEL]
    assert words in told[MODEL]
    assert "choose" in told[MODEL]


def test_check_warns_at_the_playbook_that_asks_it():
    old = PLAYBOOK.replace("claude-sonnet-5-5", MODEL)
    found = configuration(playbooks__triage_md=old)
    (warning,) = retiring_doubts(found, date(2026, 11, 21))

    assert (warning.file, warning.message.startswith(MODEL)) == ("conf/playbooks/triage.md", True)
    assert list(models_retiring(found, date(2026, 11, 21))) == [MODEL]
    assert retiring_doubts(configuration(), date(2026, 11, 21)) == []
