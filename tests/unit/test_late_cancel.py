"""Temporal's SDK warns of a cancel that comes after its activity has answered; that must not end a worker's loop."""

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.bridge.proto.activity_task import Cancel
from temporalio.worker._activity import _ActivityWorker


def cancelled_late() -> None:
    """What the SDK does when nothing of that token is under way any more."""
    ended: Any = SimpleNamespace(_running_activities={})
    _ActivityWorker._handle_cancel_activity_task(ended, b"token", Cancel())


def test_a_cancel_that_comes_after_its_activity_has_answered_is_no_error() -> None:
    cancelled_late()


def test_it_is_this_warning_alone_that_is_let_pass() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="Cannot find activity to cancel for token"):
            cancelled_late()
    with pytest.raises(UserWarning, match="Cannot find activity"):
        warnings.warn("Cannot find activity of another kind", stacklevel=1)
