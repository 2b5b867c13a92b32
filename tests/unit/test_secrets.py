"""A7: secrets are read by reference and never print."""

from pathlib import PurePath

import pytest

from orchestrator.secrets import REFERENCE, Secret, resolve

SECRET = Secret("env:TOKEN", "hunter2")


def found(reference, environment=None, files=None):
    return resolve(reference, environment or {}, (files or {}).get)


def test_a_secret_shows_its_reference_only():
    shown = [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>40}",
        f"{[SECRET]}",
    ]

    assert all("hunter2" not in text for text in shown)
    assert all("env:TOKEN" in text for text in shown)
    assert SECRET.reveal() == "hunter2"


def test_a_secret_does_not_print_in_an_error_either():
    with pytest.raises(AttributeError) as caught:
        SECRET.reference = "x"  # type: ignore[misc]

    assert "hunter2" not in str(caught.value)


def test_secrets_with_the_same_value_are_equal_only_under_the_same_reference():
    assert Secret("env:TOKEN", "hunter2") == SECRET
    assert Secret("env:OTHER", "hunter2") != SECRET
    assert Secret("env:TOKEN", "other") != SECRET


def test_a_variable_or_a_file_is_read_without_white_space_around_it():
    from_file = found("file:/run/s", files={PurePath("/run/s"): "  hunter2\n"})

    assert found("env:TOKEN", {"TOKEN": "hunter2\n"}) == SECRET
    assert from_file == Secret("file:/run/s", "hunter2")


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_what_is_unset_or_empty_is_no_secret(value):
    environment = {} if value is None else {"TOKEN": value}

    assert found("env:TOKEN", environment) is None
    assert found("file:/run/s", files={PurePath("/run/s"): value}) is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("env:TOKEN", True),
        ("env:_T0KEN", True),
        ("file:/run/secrets/token", True),
        ("env:", False),
        ("env:0", False),
        ("env:TO KEN", False),
        ("file:", False),
        ("hunter2", False),
    ],
)
def test_a_reference_is_told_from_a_secret(text, is_one):
    assert (REFERENCE.fullmatch(text) is not None) is is_one
