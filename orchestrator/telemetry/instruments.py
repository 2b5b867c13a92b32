"""What the service and the worker count, in their own words; it knows no HTTP, no database and no clock.

Every drop, deferral, refusal and retry is counted here under a reason from a closed set (promise O3). A source is a
configured name or `unknown`, never a stranger's text. Each method costs the hot path two or three dictionary look-ups.
"""

from collections.abc import Callable, Container
from decimal import Decimal

from orchestrator.errors import Reason
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.registry import Registry
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
    Subscription,
    Turn,
    Unmade,
    Waited,
)

TAKEN = frozenset({Outcome.ACCEPTED, Outcome.SPLIT})


class DoorInstruments:
    """Counts what happens at the door. `known` answers with the sources that are configured now."""

    def __init__(self, registry: Registry, known: Callable[[], Container[str]]) -> None:
        self._known = known
        self._deliveries = registry.counter(catalogue.DELIVERIES)
        self._answers = registry.counter(catalogue.ANSWERS)
        self._events = registry.counter(catalogue.EVENTS)
        self._bytes = registry.counter(catalogue.BYTES)
        self._seconds = registry.histogram(catalogue.DELIVERY)
        self._commit = registry.histogram(catalogue.COMMIT)
        self._rows = registry.histogram(catalogue.COMMIT_ROWS)
        self._failed = registry.counter(catalogue.COMMIT_FAILURES)

    def delivery(
        self,
        source: str,
        outcome: Outcome,
        reason: Reason | None,
        status: int,
        seconds: float,
        size: int,
        events: int,
    ) -> None:
        """Count one request: `status` 0 where nobody was there to be answered, `events` those newly kept."""
        if source not in self._known():
            source = UNKNOWN
        self._deliveries.add((source, outcome, reason or ""))
        if status:
            self._answers.add((str(status),))
            self._seconds.observe((outcome,), seconds)
        if size:
            self._bytes.add((source,), size)
        if events:
            self._events.add((source,), events)

    def commit(self, rows: int, seconds: float) -> None:
        """Count one group commit."""
        self._commit.observe((), seconds)
        self._rows.observe((), rows)

    def commit_failed(self) -> None:
        """Count a group commit that failed; its deliveries are tried one by one."""
        self._failed.add(())


class DispatchInstruments:
    """Counts how the inbox is worked off; `action` is what a decision asks for, such as start or forward."""

    def __init__(self, registry: Registry, known: Callable[[], Container[str]]) -> None:
        self._known = known
        self._decisions = registry.counter(catalogue.DECISIONS)
        self._skipped = registry.counter(catalogue.SKIPPED)
        self._delivered = registry.counter(catalogue.DELIVERED)
        self._inbox = registry.histogram(catalogue.INBOX)
        self._held = registry.counter(catalogue.HELD)
        self._retries = registry.counter(catalogue.RETRIES)
        self._buried = registry.counter(catalogue.BURIED)
        self._forwards = registry.counter(catalogue.FORWARDS)
        self._forward = registry.histogram(catalogue.FORWARD)
        self._recovered = registry.counter(catalogue.RECOVERED)
        self._subscriptions = registry.counter(catalogue.SUBSCRIPTIONS)
        self._silent = registry.gauge(catalogue.SILENT)
        self._reloads = registry.counter(catalogue.RELOADS)
        self._lost = registry.counter(catalogue.RUNS_LOST)
        self._notifications = registry.counter(catalogue.NOTIFICATIONS)
        self._failures = registry.counter(catalogue.LOOP_FAILURES)

    def decided(self, source: str, rule: str, action: str) -> None:
        """Count one decision."""
        self._decisions.add((self._named(source), rule, action))

    def skipped(self, source: str, rule: str, reason: Skipped) -> None:
        """Count an event that a rule left alone."""
        self._skipped.add((self._named(source), rule, reason))

    def delivered(self, action: str, source: str, seconds_in_inbox: float) -> None:
        """Count one decision that reached its run or destination."""
        self._delivered.add((action,))
        self._inbox.observe((self._named(source), action), seconds_in_inbox)

    def held(self, action: str, reason: Held) -> None:
        """Count one that is put off; no attempt was burnt."""
        self._held.add((action, reason))

    def retried(self, action: str, reason: Retried) -> None:
        """Count one that is tried again."""
        self._retries.add((action, reason))

    def buried(self, action: str) -> None:
        """Count one that is given up."""
        self._buried.add((action,))

    def forwarded(self, destination: str, outcome: Forwarded, seconds: float | None) -> None:
        """Count one sending; `seconds` None where nothing left the house. `destination` is a rule's, never its URL."""
        self._forwards.add((destination, outcome))
        if seconds is not None:
            self._forward.observe((destination,), seconds)

    def recovered(self, source: str, number: int, how: Recovered) -> None:
        """Count missed deliveries."""
        self._recovered.add((self._named(source), how), number)

    def subscription(self, source: str, outcome: Subscription, reason: str = "") -> None:
        """Count what became of a subscription; `reason` is of the closed set of troubles."""
        self._subscriptions.add((self._named(source), outcome, reason))

    def silent(self, source: str, *, is_silent: bool) -> None:
        """Say whether a source that should have rung did not."""
        self._silent.put((self._named(source),), float(is_silent))

    def reloaded(self, outcome: Reloaded) -> None:
        """Count a configuration that changed."""
        self._reloads.add((outcome,))

    def lost(self, then: Lost) -> None:
        """Count an open run that Temporal no longer had."""
        self._lost.add((then,))

    def notified(self, kind: str, outcome: Notified) -> None:
        """Count a notice whose end is known; `kind` is the type of its event."""
        self._notifications.add((kind, outcome))

    def failed(self, loop: str) -> None:
        """Count a round of a loop that failed."""
        self._failures.add((loop,))

    def _named(self, source: str) -> str:
        return source if source in self._known() else UNKNOWN


