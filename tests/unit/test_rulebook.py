"""All rules of a configuration: which of them an event concerns is looked up, and is what their globs say."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.load import condition_of
from orchestrator.rules.match import match, matched, on_matches
from orchestrator.rules.reading import Reading
from orchestrator.rules.rulebook import REMEMBERED, Rulebook, pages_of
from tests.support.builders import event, rule

WORDS = st.sampled_from(
    ["github", "stripe", "git", "issues", "opened", "push", "a", "\ud800", "\0"]
)
GLOBS = st.lists(WORDS | st.sampled_from(["/", ".", "*", "?"]), min_size=1, max_size=5).map("".join)
TYPES = st.lists(WORDS | st.sampled_from(["/", "."]), max_size=3).map("".join)
SOURCES = st.sampled_from(["github", "stripe", "git", "a"])


def names(rules, source, type_):
    return [each.rule.name for each in Rulebook(rules).concerned(source, type_)]


@given(st.lists(st.lists(GLOBS, min_size=1, max_size=3), max_size=6), SOURCES, TYPES)
def test_what_is_looked_up_is_what_the_globs_say(globs, source, type_):
    rules = [rule(f"r{number}", on=tuple(on)) for number, on in enumerate(globs)]
    happened = event(source=source, type=type_)

    assert names(rules, source, type_) == [
        each.name for each in rules if on_matches(each, happened)
    ]


def test_rules_keep_the_order_of_their_files_whatever_kind_of_glob_finds_them():
    rules = [
        rule("any", on=("*",)),
        rule("exact", on=("github/issues.opened",)),
        rule("source", on=("github/*",)),
        rule("other", on=("stripe/*",)),
        rule("twice", on=("github/issues.opened", "git*")),
    ]

    assert names(rules, "github", "issues.opened") == ["any", "exact", "source", "twice"]


def test_the_finding_about_on_names_the_globs_and_what_rang():
    (found,) = Rulebook([rule(on=("github/*", "x"))]).concerned("github", "push")

    assert (found.on.expected, found.on.actual, found.on.held) == (
        ["github/*", "x"],
        "github/push",
        True,
    )


def test_a_sender_that_invents_kinds_does_not_fill_the_memory():
    book = Rulebook([rule(on=("github/*",))])
    for number in range(REMEMBERED * 3):
        assert len(book.concerned("github", f"kind{number}")) == 1

    assert len(book._seen) <= REMEMBERED


def test_a_question_made_ready_answers_as_one_that_was_not():
    condition, _ = condition_of(
        {"action": "created", "any": [{"issue.number": {"gt": 3}}, {"cel": "id == 'evt_1'"}]}, ()
    )
    asked = rule(when=condition)
    (found,) = Rulebook([asked]).concerned("github", "push")

    for number in (7, 1, 7):
        happened = event(data={"action": "created", "issue": {"number": number}})
        assert matched(found.ask, Reading(happened)) == match(asked, happened)


def test_a_value_seen_before_is_shown_as_what_it_is():
    """True equals 1, and 1 equals 1.0: what a finding shows is never one for the other."""
    condition, _ = condition_of({"x": {"ne": "y"}}, ())
    (found,) = Rulebook([rule(when=condition)]).concerned("github", "push")

    for value in (1, True, 1.0, 0, False, [1], [True]):
        (line,) = matched(found.ask, Reading(event(data={"x": value}))).trace
        assert repr(line.actual) == repr(value)


@given(st.lists(st.tuples(st.text(), st.lists(GLOBS, min_size=1, max_size=3)), max_size=4))
def test_pages_say_what_each_rule_is_on(found):
    rules = [rule(name, on=tuple(on)) for name, on in found]
    book = Rulebook(rules)

    assert [(page.name, page.on) for page in pages_of(book.pages)] == [
        (each.name, each.on) for each in rules
    ]
    assert book.digest == Rulebook(list(rules)).digest


def test_a_rulebook_is_its_rules():
    book = Rulebook([rule("a"), rule("b")])

    assert Rulebook.of(book) is book
    assert Rulebook.of([rule("a"), rule("b")]) == book == (rule("a"), rule("b"))
