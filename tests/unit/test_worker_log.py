"""What the worker's log keeps of activities that failed: O3 wants the reason, nobody wants our own stack."""

import logging
import sys

import pytest
from temporalio.exceptions import ApplicationError

from orchestrator.agent.activities import MODEL_AWAY
from orchestrator.worker import Parks
from workflows.activities import PERSON


def logged(error):
    """The record that Temporal's SDK makes of an activity that raised this."""
    try:
        raise error
    except type(error):
        caught = sys.exc_info()
    return logging.LogRecord(
        "temporalio.activity", logging.WARNING, __file__, 1, "failed (%s)", ("100%",), caught
    )


def test_o3_a_model_that_is_away_is_one_line_with_its_reason():
    record = logged(ApplicationError("the model's stream ended early", type=MODEL_AWAY))

    assert Parks().filter(record)
    assert record.exc_info is None
    assert record.getMessage() == (
        "failed (100%): model unavailable: the model's stream ended early"
    )


def test_o3_a_run_that_parks_leaves_no_line():
    assert not Parks().filter(logged(ApplicationError("no model key", type=PERSON)))


@pytest.mark.parametrize("error", [ApplicationError("odd"), RuntimeError("odd")])
def test_o3_whatever_else_failed_keeps_its_traceback(error):
    record = logged(error)

    assert Parks().filter(record)
    assert record.exc_info is not None
