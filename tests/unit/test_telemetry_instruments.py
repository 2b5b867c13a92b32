"""Every drop, deferral, refusal and retry has a counter and a reason, and no stranger makes a series."""

from decimal import Decimal

import pytest

from orchestrator.errors import Reason
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DispatchInstruments, DoorInstruments, RunInstruments
from orchestrator.telemetry.registry import Kind, Number, Registry, total
from orchestrator.telemetry.words import (
    UNKNOWN,
    Approving,
    Forwarded,
    Held,
    Lost,
    Notified,
    Outcome,
    Parked,
    Recovered,
    Reloaded,
    Retried,
    Skipped,
    Turn,
    Waited,
)

KNOWN = {"github": object(), "stripe": object()}


@pytest.fixture
def registry():
    return Registry(catalogue.SCRAPE_FAILURES)


@pytest.fixture
def door(registry):
    return DoorInstruments(registry, lambda: KNOWN)


@pytest.fixture
def dispatch(registry):
    return DispatchInstruments(registry, lambda: KNOWN)


async def figures(registry):
    """Every series that is not zero, by name and labels; of a histogram, how many it saw."""
    return {
        (family.metric.name, *point.labels): total([point])
        for family in await registry.collect()
        for point in family.points
        if total([point])
    }


async def test_o3_ten_thousand_unknown_sources_make_one_series(door, registry) -> None:
    for number in range(10_000):
        door.delivery(
            f"attacker-{number}", Outcome.REFUSED, Reason.UNKNOWN_SOURCE, 404, 0.001, 0, 0
        )

    assert await figures(registry) == {
        ("doorbell_deliveries_total", UNKNOWN, "refused", "unknown_source"): 10_000,
        ("doorbell_answers_total", "404"): 10_000,
        ("doorbell_delivery_seconds", "refused"): 10_000,
    }


@pytest.mark.parametrize("reason", Reason)
async def test_o3_every_reason_to_refuse_is_a_label(reason, door, registry) -> None:
    door.delivery("github", Outcome.REFUSED, reason, 400, 0.001, 0, 0)

    assert ("doorbell_deliveries_total", "github", "refused", reason) in await figures(registry)


async def test_what_is_taken_counts_its_bytes_and_events(door, registry) -> None:
    door.delivery("github", Outcome.ACCEPTED, None, 202, 0.002, 8_000, 1)
    door.delivery("stripe", Outcome.SPLIT, None, 202, 0.02, 90_000, 250)
    door.delivery("github", Outcome.DUPLICATE, None, 202, 0.002, 8_000, 0)

    found = await figures(registry)
    assert found["doorbell_events_total", "github"] == 1
    assert found["doorbell_events_total", "stripe"] == 250
    assert found["doorbell_delivery_bytes_total", "github"] == 16_000
    assert found["doorbell_deliveries_total", "github", "duplicate", ""] == 1


async def test_one_who_left_was_counted_but_not_answered(door, registry) -> None:
    door.delivery("github", Outcome.GONE, None, 0, 1.0, 0, 0)

    assert await figures(registry) == {("doorbell_deliveries_total", "github", "gone", ""): 1}


async def test_a_commit_counts_its_rows_and_its_time(door, registry) -> None:
    door.commit(30, 0.004)
    door.commit_failed()

    assert await figures(registry) == {
        ("doorbell_commit_seconds",): 1,
        ("doorbell_commit_rows",): 1,
        ("doorbell_commit_failures_total",): 1,
    }


async def test_o3_working_off_counts_what_waits_what_is_tried_again_and_what_is_given_up(
    dispatch, registry
) -> None:
    dispatch.decided("github", "triage", "start")
    dispatch.skipped("github", "triage", Skipped.PER_ACTOR)
    dispatch.delivered("start", "github", 0.3)
    dispatch.held("start", Held.UNREACHABLE)
    dispatch.retried("forward", Retried.REFUSED)
    dispatch.buried("forward")
    dispatch.failed("deliver")

    assert await figures(registry) == {
        ("doorbell_decisions_total", "github", "triage", "start"): 1,
        ("doorbell_skipped_total", "github", "triage", "per_actor"): 1,
        ("doorbell_delivered_total", "start"): 1,
        ("doorbell_inbox_seconds", "github", "start"): 1,
        ("doorbell_held_total", "start", "unreachable"): 1,
        ("doorbell_retries_total", "forward", "refused"): 1,
        ("doorbell_buried_total", "forward"): 1,
        ("doorbell_loop_failures_total", "deliver"): 1,
    }


