from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templates import (
    MAX_OUTPUT,
    Plain,
    Template,
    TemplateError,
    render_tree,
    templates_of,
)

WORDS = st.text(alphabet="abitemsxy[]0'")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def render(text, **scope):
    return Template.parse(text).render(scope)


@pytest.mark.parametrize("value", [7, "text", True, [1, "a"], {"a": None}])
def test_a_lone_expression_keeps_its_type(value):
    rendered = render(" {{ event.x }} ", event={"x": value})

    assert rendered == value
    assert type(rendered) is type(value)


def test_text_around_an_expression_makes_text():
    assert (
        render("issue:{{ event.n }}/{{ event.ok }}", event={"n": 7, "ok": True}) == "issue:7/true"
    )


def test_two_expressions_are_text_even_when_they_touch_both_ends():
    assert render("{{ event.a }} {{ event.b }}", event={"a": 1, "b": 2}) == "1 2"


@pytest.mark.parametrize(
    "text",
    [
        "{{ event.x }}",
        "a{{ event.x }}",
        "{{ event.x | lower }}",
        "a{{ event.x | trim }}",
        "{{ event.x | string }}",
        "{{ [event.x] | join(',') }}",
        "{{ event.x | int }}",
        "{{ 'a' | replace('a', event.x) }}",
        "{{ event.y }}",
        "a{{ event.y }}",
        "{{ event.y.z }}",
        "{{ 1 if false }}",
    ],
)
def test_null_and_missing_are_errors(text):
    with pytest.raises(TemplateError):
        render(text, event={"x": None})


PATHS = st.sampled_from(["event", "event.a", "event.b.a", "event[0]", "event.items", "event[0].a"])
AROUND = st.sampled_from(
    ["{{ %s }}", "<{{ %s }}>", "{{ %s | lower }}", "{{ [%s] | join }}", "{{ %s | d(%s) }}"]
)


@given(value=JSON, path=PATHS, around=AROUND)
def test_null_never_renders_as_a_word(value, path, around):
    try:
        rendered = render(around.replace("%s", path), event=value)
    except TemplateError:
        return
    assert rendered is not None
    assert not isinstance(rendered, str) or "none" not in rendered.lower()


@given(text=st.text(alphabet="{}%#'\"|~ abx.()[]\n0-", max_size=40))
def test_parsing_raises_nothing_but_its_own_error(text):
    with suppress(TemplateError):
        Template.parse(text).render({"a": {"b": 1}, "x": [None, "q"]})


def test_default_stands_in_for_null_and_for_missing():
    event = {"x": None}

    assert render("{{ event.x | default('-') }}", event=event) == "-"
    assert render("{{ event.y | d('-') }}", event=event) == "-"


def test_a_payload_can_not_become_a_template():
    assert render("{{ event.x }}", event={"x": "{{ 7 * 7 }}"}) == "{{ 7 * 7 }}"


def test_a_key_named_like_a_method_is_the_key():
    assert render("{{ event.items }}", event={"items": [1]}) == [1]


def test_the_payload_is_never_changed():
    event = {"labels": ["bug"]}

    with pytest.raises(TemplateError):
        render("{{ event.labels.append('x') }}", event=event)
    assert event == {"labels": ["bug"]}


@pytest.mark.parametrize(
    "text", ["{{ event.keys() }}", "{{ event.pop('x') }}", "{{ event() }}", "{{ event.__class__ }}"]
)
def test_python_behind_the_values_is_an_error(text):
    with pytest.raises(TemplateError):
        render(text, event={"k": 1})


def test_loops_end():
    with pytest.raises(TemplateError, match="fuel"):
        render(
            "{% for x in event %}{% for y in event %}{{ y }}{% endfor %}{% endfor %}",
            event=[1] * 500,
        )


def test_output_is_capped():
    with pytest.raises(TemplateError, match=str(MAX_OUTPUT)):
        render(f"{{{{ 'x' * {MAX_OUTPUT + 1} }}}}")


def test_deep_payloads_do_no_harm():
    deep = {}
    inner = deep
    for _ in range(50_000):
        inner["a"] = {}
        inner = inner["a"]

    assert render("{{ event.n }}", event={"n": 1, "deep": deep}) == 1


@pytest.mark.parametrize(
    "text",
    ["{{ event.x", "{% if %}", "{{ event.x | nofilter }}", "{{ a ~ b }}", "{{ 'x' }} {% bad %}"],
)
def test_a_broken_template_is_refused_when_it_is_parsed(text):
    with pytest.raises(TemplateError):
        Template.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ event.a[1:2] }}",
        "{{ event.a[:n] }}",
        "n: {{ event.a[event.b[0]:] }}",
        "{{ {'a': x[1:]} }}",
    ],
)
def test_a_slice_is_refused_when_it_is_parsed_as_nobody_could_check_its_names(text):
    with pytest.raises(TemplateError, match="a slice such as"):
        Template.parse(text)


@pytest.mark.parametrize("text", ["{{ event['a:b'] }}", "{{ [{'a': [event.x]}] | tojson }}"])
def test_a_colon_in_brackets_that_is_none_of_a_slice_is_no_mistake(text):
    assert Template.parse(text).names == {"event"}


def test_a_parse_error_knows_its_line():
    with pytest.raises(TemplateError) as caught:
        Template.parse("one\ntwo {{ bad bad }}\n")

    assert caught.value.line == 2


def test_quotes_in_prose_hide_no_code():
    with pytest.raises(TemplateError, match="nofilter"):
        Template.parse("don't {{ event.x | nofilter }} isn't")


def test_a_filter_sign_inside_a_quoted_text_is_text():
    assert render("{{ 'a|nofilter ~ }}' }}") == "a|nofilter ~ }}"


def test_names_are_what_must_be_given():
    template = Template.parse(
        "{{ with.owner }}/{{ event.a }}{% for x in with.list %}{{ x }}{% endfor %}"
    )

    assert template.names == {"with", "event"}
    assert template.paths == {"with.owner", "event.a", "with.list"}


def test_errors_never_show_the_payload():
    with pytest.raises(TemplateError) as caught:
        render("{{ event.x }} {{ event.y }}", event={"x": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_a_mapping_does_not_stand_in_text_as_python():
    with pytest.raises(TemplateError, match="tojson"):
        render("x {{ event }}", event={"a": 1})
    assert render("x {{ event | tojson }}", event={"a": None}) == 'x {"a": null}'


def test_values_made_plain_once_render_as_themselves():
    deep = {"n": 7, "list": [1, {"a": None}]}
    plain = Plain.of({"event": deep, "id": "evt_1"})

    assert Template.parse("{{ event.n }}").render(plain) == 7
    assert Template.parse("{{ event.list }}").render(plain) == [1, {"a": None}]
    assert Template.parse("{{ id }}").render(plain) == "evt_1"
    with pytest.raises(TemplateError):
        Template.parse("{{ nobody }}").render(plain)


def test_trees_are_rendered_leaf_by_leaf():
    value = {"a": ["{{ event.n }}", 3], "b": {"c": "n={{ event.n }}", "d": None}}

    assert render_tree(value, {"event": {"n": 7}}) == {"a": [7, 3], "b": {"c": "n=7", "d": None}}


def test_templates_are_found_in_trees():
    found = templates_of({"a": ["{{ x }}", 3], "b": {"c": "plain"}})

    assert [template.literal for template in found] == [False, True]
