"""What a rehearsal is of: the event with the inputs that today's files give it, and the run that came of it before."""

from dataclasses import replace

import click
import pytest

from orchestrator.cli.inputs import typed
from orchestrator.cli.recounting import account
from orchestrator.cli.scene import Wanted, scene_of
from orchestrator.errors import OperatorError
from orchestrator.ledger import approvals, conversations, pruning, waits
from orchestrator.playbooks import InputError
from orchestrator.sources.source import OPERATOR
from tests.support.builders import (
    AT,
    KEY,
    MARK,
    RUN,
    WORKFLOW,
    comment,
    configuration,
    opening,
    rule,
    source,
    wait,
    word,
)
from tests.support.installed import Installed
from tests.support.rehearsed import PLAYBOOK
from workflows.approvals import Standing
from workflows.messages import CallState, Outcome, RunState
from workflows.own_tools import ASK, BUILTIN
from workflows.playbook import Effect, InputType, OnTimeout, Stage

NUMBERED = replace(PLAYBOOK, inputs={"number": InputType.INTEGER})


def rules(number):
    return rule(with_={"number": number})


def files(*of, playbook=NUMBERED, sources=None):
    return replace(
        configuration(*of),
        sources={"github": source()} if sources is None else sources,
        playbooks={"triage": playbook},
    )


@pytest.fixture
def there(tmp_path):
    return Installed(tmp_path / "state")


def opening_of(decision_id, name, **changes):
    return opening(decision_id, workflow_id=f"x~{name}", **changes)


def pruned(connection):
    assert pruning.prune(connection, [RUN], AT + 99, AT + 99) == 1


def scene(there, configured, event="evt_1", **wanted):
    asked = Wanted(playbook="triage", event=event, **wanted)
    return there.use(lambda stores: scene_of(stores, configured, asked))


def test_the_inputs_are_those_that_a_rule_of_today_gives(there):
    there.kept(comment("evt_1"), rules(1))
    found = scene(there, files(rules(2)))
    assert found.decision.with_ == {"number": 2}
    assert (found.decision.cause, found.decision.key) == ("triage", KEY)
    assert found.decision.stage == Stage.PREVIEW
    assert found.run_id.startswith("rehearsal")


def test_where_no_rule_of_today_runs_it_they_are_those_of_the_decision(there):
    there.kept(comment("evt_1"), rules(1))
    other = replace(rules(2), on=("github/push",))
    assert scene(there, files(other)).decision.with_ == {"number": 1}


def test_what_is_typed_wins_and_is_enough(there):
    there.kept(comment("evt_1"), rules(1))
    there.only_kept(comment("evt_2"))
    assert scene(there, files(rules(2)), given=["number=3"]).decision.with_ == {"number": 3}
    alone = scene(there, files(), event="evt_2", given=["number=4"]).decision
    assert (alone.with_, alone.key, alone.rule) == ({"number": 4}, "evt_2", "rehearsal")


def test_without_inputs_nothing_is_rehearsed(there):
    there.only_kept(comment("evt_1"))
    with pytest.raises(InputError, match="missing \\['number'\\]"):
        scene(there, files())


def test_two_rehearsals_are_two_runs(there):
    there.kept(comment("evt_1"), rules(1))
    assert scene(there, files(rules(1))).run_id != scene(there, files(rules(1))).run_id


def test_the_newest_run_that_the_event_opened_with_this_playbook_is_the_earlier_one(there):
    there.kept(comment("evt_1"), rules(1))
    assert scene(there, files(rules(1))).earlier is None
    there.began()
    there.write(conversations.begin, opening_of("dec_2", "second"), AT + 1)
    there.write(conversations.begin, opening_of("dec_3", "other", playbook="other"), AT + 2)
    there.write(conversations.begin, opening_of("dec_4", "heard", event_id="evt_0"), AT + 3)
    there.write(conversations.hear, "heard.1", "evt_1", 1, "handed in", AT + 4)
    assert scene(there, files(rules(1))).earlier.run_id == "second.1"
    assert scene(there, files(rules(1)), against="other").earlier.playbook == "other"


def test_an_event_whose_words_are_gone_or_in_doubt_is_not_rehearsed(there):
    there.only_kept(
        comment("evt_1"), replace(comment("evt_2", text="Other."), delivery_id="d-evt_1")
    )
    with pytest.raises(OperatorError, match="evt_2 can't be rehearsed: it is quarantined"):
        scene(there, files(rules(1)), event="evt_2")


def test_a_source_that_is_gone_from_the_files_is_named(there):
    there.only_kept(comment("evt_1"))
    with pytest.raises(OperatorError, match="'github' of event evt_1 is no longer configured"):
        scene(there, files(rules(1), sources={}))


def test_what_a_person_said_can_be_read_without_a_file(there):
    there.only_kept(word("evt_1", "resume", "r"))
    found = scene(there, files(), given=["number=1"])
    assert found.entry.source == OPERATOR


def test_reads_are_replayed_from_the_earlier_run_or_the_one_that_is_named(there):
    there.kept(comment("evt_1"), rules(1))
    with pytest.raises(OperatorError, match="name one"):
        scene(there, files(rules(1)), replay=True)
    there.began()
    there.called("1.0", CallState.DONE)
    found = scene(there, files(rules(1)), replay=True)
    assert (found.recording, [one.call_id for one in found.answers]) == (RUN, ["1.0"])
    there.write(conversations.begin, opening_of("dec_2", "second"), AT + 1)
    assert scene(there, files(rules(1)), replay=True, recording=RUN).recording == RUN
    assert scene(there, files(rules(1)), replay=True).recording == "second.1"


