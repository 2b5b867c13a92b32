"""Two installations of Doorbell that watch one issue of the GitHub stand-in and answer every comment on it.

Each has its own inbox, ledger and dispatcher; of a run only its one write is played, by the code that makes it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.agent.calling import once
from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.hands.definitions import Answered
from orchestrator.agent.means import Means
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Transaction
from orchestrator.demo import github_objects
from orchestrator.demo.github_state import GitHubState
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import artifacts, calls, causes, conversations
from orchestrator.rules.rule import Trust
from tests.support.builders import frozen, github, opening, rule, source, tool
from tests.support.roads import Road, road_at
from workflows.flow import Mode
from workflows.messages import CallRequest, CallState

COMMENT = "github__add_issue_comment"
STEP = timedelta(seconds=20)


@dataclass
class World:
    """The issue, and what rang for its comments; `strips` is whether GitHub shows our markers to nobody."""

    state: GitHubState
    now: datetime
    strips: bool
    rung: list[Any] = field(default_factory=list)

    @property
    def comments(self) -> list[Any]:
        return self.state.comments.get(self.state.subject, [])

    def say(self, author: Any, text: str) -> None:
        self.now += STEP
        shown = re.sub(r"\s*<!--.*?-->", "", text) if self.strips else text
        _, (_, payload) = self.state.comment(self.state.subject, author, shown)
        self.rung.append(payload)


@dataclass
class Hands:
    """Comments on the issue as this account."""

    world: World
    account: Any

    async def call(self, *what: Any, before_send: Any, **_how: Any) -> Answered:
        assert await before_send()
        self.world.say(self.account, what[2]["body"])
        text = ({"type": "text", "text": "done"},)
        return Answered(content=text, is_error=False, full=b"", full_media_type="text/plain")


@dataclass
class Talker:
    """One installation, under the name it writes with."""

    road: Road
    hands: Hands
    trust: Trust
    heard: int = 0
    refusals: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    async def listen(self, name: str, payload: Any) -> None:
        """Take in one comment, and answer it in a run of its own if a rule says so."""
        self.heard += 1
        event_id = f"evt_{name}{self.heard}"
        arrived = replace(github(event_id, "issue_comment", payload), received_at=self._now)
        await self.road.keep(arrived)
        await self.road.dispatcher.decide_some()
        for decision in (await self.road.inbox.decisions([event_id]))[event_id]:
            if decision.action is Action.START:
                await self._answer(decision)
            else:
                self.skipped.append(decision.reason)

    @property
    def _now(self) -> datetime:
        return self.hands.world.now

    def _seconds(self) -> float:
        return self._now.timestamp()

    async def _answer(self, decision: Decision) -> None:
        entry = await self.road.inbox.entry(decision.event_id)
        about = (decision, entry.subject)
        run_id = await self.road.ledger.write(_opened, *about, self._now.timestamp())
        await once.call(self._means(), CallRequest(run_id=run_id, call_id="1.0"), 1)
        made = await self.road.ledger.read(calls.one, run_id, "1.0")
        if made.state is CallState.REFUSED:
            self.refusals.append(made.content[0]["text"])

    def _means(self) -> Means:
        rules = Configuration(
            digest="sha",
            sources={"github": source()},
            servers={},
            playbooks={},
            rules=self.road.rules,
        )
        return Means(
            inbox=self.road.inbox,
            ledger=self.road.ledger,
            model=None,
            hands=self.hands,
            configuration=lambda: rules,
            now=self._seconds,
            scripted=True,
        )


def _opened(connection: Transaction, decision: Decision, subject: str, at: float) -> str:
    """The run's conversation up to the reply that asks for its one comment."""
    begun = opening(
        decision.id, event_id=decision.event_id, workflow_id=decision.workflow_id, key=decision.key
    )
    run_id = conversations.begin(connection, begun, at).run_id
    pin = frozen(tool("add_issue_comment"), subject=subject)
    digest = artifacts.put(connection, pins.dump(pin), "application/json", at)
    conversations.freeze(connection, run_id, digest, pin.model)
    said = [{"type": "tool_use", "id": "t", "name": COMMENT, "input": {"body": "You are right."}}]
    hops = causes.of_run(connection, run_id).hops
    (plan,) = pins.planned(pin, run_id, 1, said, hops)
    calls.intend(connection, run_id, 1, plan.intent, at)
    return run_id


@contextmanager
def talkers(
    directory: Path, world: World, logins: Sequence[str], *trusts: Trust, knows_itself: bool
) -> Iterator[tuple[Talker, ...]]:
    """All of them, each under its login."""
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(_talker(directory, world, login, number, trust, knows_itself))
            for number, (login, trust) in enumerate(zip(logins, trusts, strict=True))
        )


@contextmanager
def _talker(
    directory: Path, world: World, login: str, number: int, trust: Trust, knows_itself: bool
) -> Iterator[Talker]:
    home = directory / str(number)
    home.mkdir()
    answering = rule(
        f"answer-{number}", on=("github/issue_comment.created",), mode=Mode.PARALLEL, trust=trust
    )
    # Whom the rule of its run trusts is looked up by the rule's name.
    answering = replace(answering, name="triage")
    with road_at(home, answering) as road:
        own = frozenset({login}) if knows_itself else frozenset()
        road.sources["github"] = source(own_actors=own)
        hands = Hands(world, github_objects.user(login, 100 + number))
        yield Talker(road, hands, trust)


async def talk(world: World, talking: Sequence[Talker], most: int = 200) -> None:
    """Everybody hears every comment, until nobody says anything any more or they have heard `most`."""
    for _ in range(most):
        if not world.rung:
            return
        payload = world.rung.pop(0)
        for number, talker in enumerate(talking):
            await talker.listen("ab"[number], payload)
