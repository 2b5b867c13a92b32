"""H4: a call waits for people beside its server, and is told or made again as soon as they have answered."""

from workflows.asks import Question
from workflows.messages import Waiting
from workflows.tasks import TIME_UP, Tasks

NOW = 1_000.0
HOUR = 3_600.0


def question(name, seconds=HOUR):
    return Question(approval_id=name, wants=f"an answer, code {name}", seconds=seconds)


def waiting(call_id="a", asks=(), **changes):
    given = {"wait_id": f"wait-{call_id}", "wants": f"for {call_id}", "seconds": 5.0} | changes
    return Waiting(call_id=call_id, asks=tuple(asks), **given)


def test_a_task_is_looked_at_as_soon_as_one_of_its_questions_is_answered():
    tasks = Tasks([waiting(asks=[question("p"), question("q")], seconds=HOUR)], NOW, None)
    assert tasks.wants == "for a; an answer, code p; an answer, code q"
    tasks.answered("q")
    assert tasks.due(NOW) == [("a", None, "")]
    assert (tasks.people, tasks.ready) == ("an answer, code p", [])


def test_a_call_that_has_not_begun_waits_for_its_last_answer_and_for_nothing_else():
    tasks = Tasks([waiting(asks=[question("p"), question("q", 60.0)])], NOW, None, again={"a"})
    assert (tasks.due(NOW + 100 * HOUR), tasks.ready) == ([], [])
    assert tasks.stirs_at == NOW + 60
    tasks.answered("q")
    assert (tasks.stirs_at, tasks.ready) == (NOW + HOUR, [])
    tasks.answered("p")
    assert tasks.ready == ["a"]
    tasks.open(waiting(asks=[question("r")]), NOW, begun=False)
    assert tasks.ready == []


def test_it_is_asked_a_last_time_when_the_conversation_is_over():
    tasks = Tasks([waiting(asks=[question("p")])], NOW, 10.0, again={"a"})
    assert (tasks.stirs_at, tasks.due(NOW + 9)) == (NOW + 10, [])
    assert tasks.due(NOW + 10) == [("a", None, TIME_UP)]


def test_a_question_whose_time_is_up_lingers_while_a_word_is_on_its_way():
    tasks = Tasks([waiting(asks=[question("p", 60.0)])], NOW, None)
    assert tasks.overdue(NOW + 59) == []
    assert tasks.overdue(NOW + 60) == ["p"]
    tasks.linger("p", NOW + 60)
    assert (tasks.overdue(NOW + 64), tasks.overdue(NOW + 65)) == ([], ["p"])
    tasks.linger("p", NOW + 65)
    assert (tasks.overdue(NOW + 74), tasks.overdue(NOW + 75)) == ([], ["p"])


def test_a_question_that_is_told_again_keeps_its_time_and_one_that_is_gone_is_gone():
    tasks = Tasks([waiting(asks=[question("p", 60.0)])], NOW, None)
    tasks.ask("a", [question("p", 50.0), question("q", 10.0)], NOW + 20)
    assert tasks.overdue(NOW + 60) == ["p", "q"]
    tasks.ask("a", [], NOW + 20)
    assert (tasks.overdue(NOW + HOUR), tasks.people) == ([], "")


def test_a_call_that_has_ended_is_not_waited_for():
    tasks = Tasks([waiting(ended="done", asks=[question("p")])], NOW, None)
    assert not tasks
