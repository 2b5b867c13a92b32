"""Every metric there is, with its name, its labels and what it says to a person; it counts nothing.

Names are promises: dashboards and alerts are built on them. Each ends in its unit, counters in `_total`
(https://prometheus.io/docs/practices/naming/).
"""

from typing import Final

from orchestrator.telemetry.registry import Kind, Metric

QUICK: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds, for what a sender waits for."""

SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
"""Seconds, for what may stand in a queue."""

CALLS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds, for what is asked of a model or a tool."""

ROWS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels, bounds)


# Both processes
BUILD: Final = _gauge(
    "doorbell_build_info", "Always 1; its labels say what runs.", "version", "python", "process"
)
SCRAPE_FAILURES: Final = _counter(
    "doorbell_scrape_failures_total", "Gauges left out because they couldn't be read.", "reading"
)
LOG_DROPPED: Final = _counter(
    "doorbell_log_lines_dropped_total", "Log lines lost because nobody read them fast enough."
)
SPANS_DROPPED: Final = _counter(
    "doorbell_spans_dropped_total", "Spans lost: the queue was full, or the collector away.", "why"
)
STARTED: Final = _gauge(
    "process_start_time_seconds", "When the process started, in seconds since 1970."
)
CPU: Final = _counter("process_cpu_seconds_total", "CPU time that the process used.")
MEMORY: Final = _gauge("process_resident_memory_bytes", "Memory that the process holds.")
FILES: Final = _gauge("process_open_fds", "Open files and connections of the process.")

# The service: the door
DELIVERIES: Final = _counter(
    "doorbell_deliveries_total",
    "Requests at the door; `reason` says why one was refused or deferred.",
    *("source", "outcome", "reason"),
)
ANSWERS: Final = _counter("doorbell_answers_total", "Answers given, by HTTP status.", "status")
EVENTS: Final = _counter(
    "doorbell_events_total",
    "Events in the deliveries taken; a batch counts each of its own.",
    "source",
)
BYTES: Final = _counter("doorbell_delivery_bytes_total", "Bytes of the bodies read.", "source")
DELIVERY: Final = _histogram(
    "doorbell_delivery_seconds",
    "From the request's first byte to its answer: a taken one is on disk by then.",
    QUICK,
    "outcome",
)
COMMIT: Final = _histogram("doorbell_commit_seconds", "One group commit, fsync included.", QUICK)
COMMIT_ROWS: Final = _histogram("doorbell_commit_rows", "Deliveries in one group commit.", ROWS)
COMMIT_FAILURES: Final = _counter("doorbell_commit_failures_total", "Group commits that failed.")

# The service: its REST API
API_REQUESTS: Final = _counter(
    "doorbell_api_requests_total",
    "Requests to the REST API, by route and class of status: 2xx, 4xx, 5xx.",
    *("route", "status"),
)
API_SECONDS: Final = _histogram(
    "doorbell_api_seconds",
    "Time to an answer of the REST API; a word waits for what comes of it.",
    CALLS,
    "route",
)

# The service: working off
DECISIONS: Final = _counter(
    "doorbell_decisions_total",
    "What rules, waits and people decided; rule is empty where no rule did.",
    *("source", "rule", "action"),
)
SKIPPED: Final = _counter(
    "doorbell_skipped_total", "Events that a rule left alone, by why.", "source", "rule", "reason"
)
DELIVERED: Final = _counter(
    "doorbell_delivered_total", "Decisions that reached their run or destination.", "action"
)
INBOX: Final = _histogram(
    "doorbell_inbox_seconds",
    "Time in the inbox: from received to delivered.",
    SLOW,
    *("source", "action"),
)
HELD: Final = _counter(
    "doorbell_held_total", "Deliveries put off without burning an attempt.", "action", "reason"
)
RETRIES: Final = _counter(
    "doorbell_retries_total", "Deliveries that are tried again.", "action", "reason"
)
BURIED: Final = _counter(
    "doorbell_buried_total", "Decisions given up: `doorbell events dead list`.", "action"
)
FORWARDS: Final = _counter(
    "doorbell_forwards_total", "Sendings to a destination.", "destination", "outcome"
)
FORWARD: Final = _histogram(
    "doorbell_forward_seconds", "Time a destination took to answer.", CALLS, "destination"
)
RECOVERED: Final = _counter(
    "doorbell_recovered_total", "Missed deliveries that were fetched.", "source", "how"
)
SUBSCRIPTIONS: Final = _counter(
    "doorbell_subscriptions_total",
    "What became of subscriptions at MCP servers; `reason` says why one failed.",
    *("source", "outcome", "reason"),
)
SILENT: Final = _gauge(
    "doorbell_source_silent", "1 while a source is silent for longer than it should be.", "source"
)
RELOADS: Final = _counter(
    "doorbell_reloads_total", "Changed configurations, taken or rejected whole.", "outcome"
)
RUNS_LOST: Final = _counter(
    "doorbell_runs_lost_total", "Open runs that Temporal no longer had, and what came then.", "then"
)
NOTIFICATIONS: Final = _counter(
    "doorbell_notifications_total",
    "Notices to people (`on: doorbell/...`) and what became of them.",
    *("type", "outcome"),
)
LOOP_FAILURES: Final = _counter(
    "doorbell_loop_failures_total", "Rounds of a loop that failed; the log says why.", "loop"
)

