"""What a person's `run.start` means: a run of a playbook that no rule asked for, or why there is none; pure.

It is a start like others, so it stands in `why` and counts for the day's caps; rules, their limits and their trust
have no part in it.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.dispatch.decide import PERSON, decision_id, workflow_id_of
from orchestrator.dispatch.words import answer, by
from orchestrator.errors import OperatorError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.playbooks import admitted
from orchestrator.rules.load import closest
from workflows.playbook import Playbook, Stage

START: Final = "run.start"
LIMITS: Final = "no rule's limits apply, the caps of the day do"


def workflow_of(word: Event) -> str:
    """The run that the word is for: of its key, or one of its own."""
    return workflow_id_of(f"operator:{_playbook(word)}", _key(word) or word.id)


def started(
    word: Event, playbooks: Mapping[str, Playbook], configuration: str, there: str | None
) -> Decision:
    """The decision about the word; `there` is the open run of its key, which is told instead."""
    refusal = _refused(word, playbooks)
    if refusal is not None:
        return answer(word, refusal)
    workflow_id = workflow_of(word)
    return Decision(
        id=decision_id(word.id, PERSON),
        event_id=word.id,
        cause=PERSON,
        rule=PERSON,
        action=Action.START,
        reason=f"{START} by {by(word)}: {_told(there) if there else LIMITS}",
        playbook=_playbook(word),
        with_=_given(word),
        key=_key(word) or word.id,
        stage=_stage(word),
        workflow_id=workflow_id,
        lane=workflow_id,
        configuration=configuration,
    )


def _told(there: str) -> str:
    return (
        f"run {there} of this key is open and is told (mode signal); its own inputs and stage stay"
    )


def _refused(word: Event, playbooks: Mapping[str, Playbook]) -> str | None:
    name, key = _playbook(word), word.data.get("key")
    playbook = playbooks.get(name)
    if playbook is None:
        return f"there is no sound playbook {name!r}{closest(name, playbooks)}"
    if not isinstance(_given(word), Mapping):
        return f"expected inputs by name in `with`, got {type(_given(word)).__name__}"
    if key is not None and not (isinstance(key, str) and all(key.partition(":"))):
        return f"expected a key such as issue:7, got {key!r}"
    if _stage(word) not in set(Stage):
        return f"expected the stage preview or live, got {_stage(word)!r}"
    return _unfit(playbook, _given(word))


def _unfit(playbook: Playbook, given: Mapping[str, Any]) -> str | None:
    try:
        admitted(playbook, given)
    except OperatorError as error:
        return str(error)
    return None


def _playbook(word: Event) -> str:
    return str(word.data.get("playbook", ""))


def _given(word: Event) -> Any:
    return word.data.get("with", {})


def _key(word: Event) -> str | None:
    key = word.data.get("key")
    return key if isinstance(key, str) and key else None


def _stage(word: Event) -> str:
    return str(word.data.get("stage", Stage.PREVIEW))
