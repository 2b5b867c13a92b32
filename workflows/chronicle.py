"""What a run writes down of its open conversation: notes, where it is, how it ended; it decides none of it."""

from collections.abc import Callable
from dataclasses import replace

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from workflows import calls
from workflows.activities import Outside
from workflows.carried import Carried
from workflows.hops import RUN_STATE
from workflows.loop import Loop, State
from workflows.messages import Note, Outcome, Record, RunState
from workflows.story import Story

OUTCOME = SearchAttributeKey.for_keyword("Outcome")


class Chronicle:
    """The open conversation of a run, if there is one, and what is written down of it."""

    def __init__(self, carried: Carried) -> None:
        self.loop: Loop | None = Loop(carried.conversation) if carried.conversation else None
        self.story = Story(carried.story)
        self.run_id = self.loop.state.run_id if self.loop else carried.run_id
        self.made = carried.made
        self.ended: list[Outcome] = []
        self.woken = False
        self.shown = (RunState.RUNNING, "")

    async def _note(
        self,
        loop: Loop,
        *,
        text: str = "",
        event_id: str | None = None,
        nudge: bool = False,
        folded: tuple[str, ...] = (),
        wait_id: str | None = None,
    ) -> None:
        state = loop.state
        note = Note(
            run_id=state.run_id,
            turn=state.turn + 1,
            ordinal=state.notes,
            text=text,
            event_id=event_id,
            folded=folded,
            wait_id=wait_id,
        )
        while (noted := await calls.local(Outside.note, note, "note")).taken:
            note = replace(note, ordinal=loop.noted() + 1)
        if noted.said:
            loop.noted(nudge=nudge)

    async def _close(self, outcome: Outcome, reason: str) -> None:
        """End the open conversation with every call answered, by what is known of it."""
        if self.loop is not None:
            unanswered = self.loop.state.calls
            if unanswered:
                answers = await calls.give_up(self.run_id, unanswered, reason)
                self.loop.answered(tuple(answers))
            reason = _cancelled(reason, self.loop.state)
        await self._end(self.run_id, outcome, reason)

    async def _end(self, run_id: str, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.NEEDS_ATTENTION and self.loop is not None:
            reason = reason or _unsettled(self.loop.state)
        record = Record(run_id=run_id, state=RunState.ENDED, reason=reason, outcome=outcome)
        await calls.local(Outside.record, record, f"ended: {outcome}")
        workflow.upsert_search_attributes(
            [OUTCOME.value_set(str(outcome)), RUN_STATE.value_set(str(RunState.ENDED))]
        )
        self._show(RunState.ENDED, f"{outcome} {reason}".strip())
        self.ended.append(outcome)
        self.loop, self.run_id, self.woken = None, "", False
        # Calls are named by turn and place: the next conversation would take its own for made, and never make them.
        if self.made and workflow.patched("what was made ends with its conversation"):
            self.made = ()

    async def _record(self, state: RunState, reason: str) -> None:
        record = Record(run_id=self.run_id, state=state, reason=reason)
        await calls.local(Outside.record, record, f"{state}")
        workflow.upsert_search_attributes([RUN_STATE.value_set(str(state))])
        self._show(state, reason)

    async def _stands(self, state: RunState, reason: str, stirs: Callable[[], bool]) -> None:
        """Write down where it stands still, unless it was woken there by what stirs it now: then that stands there."""
        woken, self.woken = self.woken, False
        if woken and stirs():
            self._show(state, reason)
        else:
            await self._record(state, reason)

    def _show(self, state: RunState, reason: str) -> None:
        self.shown = (state, reason)
        workflow.set_current_details(
            self.story.told(state, reason, self.loop.state if self.loop else None)
        )


def _unsettled(state: State) -> str:
    """What somebody has to look at after a run that came to its end by itself."""
    names = {card.alias: f"{card.server}.{card.name}" for card in state.tools}
    unknown, failed = (
        state.tally.unknown,
        ", ".join(names.get(alias, alias) for alias in state.unwritten),
    )
    said = [f"writes of which nobody knows: {unknown}"] if unknown else []
    return "; ".join([*said, f"meant and not written: {failed}"] if failed else said)


def _cancelled(reason: str, state: State) -> str:
    unknown = state.tally.unknown
    return f"{reason}; writes of which nobody knows: {unknown}" if unknown else reason