async def test_forwards_recoveries_and_silences_are_counted(dispatch, registry) -> None:
    dispatch.forwarded("https://hooks.acme.example", Forwarded.DELIVERED, 0.2)
    dispatch.forwarded("https://hooks.acme.example", Forwarded.HELD, None)
    dispatch.recovered("github", 7, Recovered.RUNG)
    dispatch.silent("stripe", is_silent=True)

    assert await figures(registry) == {
        ("doorbell_forwards_total", "https://hooks.acme.example", "delivered"): 1,
        ("doorbell_forwards_total", "https://hooks.acme.example", "held"): 1,
        ("doorbell_forward_seconds", "https://hooks.acme.example"): 1,
        ("doorbell_recovered_total", "github", "rung"): 7,
        ("doorbell_source_silent", "stripe"): 1,
    }
    dispatch.silent("stripe", is_silent=False)
    assert ("doorbell_source_silent", "stripe") not in await figures(registry)


async def test_o3_reloads_losses_and_notices_are_counted(dispatch, registry) -> None:
    dispatch.reloaded(Reloaded.REJECTED)
    dispatch.lost(Lost.PERSON)
    dispatch.notified("approval.asked", Notified.FAILED)

    assert await figures(registry) == {
        ("doorbell_reloads_total", "rejected"): 1,
        ("doorbell_runs_lost_total", "person"): 1,
        ("doorbell_notifications_total", "approval.asked", "failed"): 1,
    }


async def test_a_source_that_is_gone_from_the_files_is_unknown(dispatch, registry) -> None:
    dispatch.decided("removed", "", "ignore")

    assert ("doorbell_decisions_total", UNKNOWN, "", "ignore") in await figures(registry)


async def test_a_turn_counts_its_tokens_and_dollars_and_an_unknown_price_is_not_zero(
    registry,
) -> None:
    runs = RunInstruments(registry)
    runs.model_turn("claude", Turn.ANSWERED, 3.0, 1_000, 100, Decimal("0.25"))
    runs.model_turn("llama", Turn.ANSWERED, 3.0, 500, 50, None)
    runs.model_turn("claude", Turn.OVER_BUDGET, 0.0)

    found = await figures(registry)
    assert found["doorbell_model_usd_total", "claude"] == 0.25
    assert ("doorbell_model_usd_total", "llama") not in found
    assert found["doorbell_model_unpriced_total", "llama"] == 1
    assert found["doorbell_model_tokens_total", "claude", "input"] == 1_000
    assert found["doorbell_model_turns_total", "claude", "over_budget"] == 1
    assert found["doorbell_model_turn_seconds", "claude"] == 1


async def test_what_runs_do_is_counted(registry) -> None:
    runs = RunInstruments(registry)
    runs.tool_call("github", "issue_write", "write-once", "unknown", 60.0)
    runs.run_ended("triage", "completed")
    runs.run_reopened("triage", "completed")
    runs.run_parked(Parked.BUDGET)
    runs.approval(Approving.EXPIRED)
    runs.wait_ended(Waited.EXPIRED)

    assert await figures(registry) == {
        ("doorbell_tool_calls_total", "github", "issue_write", "write-once", "unknown"): 1,
        ("doorbell_tool_call_seconds", "github"): 1,
        ("doorbell_runs_ended_total", "triage", "completed"): 1,
        ("doorbell_runs_reopened_total", "triage", "completed"): 1,
        ("doorbell_runs_parked_total", "budget"): 1,
        ("doorbell_approvals_total", "expired"): 1,
        ("doorbell_waits_ended_total", "expired"): 1,
    }


def test_every_instrument_is_in_the_catalogue_and_none_is_twice() -> None:
    registry = Registry(catalogue.SCRAPE_FAILURES)
    DoorInstruments(registry, lambda: KNOWN)
    DispatchInstruments(registry, lambda: KNOWN)
    RunInstruments(registry)
    made = [kept.metric for kept in registry._kept]

    names = [metric.name for metric in catalogue.ALL]
    assert len(names) == len(set(names))
    assert set(made) - set(catalogue.ALL) == set()
    assert {*catalogue.DOOR, *catalogue.DISPATCH, *catalogue.RUNS} - set(made) == set()


def test_names_follow_prometheus_own_rules() -> None:
    for metric in catalogue.ALL:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.startswith(("doorbell_", "process_"))
        assert metric.help.endswith(".")
        assert list(metric.bounds) == sorted(set(metric.bounds))
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM)


async def test_a_number_is_shown_under_the_label_order_of_its_metric(door, registry) -> None:
    door.delivery("github", Outcome.DEFERRED, Reason.OVERLOADED, 503, 0.1, 10, 0)

    families = {family.metric: family.points for family in await registry.collect()}
    assert catalogue.DELIVERIES.labels == ("source", "outcome", "reason")
    assert families[catalogue.DELIVERIES] == (Number(("github", "deferred", "overloaded"), 1),)