class ApiInstruments:
    """Counts what is asked over the REST API; `route` is one of its own, None where nothing is at the address."""

    def __init__(self, registry: Registry) -> None:
        self._requests = registry.counter(catalogue.API_REQUESTS)
        self._seconds = registry.histogram(catalogue.API_SECONDS)

    def asked(self, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `status` 0 where nobody was there to be answered."""
        named = route or UNKNOWN
        self._requests.add((named, f"{status // 100}xx" if status else "gone"))
        self._seconds.observe((named,), seconds)


def uncounted() -> DispatchInstruments:
    """Instruments that nobody ever reads."""
    return DispatchInstruments(Registry(catalogue.SCRAPE_FAILURES), tuple)


def uncounted_api() -> ApiInstruments:
    """Instruments of the API that nobody ever reads."""
    return ApiInstruments(Registry(catalogue.SCRAPE_FAILURES))


def uncounted_runs() -> "RunInstruments":
    """Instruments of runs that nobody ever reads."""
    return RunInstruments(Registry(catalogue.SCRAPE_FAILURES))


class RunInstruments:
    """Counts what runs do: turns, tool calls, ends."""

    def __init__(self, registry: Registry) -> None:
        self._turns = registry.counter(catalogue.TURNS)
        self._turn = registry.histogram(catalogue.TURN)
        self._tokens = registry.counter(catalogue.TOKENS)
        self._dollars = registry.counter(catalogue.DOLLARS)
        self._unpriced = registry.counter(catalogue.UNPRICED)
        self._calls = registry.counter(catalogue.TOOL_CALLS)
        self._call = registry.histogram(catalogue.TOOL_CALL)
        self._ended = registry.counter(catalogue.RUNS_ENDED)
        self._reopened = registry.counter(catalogue.RUNS_REOPENED)
        self._parked = registry.counter(catalogue.RUNS_PARKED)
        self._stopped = registry.counter(catalogue.CALLS_STOPPED)
        self._refused = registry.counter(catalogue.CALLS_REFUSED)
        self._approvals = registry.counter(catalogue.APPROVALS)
        self._waits = registry.counter(catalogue.WAITS_ENDED)
        self._stood = registry.counter(catalogue.HANDS_STOOD)

    def model_turn(
        self,
        model: str,
        outcome: Turn,
        seconds: float,
        input_tokens: int = 0,
        output_tokens: int = 0,
        usd: Decimal | None = None,
    ) -> None:
        """Count one turn; `usd` None where nobody knows the price."""
        self._turns.add((model, outcome))
        if outcome is Turn.OVER_BUDGET:
            return
        self._turn.observe((model,), seconds)
        self._tokens.add((model, "input"), input_tokens)
        self._tokens.add((model, "output"), output_tokens)
        if usd is not None:
            self._dollars.add((model,), float(usd))
        elif outcome is Turn.ANSWERED:
            self._unpriced.add((model,))

    def tool_call(self, server: str, tool: str, effect: str, outcome: str, seconds: float) -> None:
        """Count one tool call: `effect` and `outcome` are the ledger's words."""
        self._calls.add((server, tool, effect, outcome))
        self._call.observe((server,), seconds)

    def call_stopped(self, why: str) -> None:
        """Count a tool call that was stopped for what it carried."""
        self._stopped.add((why,))

    def call_refused(self, why: Unmade) -> None:
        """Count a tool call that was asked for and not made."""
        self._refused.add((why,))

    def hands_stood(self, server: str, state: str) -> None:
        """Count a server that began or ceased to be left alone."""
        self._stood.add((server, state))

    def run_ended(self, playbook: str, outcome: str) -> None:
        """Count a run that ended."""
        self._ended.add((playbook, outcome))

    def run_reopened(self, playbook: str, outcome: str) -> None:
        """Count an end that was none, and was counted with this outcome."""
        self._reopened.add((playbook, outcome))

    def run_parked(self, reason: Parked) -> None:
        """Count a run that parked."""
        self._parked.add((reason,))

    def approval(self, outcome: Approving) -> None:
        """Count a request to people, or a word about one."""
        self._approvals.add((outcome,))

    def wait_ended(self, how: Waited) -> None:
        """Count a wait that ended."""
        self._waits.add((how,))
