"""The whole language of `when:` against an evaluator that was written apart from it, slow and plain."""

import fnmatch
import re

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.load import condition_of
from orchestrator.rules.match import match
from orchestrator.rules.rule import Operator
from tests.support.builders import event, rule

NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.sampled_from(["", "a", "b", "ab", "a/b", "A", "aXb", "10", "a\nb", "ä", "[a]", "a.b"])
SCALARS = st.none() | st.booleans() | st.sampled_from([0, 1, 2, -1, 1.0, 1.5, 10**20]) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(
    st.sampled_from([".a", ".b", ".c", "[*]", "[0]", "[1]", "['c']"]), min_size=1, max_size=4
).map(lambda steps: "".join(steps).removeprefix("."))
GLOBS = st.lists(WORDS | st.sampled_from(["*", "?", "**"]), min_size=1, max_size=4).map("".join)
REGEXES = st.sampled_from(["^a", "b$", "a.b", "^$", "[0-9]+", "(?i)a", "a|b", r"\[a\]", "(?s)a.b"])
EXPECTED = {
    "eq": SCALARS,
    "ne": SCALARS,
    "in": st.lists(SCALARS, min_size=1, max_size=3),
    "none": SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
    "has": SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
    "gt": st.sampled_from([0, 1, 1.5, "a", "b"]),
    "ge": st.sampled_from([0, 1, 1.5, "a", "b"]),
    "lt": st.sampled_from([0, 1, 1.5, "a", "b"]),
    "le": st.sampled_from([0, 1, 1.5, "a", "b"]),
    "exists": st.booleans(),
    "glob": GLOBS | st.lists(GLOBS, min_size=1, max_size=2),
    "regex": REGEXES,
}
QUESTIONS = st.sampled_from(sorted(EXPECTED)).flatmap(
    lambda word: EXPECTED[word].map(lambda value: {word: value})
)
LEAVES = st.dictionaries(
    PATHS, QUESTIONS | SCALARS | st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3
)
WHENS = st.recursive(
    LEAVES,
    lambda inner: (
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner | st.lists(inner, min_size=1, max_size=3)})
        | st.tuples(LEAVES, inner).map(lambda both: {**both[0], "not": both[1]})
    ),
    max_leaves=6,
)


def told(when, data):
    condition, flaws = condition_of(when, ("r", "when"))
    assert flaws == []
    return match(rule(when=condition), event(data=data)).matched


def plainly(when, data):
    return all(line(key, item, data) for key, item in when.items())


def line(key, item, data):
    if key == "any":
        return bool([each for each in item if plainly(each, data)])
    if key == "all":
        return not [each for each in item if not plainly(each, data)]
    if key == "not":
        inner = item if isinstance(item, list) else [item]
        return not [each for each in inner if plainly(each, data)]
    found = values(data, re.findall(r"\w+|\[[^\]]+\]", key))
    if isinstance(item, dict):
        return all(question(word, wanted, found) for word, wanted in item.items())
    texts = [each for each in (item if isinstance(item, list) else [item]) if isinstance(each, str)]
    if any("*" in each or "?" in each for each in texts):
        return question("glob", item, found)
    return question("in" if isinstance(item, list) else "eq", item, found)


def values(data, steps):
    if not steps:
        return [data]
    step, rest = steps[0].strip("[]'"), steps[1:]
    if step == "*":
        return [each for one in data for each in values(one, rest)] if type(data) is list else []
    if step.isdecimal():
        there = type(data) is list and int(step) < len(data)
        return values(data[int(step)], rest) if there else []
    return values(data[step], rest) if type(data) is dict and step in data else []


def kind(value):
    return float if type(value) is int else type(value)


def equal(value, wanted):
    return kind(value) is kind(wanted) and value == wanted


def question(word, wanted, found):
    several = wanted if isinstance(wanted, list) else [wanted]
    flat = [each for value in found for each in (value if type(value) is list else [value])]
    match word:
        case "exists":
            return wanted == (len(found) > 0)
        case "eq" | "in" | "ne":
            return (word != "ne") is any(equal(value, one) for value in found for one in several)
        case "has" | "none":
            return (word == "has") is any(equal(value, one) for value in flat for one in several)
        case "glob":
            shapes = [re.compile(fnmatch.translate(one.replace("[", "[[]"))) for one in several]
            return any(
                shape.match(value) for value in found if type(value) is str for shape in shapes
            )
        case "regex":
            return any(re.search(wanted, value) for value in found if type(value) is str)
        case _:
            return any(ordered(word, value, wanted) for value in found)


def ordered(word, value, wanted):
    if kind(value) is not kind(wanted) or kind(value) not in {float, str}:
        return False
    over, equals = value > wanted, value == wanted
    return {"gt": over, "ge": over or equals, "lt": not over and not equals, "le": not over}[word]


@given(WHENS, JSON)
def test_the_language_means_what_a_plain_evaluator_says(when, data):
    assert told(when, data) is bool(plainly(when, data))


@given(PATHS, QUESTIONS, JSON)
def test_not_is_the_exact_opposite_of_every_operator_also_where_the_path_is_missing(
    path, asked, data
):
    assert told({"not": {path: asked}}, data) is not told({path: asked}, data)


@given(PATHS, QUESTIONS, JSON)
def test_not_twice_is_the_question_itself(path, asked, data):
    assert told({"not": {"not": {path: asked}}}, data) is told({path: asked}, data)


@given(st.sampled_from(sorted(EXPECTED)), st.data())
def test_a_missing_path_holds_only_for_the_four_that_ask_for_absence(word, data):
    asked = {word: data.draw(EXPECTED[word])}
    holds = told({"nowhere.at[*].all": asked}, {"a": [1]})

    assert holds is (word in {"ne", "none"} or asked == {"exists": False})
    assert told({"not": {"nowhere": asked}}, {}) is not told({"nowhere": asked}, {})


@given(PATHS, SCALARS, JSON)
def test_pairs_of_operators_are_each_others_opposite(path, value, data):
    assert told({path: {"ne": value}}, data) is not told({path: {"eq": value}}, data)
    assert told({path: {"none": value}}, data) is not told({path: {"has": value}}, data)
    assert told({path: {"exists": False}}, data) is not told({path: {"exists": True}}, data)


@given(st.lists(LEAVES, min_size=1, max_size=3), JSON)
def test_any_and_all_are_each_others_opposite_through_not(whens, data):
    turned = [{"not": when} for when in whens]

    assert told({"any": whens}, data) is not told({"all": turned}, data)
    assert told({"not": whens}, data) is told({"all": turned}, data)


def test_every_operator_is_in_the_oracle():
    assert set(EXPECTED) == {operator.value for operator in Operator}
