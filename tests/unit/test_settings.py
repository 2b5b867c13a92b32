"""Settings: what the environment says is checked, named when it is wrong, and handed down as it was given."""

from datetime import timedelta

import pytest

from orchestrator.cli.options import settings_from
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings, kept_for


@pytest.mark.parametrize(
    ("said", "kept"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("forever", None)],
)
def test_the_audit_is_kept_for_as_long_as_is_said_also_by_a_child(monkeypatch, said, kept):
    """`up` hands its settings to its children as texts."""
    monkeypatch.setenv("DOORBELL_AUDIT_KEEP", said)
    settings = Settings()
    monkeypatch.setenv("DOORBELL_AUDIT_KEEP", str(settings.audit_keep))

    assert kept_for(settings.audit_keep) == kept
    assert Settings() == settings


def test_without_a_word_the_audit_is_kept_for_400_days():
    assert kept_for(Settings().audit_keep) == timedelta(days=400)


@pytest.mark.parametrize(("name", "text"), [("AUDIT_KEEP", "long"), ("PORT", "http")])
def test_what_is_wrong_is_named_with_what_was_expected(monkeypatch, tmp_path, name, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"DOORBELL_{name}", text)

    with pytest.raises(OperatorError, match=f"DOORBELL_{name}: "):
        settings_from()
