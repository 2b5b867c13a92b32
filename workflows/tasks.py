"""The calls of one turn that are not done with: which is asked after when, and what people are asked meanwhile.

A call is `begun` where its server works on it; one that isn't waits only for people, and is made once more when they
have answered. It knows no clock; times are seconds since 1970.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from workflows.asks import Question
from workflows.messages import Waiting
from workflows.waits import FIRST_GRACE, LONGEST_GRACE

TIME_UP = "the time of this conversation is up"


@dataclass(slots=True, kw_only=True)
class Asked:
    """An open question to people; `grace` is how long it stays open yet when a word that came in time is on its way."""

    question: Question
    deadline: float
    grace: float = FIRST_GRACE


@dataclass(slots=True, kw_only=True)
class Task:
    """One call; `hint` is the event that said it may be worth asking after."""

    waiting: Waiting
    look_at: float
    begun: bool = True
    hint: str | None = None
    asked: dict[str, Asked] = field(default_factory=dict)


class Tasks:
    """Calls of one turn that their servers answer later.

    After `left` seconds, where they are limited, each is asked once more and then no longer waited for.
    """

    def __init__(
        self,
        opened: Iterable[Waiting],
        now: float,
        left: float | None,
        again: Collection[str] = (),
    ) -> None:
        self._until = math.inf if left is None else now + left
        self._over = False
        self._tasks: dict[str, Task] = {}
        for one in opened:
            self.open(one, now, begun=one.call_id not in again)

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def open(self, waiting: Waiting, now: float, *, begun: bool) -> None:
        """Wait for this call from now on, in place of what was waited for it before."""
        self._tasks.pop(waiting.call_id, None)
        if waiting.ended is None:
            at = min(now + waiting.seconds, self._until) if begun else self._until
            self._tasks[waiting.call_id] = Task(waiting=waiting, look_at=at, begun=begun)
            self.ask(waiting.call_id, waiting.asks, now)

    @property
    def wants(self) -> str:
        """What is waited for, in words."""
        found = dict.fromkeys(one.waiting.wants for one in self._tasks.values())
        return "; ".join([*found, *([self.people] if self.people else [])])

    @property
    def people(self) -> str:
        """What people are asked, in words; empty where nobody is."""
        return "; ".join(one.question.wants for one in self._questions())

    @property
    def stirs_at(self) -> float:
        """When something is to be done: a call is asked after, or the time of a question is up."""
        looks = [one.look_at for one in self._tasks.values()]
        return min([*looks, *(one.deadline for one in self._questions())])

    @property
    def ready(self) -> list[str]:
        """The calls that are to be made once more: their servers asked, and everybody has answered."""
        return [call_id for call_id, one in self._tasks.items() if not one.begun and not one.asked]

    def has(self, wait_id: str | None) -> bool:
        """Whether an event for this wait hints at one of them."""
        return any(one.waiting.wait_id == wait_id for one in self._tasks.values())

    def hint(self, wait_id: str, event_id: str) -> None:
        """An event came for this wait: whose it is, is asked after at once."""
        for one in self._tasks.values():
            if one.waiting.wait_id == wait_id and one.begun:
                one.look_at, one.hint = -math.inf, event_id

    def due(self, now: float) -> list[tuple[str, str | None, str]]:
        """Which calls are to be asked after, by what hint, and why for the last time; empty where it isn't."""
        self._over = now >= self._until
        last = TIME_UP if self._over else ""
        return [
            (call_id, one.hint, last) for call_id, one in self._tasks.items() if one.look_at <= now
        ]

    def again(self, call_id: str, at: float) -> None:
        """It is under way yet: ask again then."""
        one = self._tasks[call_id]
        one.hint, one.look_at = None, at if self._over else min(at, self._until)

    def end(self, call_id: str) -> None:
        """This one has ended."""
        del self._tasks[call_id]

    def ask(self, call_id: str, questions: Sequence[Question], now: float) -> None:
        """These are its open questions now; one that was open before keeps its time."""
        one = self._tasks[call_id]
        one.asked = {
            asked.approval_id: one.asked.get(
                asked.approval_id, Asked(question=asked, deadline=now + asked.seconds)
            )
            for asked in questions
        }

    def answered(self, approval_id: str) -> None:
        """This question is settled: its server is told at once."""
        for one in self._tasks.values():
            if one.asked.pop(approval_id, None) is not None and one.begun:
                one.look_at = -math.inf

    def overdue(self, now: float) -> list[str]:
        """The questions whose time is up."""
        return [one.question.approval_id for one in self._questions() if one.deadline <= now]

    def linger(self, approval_id: str, now: float) -> None:
        """Its time is up, but a word that came in time is on its way from the inbox: look again later."""
        for one in self._questions():
            if one.question.approval_id == approval_id:
                one.deadline, one.grace = now + one.grace, min(one.grace * 2, LONGEST_GRACE)

    def _questions(self) -> list[Asked]:
        return [asked for one in self._tasks.values() for asked in one.asked.values()]
