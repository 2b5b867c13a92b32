"""Where rules forward to: what may be sent now, and what an answer means for the decision; it opens no connection.

The breakers live in memory, one for each scheme, host and port: a restart asks anew.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
from typing_extensions import override

from orchestrator import pauses
from orchestrator.configuration.configuration import Configuration
from orchestrator.dispatch.breaker import Breaker
from orchestrator.dispatch.cloudevent import body_of, headers_of, hops
from orchestrator.dispatch.forwards import Finished, Forwards
from orchestrator.dispatch.posting import Answer, Failed, Post, Poster, Resolve, resolving
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.inbox.inbox import Decision, Entry
from orchestrator.rules.rule import Destination, Rule
from orchestrator.secrets import Secret
from orchestrator.telemetry.instruments import DispatchInstruments, uncounted
from orchestrator.telemetry.words import Forwarded

LATER: Final = frozenset({408, 425, 429})
"""Refusals that mean later, not never."""

MENDING: Final = timedelta(minutes=1)
"""How long to wait for a person: a secret that is unset, a rule that can't be read."""

MAX_HOPS: Final = 8
SHOWN: Final = 200
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
HEAVY: Final = 64 * 1024
"""Bytes of payload from which on the request is made off the event loop."""

ALWAYS: Final = {"user-agent": "doorbell", "accept": "*/*", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands: its breaker, to look at."""

    destination: str
    state: str
    failures: int
    until: datetime | None
    error: str | None


@dataclass(kw_only=True, slots=True)
class Destinations(Forwards):
    """Everywhere the rules forward to. `configuration` answers with what is in force now.

    `redact` takes the secrets out of what a destination says, also those that stand inside a header's value.
    """

    configuration: Callable[[], Configuration]
    now: Callable[[], datetime]
    poster: Poster
    log: Any
    redact: Callable[[str], str]
    counts: DispatchInstruments = field(default_factory=uncounted)
    breakers: dict[str, Breaker] = field(default_factory=dict)

    @override
    async def forward(self, decision: Decision, entry: Entry) -> None:
        destination = _destination(self.configuration(), decision, self.now())
        _refuse_loop(entry)
        self._refuse_open(destination)
        if len(entry.body) < HEAVY:
            body = body_of(decision, entry)
        else:
            body = await asyncio.to_thread(body_of, decision, entry)
        post = Post(
            url=destination.url,
            headers=_headers(destination, decision, entry, body, self.now()),
            body=body,
            private=destination.private,
            patience=destination.timeout,
        )
        began = self.now()
        with self._counted(decision.rule, began):
            answer = await self._posted(destination, post, decision)
            _judge(answer, destination, self.now(), self.redact)

    @contextmanager
    def _counted(self, rule: str, began: datetime) -> Iterator[None]:
        outcome = Forwarded.FAILED
        try:
            yield
            outcome = Forwarded.DELIVERED
        except Unreachable:
            outcome = Forwarded.HELD
            raise
        except Finished:
            outcome = Forwarded.FINISHED
            raise
        finally:
            took = None if outcome is Forwarded.HELD else (self.now() - began).total_seconds()
            self.counts.forwarded(rule, outcome, took)

    def status(self) -> list[Standing]:
        """The destinations that failed lately, by name; one that is not here works or was never tried."""
        return [
            Standing(
                destination=name,
                state=breaker.state.value,
                failures=breaker.failures,
                until=breaker.until,
                error=breaker.error,
            )
            for name, breaker in sorted(self.breakers.items())
            if breaker.failures
        ]

    def _refuse_open(self, destination: Destination) -> None:
        breaker = self.breakers.get(destination.label, Breaker())
        until = breaker.wait(self.now())
        if until is not None:
            text = f"{destination.label} failed {breaker.failures} times in a row: {breaker.error}"
            raise Unreachable(text, until=until)

    async def _posted(self, destination: Destination, post: Post, decision: Decision) -> Answer:
        # While the body was made, another one may have become the probe.
        self._refuse_open(destination)
        name = destination.label
        sent = self.breakers.get(name, Breaker()).sent(self.now(), destination.timeout)
        self.breakers[name] = sent
        said = {"decision": decision.id, "rule": decision.rule, "to": name}
        try:
            answer = await self.poster.post(post)
        except Failed as failed:
            error = _plain(str(failed), destination, self.redact)
            self.log.warning("forward.failed", error=error, **said)
            self._learn(name, sent.round, error)
            raise Undeliverable(f"{name}: {error}") from None
        self.log.info("forward.answered", status=answer.status, **said)
        self._learn(name, sent.round, _failure(answer))
        return answer

    def _learn(self, name: str, round_: int, error: str | None) -> None:
        before = self.breakers[name]
        worked = error is None
        after = before.worked(round_) if worked else before.failed(round_, self.now(), error or "")
        self.breakers[name] = after
        if after.state is not before.state:
            self.log.warning("forward.breaker", to=name, state=after.state.value, error=error)


def destinations(
    configuration: Callable[[], Configuration],
    now: Callable[[], datetime],
    log: Any,
    *,
    redact: Callable[[str], str],
    counts: DispatchInstruments | None = None,
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> Destinations:
    """The destinations of a configuration; the resolver and the trusted certificates are the system's."""
    poster = Poster(resolve=resolve or resolving(), tls=tls or httpx2.create_ssl_context())
    return Destinations(
        configuration=configuration,
        now=now,
        poster=poster,
        log=log,
        redact=redact,
        counts=counts or uncounted(),
    )


def _destination(configuration: Configuration, decision: Decision, now: datetime) -> Destination:
    rule = next((rule for rule in configuration.rules if rule.id == decision.cause), None)
    if rule is None and configuration.mistakes:
        # It may be among those with a mistake: a slip of the pen must not bury its events.
        said = f"the rule {decision.rule!r} is not among the sound ones: `doorbell check` says more"
        raise Unreachable(said, until=now + MENDING)
    destination = _still_there(rule, decision)
    if destination.unset:
        missing = ", ".join(destination.unset)
        raise Unreachable(f"{missing} is unset: it waits until it is set", until=now + MENDING)
    return destination


def _still_there(rule: Rule | None, decision: Decision) -> Destination:
    if rule is None:
        raise Finished(f"the rule {decision.rule!r} is gone from the configuration")
    if rule.forward is None:
        raise Finished(f"the rule {decision.rule!r} forwards nothing any more")
    return rule.forward


def _refuse_loop(entry: Entry) -> None:
    if hops(entry.headers) >= MAX_HOPS:
        raise Finished(f"it came through {MAX_HOPS} doorbells already: they forward in a circle")


def _headers(
    destination: Destination, decision: Decision, entry: Entry, body: bytes, now: datetime
) -> list[tuple[str, str]]:
    secrets = [secret.reveal() for secret in destination.secrets]
    own = {
        name.lower(): text.reveal() if isinstance(text, Secret) else text
        for name, text in destination.headers.items()
    }
    ours = headers_of(body, decision, entry, secrets, now)
    return list({**ALWAYS, **own, **ours}.items())


def _judge(
    answer: Answer, destination: Destination, now: datetime, redact: Callable[[str], str]
) -> None:
    """Return if it was taken. Raises as `Forwards.forward` does."""
    words = _plain(answer.words.decode("utf-8", "replace"), destination, redact)
    said = f"{destination.label} answered {answer.status}{f': {words}' if words else ''}"
    match answer.status // 100:
        case 2:
            return
        case 3:
            raise Finished(f"{said} (redirects are not followed: write the address it moved to)")
        case 4 if answer.status not in LATER:
            raise Finished(said)
        case _:
            raise Undeliverable(said, retry_after=_retry_after(answer.retry_after, now))


def _failure(answer: Answer) -> str | None:
    """What the breaker hears: who refuses for good is well, who says later is not."""
    well = 200 <= answer.status < 500 and answer.status not in LATER  # noqa: PLR2004 - statuses
    return None if well else f"it answered {answer.status}"


def _plain(words: str, destination: Destination, redact: Callable[[str], str]) -> str:
    """A stranger's words in one short line, without our secrets: they come into our inbox and logs."""
    for secret in _secrets_of(destination):
        words = words.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in redact(words)).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def _secrets_of(destination: Destination) -> Iterable[str]:
    texts = [*destination.secrets, *destination.headers.values()]
    return [text.reveal() for text in texts if isinstance(text, Secret)]


def _retry_after(text: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After asks for, an hour at most; None where it says nothing."""
    asked = pauses.asked(text, now)
    if asked is None:
        return None
    return timedelta(seconds=min(asked, LONGEST_RETRY_AFTER.total_seconds()))
