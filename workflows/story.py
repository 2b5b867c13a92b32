"""What the Temporal UI tells of a run: markdown made of names and figures, never of anybody's text."""

from workflows.loop import State, Tally
from workflows.messages import CallOutcome, CallState, Opened, Reply, RunState, Stop
from workflows.plain import plain_lines
from workflows.policy import Verdict

SHOWN_TURNS = 12


class Story:
    """The current details of one run, kept short: the newest turns only."""

    def __init__(self, carried: tuple[str, ...] = ()) -> None:
        self.head = carried[0] if carried else ""
        self.lines = list(carried[1:])

    def carried(self) -> tuple[str, ...]:
        """All of it, for continue-as-new."""
        return (self.head, *self.lines)

    def opened(self, opened: Opened) -> None:
        """A conversation began."""
        self.head = (
            f"run `{opened.run_id}` · {opened.model} · {len(opened.tools)} tools · {opened.stage}"
        )
        if opened.notice:
            self.head += f"\n\n_{opened.notice}_"

    def replied(self, reply: Reply) -> None:
        """The model answered."""
        asked = ", ".join(f"`{_named(call.alias)}`" for call in reply.calls)
        said = "finished" if reply.stop is Stop.END_TURN else str(reply.stop)
        self._add(f"turn {reply.turn}: {asked or said}")

    def acted(self, verdicts: tuple[Verdict, ...], outcomes: list[CallOutcome]) -> None:
        """The calls of a turn were answered."""
        aliases = {verdict.call.call_id: verdict.call.alias for verdict in verdicts}
        noteworthy = [o for o in outcomes if o.state is not CallState.DONE]
        for outcome in noteworthy:
            self._add(f"`{_named(aliases[outcome.call_id])}`: **{outcome.state}**")

    def told(self, state: RunState, reason: str, loop: State | None) -> str:
        """The whole story as markdown. Money is written `USD 0.04`: two dollar signs would render as a formula."""
        now = f"**{state}**" + (f": {plain_lines(reason)}" if reason else "")
        spent = ""
        if loop is not None:
            money = f"USD {loop.spent.usd:.4f} of {loop.budget.usd}"
            tokens = f"{loop.spent.tokens} of {loop.budget.tokens} tokens"
            spent = f"{money} · {tokens} · {loop.turn} of {loop.budget.turns} turns"
        listed = "\n".join(f"- {line}" for line in self.lines)
        written = "" if loop is None else _written(loop.tally)
        return "\n\n".join(part for part in (now, written, spent, self.head, listed) if part)

    def _add(self, line: str) -> None:
        self.lines = [*self.lines, line][-SHOWN_TURNS:]


def _written(tally: Tally) -> str:
    """What became of its writes, as far as there were any."""
    counts = {
        "done": tally.written,
        "proposed": tally.proposed,
        "denied": tally.denied,
        "unknown": tally.unknown,
    }
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"writes: {said}" if said else ""


def _named(alias: str) -> str:
    return alias.replace("__", ".", 1)
