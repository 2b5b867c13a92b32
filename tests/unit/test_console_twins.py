"""The console of the state directory and the one over HTTP answer the same, and the CLI prints the same of both."""

import asyncio
import re
from datetime import date, timedelta

import pytest

from orchestrator.cli.consoles import indoors_of
from orchestrator.console import questions as q
from orchestrator.console.remote import Remote
from orchestrator.errors import AskerError, OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from tests.support.api import APPROVES, NAMESPACE, OPERATES, READS, answering
from tests.support.asgi import serving
from tests.support.builders import RUN, comment, rule
from tests.support.installed import Installed
from workflows.messages import CallState, RunState


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.refused("github")
    there.kept(comment("evt_1"), rule("other", on=("github/star.*",)))
    for number in range(2, 8):
        there.only_kept(comment(f"evt_{number}"))
    there.began("evt_1")
    there.called("1.0", CallState.PROPOSED)
    return there


QUESTIONS = [
    q.Events(limit=100),
    q.Events(limit=3),
    q.Events(source="github", type="issue_*", before="evt_3"),
    q.Events(after="evt_5"),
    q.Events(after="evt_"),
    q.Events(decisions=False),
    q.Event(event="evt_1"),
    q.Event(event="evt_9"),
    q.Event(event="evt_"),
    q.Delivery(event="evt_1"),
    q.Why(event="last"),
    q.Why(event="a?c#d%2B ü&b=1"),
    q.Refusals(source="github"),
    q.DeadLetters(),
    q.Runs(state=RunState.RUNNING, key="issue:acme/api#7"),
    q.Runs(before="nope"),
    q.Run(run=RUN),
    q.Log(run=RUN[:4]),
    q.Call(run=RUN, call="1.0"),
    q.Call(run=RUN, call="1.0?b#c%2B"),
    q.Call(run="nope", call="1.0"),
    q.LostRuns(),
    q.Playbooks(),
    q.Approvals(every=True),
    q.Approval(code="AAAAAAAAAA"),
    q.Rule(rule="nope"),
    q.Spend(day=date(2026, 11, 21)),
]


TIMES = re.compile('"before": ".*"')


def both(there, api, act):
    """What both consoles say to the same act: an answer, or a fault and its words."""

    async def said(console):
        try:
            return await act(console)
        except AskerError as error:
            return error.fault, error.detail

    state = StateDirectory(there.path)
    inside = there.use(lambda stores: said(indoors_of(Settings(), state, stores)))
    outside = asyncio.run(said(Remote(url=api.url, token=APPROVES)))
    return inside, outside


def test_o2_both_consoles_answer_every_question_alike(there):
    with answering(there, deciding=False) as api:
        for question in QUESTIONS:
            inside, outside = both(there, api, lambda console, asked=question: console.ask(asked))
            assert _but_for_files(inside) == _but_for_files(outside), question


def test_o2_both_consoles_take_words_alike(there):
    with answering(there, rule()) as api:
        for word in (
            q.Word(kind="run.apply", named=RUN, patience=5),
            q.Word(kind="run.cancel", named="nope"),
            q.Word(kind="rule.pause", named="triage"),
            q.Word(kind="rule.pause", named="nope"),
            q.Word(kind="source.unpause", named="github"),
            q.Word(kind="event.redeliver", named="evt_1"),
            q.Word(kind="decision.retry", named="nope"),
            q.Word(kind="run.deny", named="AAAAAAAAAA", more={"why": "no"}),
            q.Word(kind="run.start", named="nope", more={"with": {}}),
        ):
            inside, outside = both(there, api, lambda console, said=word: console.say(said))
            assert _but_for_names(inside) == _but_for_names(outside), word


def test_o2_both_consoles_do_acts_alike(there):
    with answering(there, deciding=False) as api:
        for act in (
            q.Prune(keep=timedelta(days=9_000), dry_run=True),
            q.Prune(keep=timedelta(0), dry_run=True),
            q.Prune(),
        ):
            inside, outside = both(there, api, lambda console, done=act: console.act(done))
            assert _but_for_times(inside) == _but_for_times(outside), act
        console = Remote(url=api.url, token=APPROVES)
        accepted = [asyncio.run(console.act(q.AcceptNamespace())) for _ in range(2)]

    same = {"namespace": "default", "identity": NAMESPACE, "changed": False}
    assert accepted == [{**same, "before": None}, {**same, "before": NAMESPACE}]


