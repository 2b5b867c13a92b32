"""What a run asks of the outside world: signatures only, implemented in `orchestrator.agent.activities`.

A tool call is a dynamic activity named after its tool (`github.issue_write`), so it has no signature here: it
takes a `CallRequest` and returns a `CallOutcome`.
"""

from temporalio import activity

from workflows.approvals import Asked, Asking, Expired, Expiring, Heeded, Word
from workflows.looks import Look, Looked
from workflows.messages import (
    Answer,
    Ask,
    CallOutcome,
    CallRequest,
    Claimed,
    ClaimRequest,
    Done,
    EndWait,
    Limits,
    Note,
    Noted,
    Opened,
    OpenRequest,
    Proposals,
    Record,
    Reply,
    RunRef,
    Settle,
    WaitEnded,
    Waiting,
    WaitRequest,
)

PERSON = "person"
"""The error type of a failure that somebody must mend: the run parks with the message."""


class Outside:
    """Every activity but the tools; each may run more than once and leaves the same rows behind."""

    @activity.defn
    async def claim(self, request: ClaimRequest) -> Claimed:
        """Take a decision for this run; the guard that makes every event count once."""
        raise NotImplementedError

    @activity.defn
    async def begin(self, request: OpenRequest) -> RunRef:
        """Give the conversation of this decision its number, once."""
        raise NotImplementedError

    @activity.defn
    async def prepare(self, ref: RunRef) -> Opened:
        """Choose the playbook, discover and curate the tools, freeze the prompt."""
        raise NotImplementedError

    @activity.defn
    async def ask_model(self, ask: Ask) -> Reply:
        """One model turn; a recorded reply is returned, never paid twice."""
        raise NotImplementedError

    @activity.defn
    async def propose(self, request: CallRequest) -> CallOutcome:
        """Record a call as a proposal."""
        raise NotImplementedError

    @activity.defn
    async def settle_lost(self, request: Settle) -> CallOutcome:
        """Say how a call ended that nobody waits for any more: its result, or in words that nobody knows."""
        raise NotImplementedError

    @activity.defn
    async def answer(self, answer: Answer) -> CallOutcome:
        """Answer a call without sending it."""
        raise NotImplementedError

    @activity.defn
    async def gone(self, ref: RunRef) -> Done:
        """A wake-up found no conversation: close its wait, and say that its Temporal run is gone."""
        raise NotImplementedError

    @activity.defn
    async def note(self, note: Note) -> Noted:
        """Put words or an event before the model's next turn."""
        raise NotImplementedError

    @activity.defn
    async def expect(self, request: WaitRequest) -> Done:
        """Register the wait for the event that answers this call later, before the call is made."""
        raise NotImplementedError

    @activity.defn
    async def open_wait(self, request: WaitRequest) -> Waiting:
        """Register the wait of this call."""
        raise NotImplementedError

    @activity.defn
    async def end_wait(self, request: EndWait) -> WaitEnded:
        """End a wait by compare-and-set, and answer its call if this way was the first."""
        raise NotImplementedError

    @activity.defn
    async def hear_late(self, request: EndWait) -> WaitEnded:
        """An event came for a call that somebody applied, and no conversation hears it: complete that call's result."""
        raise NotImplementedError

    @activity.defn
    async def ask_person(self, asking: Asking) -> Asked:
        """Ask people about this call; asked again, the same request, unless it expired and may be put again."""
        raise NotImplementedError

    @activity.defn
    async def heed(self, word: Word) -> Heeded:
        """Let a person's word count, once, if they may say it and it came in time."""
        raise NotImplementedError

    @activity.defn
    async def expire(self, request: Expiring) -> Expired:
        """End a request whose time is up, unless a word that came in time is on its way."""
        raise NotImplementedError

    @activity.defn
    async def limits(self, ref: RunRef) -> Limits:
        """The limits in force now."""
        raise NotImplementedError

    @activity.defn
    async def proposals(self, ref: RunRef) -> Proposals:
        """What a preview recorded and nobody has applied."""
        raise NotImplementedError

    @activity.defn
    async def record(self, record: Record) -> Done:
        """Write down where the conversation is."""
        raise NotImplementedError

    @activity.defn
    async def look(self, request: Look) -> Looked:
        """Ask a server how a call stands that it answers later; what it answers is the call's result."""
        raise NotImplementedError

    @activity.defn
    async def call_off(self, request: Look) -> Done:
        """Ask a server to stop what nobody waits for any more, and write down what it says."""
        raise NotImplementedError

    @activity.defn(name="tool.signature")
    async def tool(self, request: CallRequest) -> CallOutcome:
        """The shape of every tool activity; never called by this name."""
        raise NotImplementedError
