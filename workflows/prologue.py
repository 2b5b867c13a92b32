"""What a run that waits long replays, and all it replays: it keeps what comes, until something is for it or it is time.

FROZEN. Histories of this very code lie in Temporal for weeks, while everything else here changes under them: that is
why it imports no loop, no budget and no policy, and why it decides nothing that `Asleep` doesn't say. A change of the
commands it gives needs `workflow.patched` and a history in `tests/temporal/histories`.
"""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from workflows.asleep import Asleep
from workflows.messages import Entry


class Prologue:
    """One sleep, and the mail that came in it."""

    def __init__(self, asleep: Asleep) -> None:
        self.asleep = asleep
        self.mail: tuple[Entry, ...] = ()
        self.woken = False

    def put(self, entry: Entry) -> None:
        """Keep it, with a token of its own."""
        kept = replace(entry, token=str(workflow.uuid4()), at=workflow.time())
        self.mail = (*self.mail, kept)
        self.woken = self.woken or self.asleep.heeds(kept) or len(self.mail) >= self.asleep.most

    async def sleep(self) -> None:
        """Until something woke it, or it is time. Raises CancelledError when the run is cancelled in Temporal."""
        workflow.set_current_details(self.asleep.details)
        try:
            await workflow.wait_condition(
                lambda: self.woken or workflow.info().is_continue_as_new_suggested(),
                timeout=self._left(),
                timeout_summary=self.asleep.summary,
            )
        except TimeoutError:
            return

    def _left(self) -> timedelta | None:
        until = self.asleep.until
        return None if until is None else timedelta(seconds=max(until - workflow.time(), 0.0))