def test_o2_lists_longer_than_a_page_are_read_whole(there, monkeypatch):
    monkeypatch.setattr("orchestrator.console.remote.MOST", 2)
    with answering(there, deciding=False) as api:
        console = Remote(url=api.url, token=READS)
        five = asyncio.run(console.ask(q.Events(limit=5)))
        every = asyncio.run(console.ask(q.Events(limit=50)))

    assert ([one["id"][-1] for one in five["events"]], five["next"]) == (list("76543"), "evt_3")
    assert (len(every["events"]), every["next"]) == (7, None)


@pytest.mark.parametrize(
    "words",
    [
        ("events", "list"),
        ("events", "list", "--refused"),
        ("events", "show", "evt_1"),
        ("why", "evt_1"),
        ("why", "--last"),
        ("runs", "list"),
        ("runs", "show", RUN),
        ("runs", "log", RUN[:5]),
        ("runs", "log", RUN, "--call", "1.0"),
        ("approvals", "list", "--all"),
        ("events", "dead", "list"),
        ("events", "show", "evt_2", "--raw"),
        ("events", "prune", "--keep", "9000d", "--dry-run", "--json"),
        ("runs", "lost"),
    ],
)
def test_o2_the_command_line_prints_the_same_of_both(there, words):
    with answering(there, deciding=False) as api:
        here = there.doorbell(*words)
        elsewhere = there.doorbell(*words, "--url", api.url, "--token", OPERATES)

    assert (here.exit_code, elsewhere.exit_code) == (0, 0), elsewhere.output
    assert TIMES.sub("", elsewhere.stdout) == TIMES.sub("", here.stdout)


def test_o2_without_a_sound_token_or_address_the_command_line_says_what_to_do(there, monkeypatch):
    nobody = ("--url", "http://127.0.0.1:1", "--token", "dbt_x")
    with answering(there, deciding=False) as api:
        guessed = there.doorbell("why", "--last", "--url", api.url, "--token", "dbt_guess")
        unshown = there.doorbell("why", "--last", "--url", api.url)
        monkeypatch.setenv("DOORBELL_URL", api.url)
        monkeypatch.setenv("DOORBELL_TOKEN", READS)
        by_environment = there.doorbell("why", "--last")
        may_not = there.doorbell("runs", "approve", "AAAAAAAAAA")

    assert (guessed.exit_code, "doorbell token new NAME" in guessed.stderr) == (1, True)
    assert (unshown.exit_code, "set DOORBELL_TOKEN" in unshown.stderr) == (2, True)
    assert by_environment.exit_code == 0
    assert (may_not.exit_code, "with the scope 'approve'" in may_not.stderr) == (1, True)
    assert "nobody answers at" in there.doorbell("why", "--last", *nobody).stderr
    assert "expected --url such as" in there.doorbell("why", "--last", "--url", "x").stderr


def test_o2_what_is_no_doorbell_is_said_to_be_none(there):
    async def nothing(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>"})

    async def asked():
        async with serving(nothing) as url:
            await Remote(url=url, token=READS).ask(q.Status())

    with pytest.raises(OperatorError, match="is no doorbell: 200, no JSON object"):
        asyncio.run(asked())


@pytest.mark.parametrize(
    "question", [q.Refusals(limit=501), q.DeadLetters(limit=501), q.Approvals(limit=501)]
)
def test_o2_a_list_that_one_page_cant_hold_is_refused_and_not_cut(question):
    with pytest.raises(AskerError, match="at most 500 for this list over HTTP, got 501"):
        asyncio.run(Remote(url="http://127.0.0.1:1", token=READS).ask(question))


def test_o2_an_address_that_is_none_is_nothing(there):
    with answering(there, deciding=False) as api, pytest.raises(AskerError, match="nothing is at"):
        asyncio.run(Remote(url=api.url, token=READS).ask(q.Why(event="a/b")))


def _but_for_files(answer):
    """The scheme of a source stands in the files, which only one of the two has."""
    return {**answer, "scheme": None} if isinstance(answer, dict) and "scheme" in answer else answer


def _but_for_times(answer):
    return {**answer, "pruned": [{**one, "before": None} for one in answer["pruned"]]}


def _but_for_names(answer):
    if isinstance(answer, dict):
        reason = str(answer["reason"]).partition(" by ")[0]
        return {**answer, "event": None, "reason": reason}
    return answer
