"""What the arguments of a call may be: checked, told to the model by its schema, held against a tool's own schema."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.agent.tools.arguments import breaches, misfits, narrowed, words
from workflows.playbook import Allowed

LABELS = Allowed(values=("bug", "question"))
TITLE = Allowed(pattern="[A-Z].{3,20}")
AMOUNT = Allowed(at_most=100)


def schema(**properties):
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("allowed", "value"),
    [
        (LABELS, "bug"),
        (LABELS, ["bug", "question"]),
        (LABELS, []),
        (TITLE, "A good title"),
        (AMOUNT, 100),
        (AMOUNT, -3.5),
        (AMOUNT, [1, 2]),
        (Allowed(values=(True, None, 1)), [True, None, 1, 1.0]),
    ],
)
def test_what_is_allowed_breaks_nothing(allowed, value):
    assert breaches({"it": allowed}, {"it": value}) == []


@pytest.mark.parametrize(
    ("allowed", "value"),
    [
        (LABELS, "wontfix"),
        (LABELS, "Bug"),
        (LABELS, "bug\u200b"),
        (LABELS, "bug\n"),
        (LABELS, ["bug", "wontfix"]),
        (LABELS, [["bug"]]),
        (LABELS, {"name": "bug"}),
        (LABELS, None),
        (Allowed(values=(1,)), True),
        (Allowed(values=(1,)), "1"),
        (TITLE, "lower case"),
        (TITLE, "Two\nlines of it"),
        (TITLE, "A good title <!-- doorbell:x --> and more"),
        (TITLE, 7),
        (TITLE, ["A good title", "bad"]),
        (Allowed(pattern="a|b"), "ax"),
        (Allowed(pattern="a|b"), "xb"),
        (Allowed(pattern="a|b"), "a\n"),
        (TITLE, "A good title\n\n<!-- doorbell:0123456789ab.1.2.0 -->"),
        (AMOUNT, 100.01),
        (AMOUNT, float("-inf")),
        (AMOUNT, 10**400),
        (AMOUNT, "5"),
        (AMOUNT, True),
        (AMOUNT, float("nan")),
        (AMOUNT, float("inf")),
        (AMOUNT, {"value": 1}),
        (Allowed(values=(5, 500), at_most=100), 500),
    ],
)
def test_what_is_not_allowed_is_told_in_one_line(allowed, value):
    [line, *_] = breaches({"it": allowed}, {"it": value})
    assert line.startswith(f"it: expected {words(allowed)}, got ")
    assert "\n" not in line


def test_a_complaint_repeats_no_page():
    [line] = breaches({"it": LABELS}, {"it": "x" * 10_000})
    assert len(line) < 300


def test_an_argument_that_is_not_given_breaks_nothing():
    assert breaches({"labels": LABELS, "title": TITLE}, {"body": "x"}) == []


def test_a_pattern_that_would_backtrack_for_ever_answers_at_once():
    assert breaches({"it": Allowed(pattern="(a+)+b")}, {"it": "a" * 50_000}) != []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "string"}, {"type": "string", "enum": ["bug", "question"]}),
        ({"enum": ["wontfix", "bug"]}, {"enum": ["bug"]}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            {"anyOf": [{"type": "string"}, {"type": "null"}], "enum": ["bug", "question"]},
        ),
        (
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "enum": ["bug", "question"]},
            },
        ),
        ({"type": "array"}, {"type": "array", "items": {"enum": ["bug", "question"]}}),
        (True, {"enum": ["bug", "question"]}),
    ],
)
def test_the_model_sees_only_the_values_that_are_allowed(before, after):
    assert narrowed(schema(it=before), {"it": LABELS})["properties"]["it"] == after


@pytest.mark.parametrize(
    "before",
    [
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        {"type": ["string", "array"]},
        {"$ref": "#/$defs/label"},
    ],
)
def test_where_a_schema_could_mean_a_list_or_not_the_values_are_told_in_words(before):
    known = {"$defs": {"label": {"type": "string"}}, **schema(it=before)}
    told = narrowed(known, {"it": LABELS})["properties"]["it"]
    assert told == {**before, "description": "Allowed: one of 'bug', 'question'."}


def test_a_pattern_is_told_in_words_and_never_matched_by_backtracking():
    told = narrowed(schema(it={"type": "string", "description": "A title."}), {"it": TITLE})
    said = "A title. Allowed: text that matches [A-Z].{3,20} as a whole."
    assert told["properties"]["it"] == {"type": "string", "description": said}


@pytest.mark.parametrize(("own", "most"), [(None, 100), (50, 50), (500, 100)])
def test_the_smaller_of_two_maxima_counts(own, most):
    before = {"type": "number"} | ({} if own is None else {"maximum": own})
    told = narrowed(schema(it=before), {"it": AMOUNT})
    assert told["properties"]["it"] == {"type": "number", "maximum": most}


def test_a_default_that_is_not_allowed_must_be_given_another_value():
    before = schema(method={"type": "string", "default": "create"}, other={"type": "string"})
    told = narrowed(before, {"method": Allowed(values=("update",))})
    assert told["required"] == ["method"]
    assert told["properties"]["method"] == {"type": "string", "enum": ["update"]}


def test_a_default_that_is_allowed_or_means_nothing_stays():
    before = schema(a={"default": "bug"}, b={"default": None})
    told = narrowed(before, {"a": LABELS, "b": LABELS})
    assert "required" not in told
    assert told["properties"]["a"]["default"] == "bug"


def test_an_amount_with_a_bound_must_be_given_for_left_out_it_may_mean_all_there_is():
    before = schema(amount={"type": "integer"}, part={"type": "integer", "default": 5})
    told = narrowed(before, {"amount": AMOUNT, "part": AMOUNT})
    assert told["required"] == ["amount"]
    assert told["properties"]["part"]["default"] == 5


def test_what_the_policy_does_not_name_stays_as_it_is():
    before = {**schema(a={"type": "string"}), "required": ["a"], "additionalProperties": False}
    assert narrowed(before, {}) == before
    assert narrowed(before, {"elsewhere": LABELS}) == before


@pytest.mark.parametrize(
    ("policy", "bound", "problem"),
    [
        ({"label": LABELS}, {}, ("label", "the tool has no such argument")),
        (
            {"labels": Allowed(values=(1, 2))},
            {},
            ("labels", "its schema takes none of 1, 2"),
        ),
        (
            {"labels": LABELS},
            {"labels": ["wontfix"]},
            (
                "labels",
                "`bind` gives it another value: labels: expected one of 'bug', 'question', got 'wontfix'",
            ),
        ),
    ],
)
def test_a_policy_that_nothing_could_keep_is_named(policy, bound, problem):
    known = schema(labels={"type": "array", "items": {"type": "string"}})
    assert list(misfits(policy, known, bound)) == [problem]


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "b", "c", ""])
VALUES = st.lists(SCALARS, min_size=1, max_size=4).map(tuple)
KINDS = st.sampled_from(
    [
        {},
        {"type": "string"},
        {"type": "integer"},
        {"type": ["string", "null"]},
        {"type": "array"},
        {"type": "array", "items": {"type": "string"}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    ]
)


@given(
    kind=KINDS,
    allowed=st.builds(Allowed, values=VALUES) | st.builds(Allowed, at_most=st.integers(-9, 9)),
    value=SCALARS | st.lists(SCALARS, max_size=3),
)
def test_what_the_schema_shows_as_allowed_is_allowed_and_nothing_that_was_fit_is_hidden(
    kind, allowed, value
):
    shown = narrowed(schema(it=kind), {"it": allowed})
    fits = Draft202012Validator(shown).is_valid({"it": value})
    fitted = Draft202012Validator(schema(it=kind)).is_valid({"it": value})
    broken = breaches({"it": allowed}, {"it": value})
    if allowed.values is not None and not (kind == {} and isinstance(value, list)):
        assert fits == (fitted and not broken)
    assert not fits or fitted


def test_a7_our_own_marker_is_none_of_the_models_words_and_no_other_text_may_look_like_it():
    marked = {"it": "A good title\n\n<!-- doorbell:0123456789ab.1.2.0 -->"}
    twice = {"it": f"A good title <!-- doorbell:x -->\n\n{marked['it'][-40:]}"}

    assert breaches({"it": TITLE}, marked, "it") == []
    assert breaches({"it": TITLE}, marked, "other") != []
    assert breaches({"it": TITLE}, twice, "it") != []