def test_a_run_that_is_replayed_is_the_one_that_is_compared_with_unless_another_is_named(there):
    there.kept(comment("evt_1"), rules(1))
    there.only_kept(comment("evt_2"))
    there.began()
    there.write(conversations.begin, opening_of("dec_2", "second"), AT + 1)
    replayed = {"replay": True, "recording": RUN}
    assert scene(there, files(rules(1)), **replayed).earlier.run_id == RUN
    elsewhere = scene(there, files(rules(1)), event="evt_2", **replayed)
    assert (elsewhere.earlier.run_id, elsewhere.recording) == (RUN, RUN)
    both = scene(there, files(rules(1)), against="second", **replayed)
    assert (both.earlier.run_id, both.recording) == ("second.1", RUN)


@pytest.mark.parametrize("asked", [{"replay": True, "recording": RUN}, {"against": RUN}])
def test_a_run_whose_words_are_gone_is_neither_replayed_nor_compared_with(there, asked):
    there.kept(comment("evt_1"), rules(1))
    there.began()
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED)
    assert scene(there, files(rules(1))).earlier.came == "completed"
    there.write(pruned)
    assert scene(there, files(rules(1))).earlier is None
    with pytest.raises(OperatorError, match="was pruned"):
        scene(there, files(rules(1)), **asked)


def test_a_run_is_told_with_what_it_called_spent_and_said_and_where_it_waited(there):
    there.only_kept(comment("evt_1"))
    there.began()
    there.frozen("claude-sonnet-5-5")
    there.said(1, {"type": "text", "text": "I'll look."})
    there.called("1.0", CallState.DONE, arguments={"body": f"Hello\n\n{MARK}", "key": f"{RUN}/1.0"})
    there.called("2.0", CallState.DONE, turn=2, server="", tool="made_up", effect=Effect.READ)
    there.called("w1", CallState.DONE, turn=2, position=1, server="doorbell", tool="wait")
    there.called("1.0:applied", CallState.DONE, turn=0)
    there.write(waits.begin, wait())
    there.write(conversations.hear, RUN, "evt_2", 2, "handed in", AT + 5)
    there.said(2, {"type": "text", "text": "Done."}, {"type": "tool_use"})
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED)

    async def read(stores):
        return await stores.ledger.read(account, RUN)

    found = there.use(read)
    assert [(one.tool, one.turn) for one in found.calls] == [
        ("github.comment", 1),
        ("made_up", 2),
        ("doorbell.wait", 2),
    ]
    assert found.calls[0].arguments == {"body": "Hello", "key": "[ours]"}
    assert (found.turns, found.tokens, float(found.usd), found.waited) == (2, 220, 0.02, 2)
    assert found.heard == 2
    assert (found.came, found.said, found.model) == ("completed", "Done.", "claude-sonnet-5-5")


def asked_of_people(there, call_id):
    """The run stood still at this call of an earlier turn, until a person consented to it."""
    values = {"approval_id": f"apr_{call_id}", "code": call_id, "call_id": call_id}
    asked = approvals.Approval(
        run_id=RUN,
        workflow_id=WORKFLOW,
        number=1,
        tool="github.comment",
        digest="d",
        by=("role:maintainer",),
        on_timeout=OnTimeout.DENY,
        standing=Standing.OPEN,
        asked_at=AT,
        expires_at=AT + 3600,
        **values,
    )
    there.write(approvals.open_request, asked)


def began_with(there, *turned):
    """The run's calls, each of a turn of its own from the second on."""
    there.only_kept(comment("evt_1"))
    there.began()
    there.frozen("claude-sonnet-5-5")
    for turn, (call_id, changes) in enumerate(turned, 2):
        there.called(call_id, CallState.DONE, turn=turn, **changes)


def waited(there):
    async def read(stores):
        return await stores.ledger.read(account, RUN)

    return there.use(read).waited


def test_a_run_waited_first_where_a_rehearsal_would_and_not_for_consent_to_a_write(there):
    asks = {"server": BUILTIN, "tool": "ask", "alias": ASK}
    began_with(there, ("a", {}), ("b", {}), ("w1", {"effect": Effect.READ}), ("q", asks))
    asked_of_people(there, "a")
    there.write(waits.begin, wait("wait_b", call_id="b"))
    assert waited(there) is None
    asked_of_people(there, "q")
    assert waited(there) == 5
    there.write(waits.begin, wait())
    assert waited(there) == 4


def test_a_run_waited_for_consent_to_a_read_as_a_rehearsal_would(there):
    began_with(there, ("a", {"effect": Effect.READ}), ("w1", {"effect": Effect.READ}))
    asked_of_people(there, "a")
    there.write(waits.begin, wait())
    assert waited(there) == 2


TYPED = replace(
    PLAYBOOK,
    inputs={"n": InputType.INTEGER, "b": InputType.BOOLEAN, "s": InputType.SLUG},
)


def test_inputs_are_typed_as_the_playbook_says():
    given = ["n=-7", "b=true", "s=a=b", "other=1"]
    assert typed(TYPED.inputs, given) == {"n": -7, "b": True, "s": "a=b", "other": "1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["n"], "expected --with NAME=VALUE, got 'n'"),
        (["=1"], "expected --with NAME=VALUE"),
        (["n=1", "n=2"], "an input is given twice"),
    ],
)
def test_inputs_that_are_none_are_mistakes(given, said):
    with pytest.raises(click.UsageError, match=said):
        typed(TYPED.inputs, given)


def test_a_number_that_is_none_is_said():
    with pytest.raises(OperatorError, match="expected a whole number, got 'seven'"):
        typed(TYPED.inputs, ["n=seven"])
