"""Why a call may not leave, as the model is told it and as it is counted (promise O3); it decides nothing."""

from dataclasses import dataclass

from typing_extensions import override

from orchestrator.telemetry.words import Unmade
from workflows.messages import CallState


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason, in one of few words and in a sentence."""

    why: Unmade
    words: str

    @property
    def state(self) -> CallState:
        """How such a call ends: denied, except where its server is away, which is nobody's no."""
        return CallState.REFUSED if self.why is Unmade.UNHEARD else CallState.DENIED

    @override
    def __str__(self) -> str:
        return self.words


def refusal(why: Unmade, words: str | None) -> Refusal | None:
    """The refusal that these words are; None where there are none."""
    return None if words is None else Refusal(why, words)
