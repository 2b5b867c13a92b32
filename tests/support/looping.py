"""A loop with three tools and a small budget, and short words to drive it."""

from decimal import Decimal

from tests.support.builders import card, opened, tool_call
from workflows.loop import Loop, State
from workflows.messages import CallOutcome, CallState, Reply, Spent, Stop
from workflows.playbook import Budget, Effect
from workflows.policy import Propose, Refuse, WaitFor

READ = card()
LABEL = card("github__label", Effect.WRITE, max=2)
COMMENT = card("github__comment", Effect.WRITE_ONCE, max=1)
TOOLS = (READ, LABEL, COMMENT)
BUDGET = Budget(usd=Decimal("0.10"), tokens=1000, turns=6, tool_calls=5)


def loop(**changes):
    return Loop(State.of(opened(*TOOLS, **{"budget": BUDGET} | changes)))


def says(turn, *aliases, stop=None, used=None):
    calls = tuple(tool_call(alias, f"c{turn}.{at}") for at, alias in enumerate(aliases))
    default = Stop.TOOL_USE if calls else Stop.END_TURN
    return Reply(turn=turn, stop=stop or default, calls=calls, spent=used or Spent())


def ended(verdict, state=CallState.DONE):
    forced = {Propose: CallState.PROPOSED, Refuse: CallState.REFUSED, WaitFor: CallState.DONE}
    return CallOutcome(call_id=verdict.call.call_id, state=forced.get(type(verdict), state))


def acted(subject, *aliases, state=CallState.DONE):
    turn = subject.next().turn
    subject.receive(says(turn, *aliases))
    verdicts = subject.next().verdicts
    subject.answered(tuple(ended(verdict, state) for verdict in verdicts))
    return verdicts