# The service: gauges that are read when somebody asks
WAITING: Final = _gauge(
    "doorbell_inbox_waiting", "Entries and decisions that still have to be worked off."
)
BACKLOG: Final = _gauge(
    "doorbell_inbox_backlog", "Entries of a source that still have to be worked off.", "source"
)
OLDEST: Final = _gauge(
    "doorbell_inbox_oldest_seconds", "Age of the oldest delivery that still has to be worked off."
)
DEAD: Final = _gauge("doorbell_dead_letters", "Decisions given up and not yet dealt with.")
LEASES: Final = _gauge("doorbell_leases", "Decisions being delivered now.")
BREAKER: Final = _gauge(
    "doorbell_breaker_open",
    "1 while nothing is sent to a destination, 0.5 for a probe.",
    "destination",
)
TEMPORAL: Final = _gauge("doorbell_temporal_reachable", "1 while Temporal answers.")

# The worker
TURNS: Final = _counter("doorbell_model_turns_total", "Turns asked of a model.", "model", "outcome")
TURN: Final = _histogram("doorbell_model_turn_seconds", "Time a model took.", CALLS, "model")
TOKENS: Final = _counter(
    "doorbell_model_tokens_total", "Tokens; `direction` is input or output.", "model", "direction"
)
DOLLARS: Final = _counter(
    "doorbell_model_usd_total", "US dollars at list price; unpriced turns add nothing.", "model"
)
UNPRICED: Final = _counter(
    "doorbell_model_unpriced_total", "Answered turns whose price nobody knows.", "model"
)
TOOL_CALLS: Final = _counter(
    "doorbell_tool_calls_total",
    "Tool calls and how they ended.",
    "server",
    "tool",
    "effect",
    "outcome",
)
TOOL_CALL: Final = _histogram(
    "doorbell_tool_call_seconds", "Time a tool's server took.", CALLS, "server"
)
RUNS_ENDED: Final = _counter(
    "doorbell_runs_ended_total", "Runs that ended, by their honest outcome.", "playbook", "outcome"
)
RUNS_REOPENED: Final = _counter(
    "doorbell_runs_reopened_total",
    "Ends that were none, counted as ends before: something came in that moment, and the run goes on.",
    "playbook",
    "outcome",
)
RUNS_PARKED: Final = _counter("doorbell_runs_parked_total", "Runs that parked.", "reason")
CALLS_STOPPED: Final = _counter(
    "doorbell_tool_calls_stopped_total",
    "Tool calls that were stopped for what they carried.",
    "why",
)
CALLS_REFUSED: Final = _counter(
    "doorbell_tool_calls_refused_total",
    "Tool calls that were not made for any other reason.",
    "why",
)
APPROVALS: Final = _counter(
    "doorbell_approvals_total", "Requests to people, and words about them.", "outcome"
)
WAITS_ENDED: Final = _counter("doorbell_waits_ended_total", "Waits and how they ended.", "how")

PROCESS: Final = (BUILD, SCRAPE_FAILURES, LOG_DROPPED, SPANS_DROPPED, STARTED, CPU, MEMORY, FILES)
DOOR: Final = (
    *(DELIVERIES, ANSWERS, EVENTS, BYTES, DELIVERY),
    *(COMMIT, COMMIT_ROWS, COMMIT_FAILURES),
)
API: Final = (API_REQUESTS, API_SECONDS)
DISPATCH: Final = (
    *(DECISIONS, SKIPPED, DELIVERED, INBOX, HELD, RETRIES, BURIED),
    *(
        FORWARDS,
        FORWARD,
        RECOVERED,
        SUBSCRIPTIONS,
        SILENT,
        RELOADS,
        RUNS_LOST,
        NOTIFICATIONS,
        LOOP_FAILURES,
    ),
)
STATE: Final = (WAITING, BACKLOG, OLDEST, DEAD, LEASES, BREAKER, TEMPORAL)
HANDS_STOOD: Final = _counter(
    "doorbell_hands_stood_total",
    "Servers that began to be left alone (open), were tried again (half open), or were well again (closed).",
    "server",
    "state",
)
RUNS: Final = (
    *(TURNS, TURN, TOKENS, DOLLARS, UNPRICED),
    *(TOOL_CALLS, TOOL_CALL, RUNS_ENDED, RUNS_REOPENED, RUNS_PARKED),
    *(CALLS_STOPPED, CALLS_REFUSED),
    *(APPROVALS, WAITS_ENDED, HANDS_STOOD),
)
ALL: Final = (*PROCESS, *DOOR, *API, *DISPATCH, *STATE, *RUNS)
