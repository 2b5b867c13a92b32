"""The tools of a conversation: chosen, bound, priced, refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.agent.hands.convert import alias
from orchestrator.agent.hands.definitions import Discovered, ToolDefinition, definition_hash
from orchestrator.agent.tools.builtins import BUILT_INS, WAITING
from orchestrator.agent.tools.toolset import (
    LATER,
    ToolsetRefused,
    check_arguments,
    complaints,
    curate,
    full_arguments,
    looked_at,
)
from orchestrator.servers import HttpServer, StdioServer
from workflows.playbook import Allowed, Effect, Playbook, WriteLimit

COMMENT = {
    "type": "object",
    "properties": {
        "owner": {"type": "string"},
        "repo": {"type": "string"},
        "issue_number": {"type": "integer"},
        "body": {"type": "string", "minLength": 1},
    },
    "required": ["owner", "repo", "issue_number", "body"],
    "additionalProperties": False,
}
SERVERS = {
    "github": HttpServer(
        name="github", url="http://127.0.0.1/mcp", effects={"label": Effect.WRITE}
    ),
    "files": StdioServer(name="files", command=("true",), directory=Path()),
}


def playbook(*, tools: dict[str, tuple[str, ...]], **rest: Any) -> Playbook:
    return Playbook(
        name="triage", digest="d", model="m", max_tokens=1, inputs={}, tools=tools, **rest
    )


def tool(name: str, server: str = "github", **rest: Any) -> ToolDefinition:
    return ToolDefinition(server=server, name=name, **{"input_schema": COMMENT, **rest})


def offers(*tools: ToolDefinition) -> dict[str, Discovered]:
    found: dict[str, list[ToolDefinition]] = {}
    for one in tools:
        found.setdefault(one.server, []).append(one)
    return {
        server: Discovered(server=server, protocol="2026-07-28", identity="x 1", tools=tuple(of))
        for server, of in found.items()
    }


def refusal(*args: Any) -> tuple[str, ...]:
    with pytest.raises(ToolsetRefused) as refused:
        curate(*args)
    return refused.value.problems


def test_only_the_listed_tools_are_there_sorted_by_alias():
    found = offers(tool("comment"), tool("read", read_only=True), tool("delete"))
    chosen = curate(playbook(tools={"github": ("read", "comment")}), found, SERVERS, {})
    assert [one.alias for one in chosen] == ["github__comment", "github__read"]
    assert chosen[0].definition["name"] == "github__comment"


def test_bound_arguments_vanish_from_what_the_model_sees():
    book = playbook(tools={"github": ("comment",)})
    bound = {"github": {"owner": "acme", "repo": "api"}, "github.comment": {"issue_number": 7}}
    [one] = curate(book, offers(tool("comment")), SERVERS, bound)
    assert set(one.definition["input_schema"]["properties"]) == {"body"}
    assert one.definition["input_schema"]["required"] == ["body"]
    assert "acme" not in json.dumps(one.definition)


def test_a_bound_argument_wins_over_the_models():
    [one] = curate(
        playbook(tools={"github": ("comment",)}),
        offers(tool("comment")),
        SERVERS,
        {"github": {"owner": "acme", "repo": "api", "issue_number": 7}},
    )
    assert check_arguments(one, {"body": "hi", "owner": "evil"}) is not None
    assert full_arguments(one, {"body": "hi", "owner": "evil"}) == {
        "owner": "acme",
        "repo": "api",
        "issue_number": 7,
        "body": "hi",
    }


def test_a_tools_own_bind_wins_over_its_servers():
    bound = {"github": {"owner": "acme"}, "github.comment": {"owner": "other"}}
    found = offers(tool("comment"), tool("label"))
    chosen = curate(playbook(tools={"github": ("comment", "label")}), found, SERVERS, bound)
    assert [one.bound["owner"] for one in chosen] == ["other", "acme"]


@pytest.mark.parametrize(
    ("definition", "effect", "most"),
    [
        (tool("read", read_only=True), Effect.READ, None),
        (tool("comment"), Effect.WRITE_ONCE, 1),
        (tool("comment", read_only=False, idempotent=True), Effect.WRITE_ONCE, 1),
        (tool("comment", destructive=False), Effect.WRITE_ONCE, 1),
        (tool("label", read_only=True), Effect.WRITE, 1),
    ],
)
def test_an_effect_is_what_was_declared_else_read_only_when_it_says_so(definition, effect, most):
    [one] = curate(playbook(tools={"github": (definition.name,)}), offers(definition), SERVERS, {})
    assert (one.effect, one.max) == (effect, most)


def test_a_playbook_may_allow_more_writes_than_one():
    book = playbook(tools={"github": ("comment",)}, writes={"github.comment": WriteLimit(max=3)})
    [one] = curate(book, offers(tool("comment")), SERVERS, {})
    assert one.max == 3


def test_a_tool_that_is_not_there_is_named_with_its_nearest():
    book = playbook(tools={"github": ("commment",), "files": ("read",)})
    assert refusal(book, offers(tool("comment")), SERVERS, {}) == (
        "server 'github' has no tool 'commment'; did you mean 'comment'?",
        "server 'files' wasn't asked what it offers; it has github",
    )


def test_h1_more_than_forty_tools_are_refused_with_the_built_in_one_counted():
    names = tuple(f"t{number:02}" for number in range(40))
    room = 40 - len(BUILT_INS)
    found = offers(*(tool(name, input_schema={}) for name in names))
    assert len(curate(playbook(tools={"github": names[:room]}), found, SERVERS, {})) == room
    [problem] = refusal(playbook(tools={"github": names[: room + 1]}), found, SERVERS, {})
    assert f"at most 40 tools with the built-in {', '.join(BUILT_INS)}, got 41" in problem


def test_h1_definitions_beyond_the_budget_are_refused_with_the_dearest_named():
    schema = {"properties": {"a": {"type": "string", "description": "x" * 60_000}}}
    found = offers(tool("huge", input_schema=schema), tool("small", input_schema={}))
    [problem] = refusal(playbook(tools={"github": ("huge", "small")}), found, SERVERS, {})
    assert "at most 16000 tokens" in problem
    assert "the rest fits without github.huge (18" in problem
    assert "github.small" not in problem


def test_two_tools_of_one_alias_are_refused():
    called = alias("github", "a.b")
    posing = called.removeprefix("github__")
    found = offers(tool("a.b"), tool(posing))
    [problem] = refusal(playbook(tools={"github": ("a.b", posing)}), found, SERVERS, {})
    assert problem.startswith(
        f"more than one tool would be called {called!r}: github.a.b, github.{posing}"
    )


@pytest.mark.parametrize("built_in", BUILT_INS)
def test_a_tool_cannot_pose_as_the_built_in_one(built_in):
    name = built_in.removeprefix("doorbell__")
    found = offers(tool(name, server="doorbell"))
    [problem] = refusal(playbook(tools={"doorbell": (name,)}), found, SERVERS, {})
    assert built_in in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "It comments.\u200b\U000e0041"},
        {"description": None, "title": "Com\u202ement"},
        {"input_schema": {"properties": {"a": {"type": "string", "description": "\u2063"}}}},
        {"input_schema": {"properties": {"a\u00ad": {"type": "string"}}}},
        {"input_schema": {"properties": {"a": {"enum": ["x", "y\x07"]}}}},
    ],
)
def test_h2_a_definition_with_characters_nobody_sees_is_refused(changes):
    found = offers(tool("comment", **changes))
    [problem] = refusal(playbook(tools={"github": ("comment",)}), found, SERVERS, {})
    assert "the definition of github.comment has characters that nobody sees" in problem
    assert "U+" in problem


@pytest.mark.parametrize(
    ("bound", "problem"),
    [
        (
            {"github": {"ownr": "x"}},
            "bind: no tool takes 'ownr' of 'github'; did you mean 'owner'?",
        ),
        (
            {"github.label": {"owner": "x"}},
            "bind: no tool of this playbook is named 'github.label'",
        ),
        (
            {"github": {"issue_number": "7"}},
            "bind: github.comment doesn't take this value for issue_number: '7' is not of type 'integer'",
        ),
    ],
)
def test_a_bind_that_binds_nothing_is_refused(bound, problem):
    book = playbook(tools={"github": ("comment",)})
    assert refusal(book, offers(tool("comment")), SERVERS, bound) == (problem,)


def test_a_schema_beyond_repair_names_its_tool():
    found = offers(tool("odd", input_schema={"type": "array"}))
    [problem] = refusal(playbook(tools={"github": ("odd",)}), found, SERVERS, {})
    assert problem.startswith("the schema of github.odd can't be used: expected arguments")


def test_every_problem_is_told_at_once():
    found = offers(tool("odd", input_schema={"type": "array"}))
    book = playbook(tools={"github": ("odd", "gone")})
    assert len(refusal(book, found, SERVERS, {"nobody": {"a": 1}})) == 3


def test_good_arguments_draw_no_complaint():
    [one] = curate(playbook(tools={"github": ("comment",)}), offers(tool("comment")), SERVERS, {})
    good = {"owner": "a", "repo": "b", "issue_number": 1, "body": "hi"}
    assert check_arguments(one, good) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"owner": 1, "repo": "b", "issue_number": 1, "body": "x"},
            "- owner: 1 is not of type 'string'",
        ),
        ({}, "- arguments: 'body' is a required property"),
        (["x"], "- arguments: ['x'] is not of type 'object'"),
        ({"owner": "x" * 9999, "body": ""}, "- body: '' should be non-empty"),
    ],
)
def test_bad_arguments_are_explained_to_the_model(arguments, words):
    [one] = curate(playbook(tools={"github": ("comment",)}), offers(tool("comment")), SERVERS, {})
    said = check_arguments(one, arguments)
    assert said is not None
    assert words in said.splitlines()
    assert said.startswith("The call of github__comment was not made")


def test_complaints_are_few_and_short():
    schema = {"type": "array", "items": {"type": "integer"}}
    said = complaints("t", schema, ["x" * 9999] * 9)
    assert said is not None
    assert said.endswith("- and 4 more")
    assert len(said) < 2000


def test_the_built_in_wait_is_a_valid_definition_that_takes_what_it_says():
    schema = WAITING["input_schema"]
    Draft202012Validator.check_schema(schema)
    good = {
        "events": ["github/issue_comment.*"],
        "reason": "the reporter's answer",
        "timeout": "12h",
    }
    assert complaints("doorbell__wait", schema, good) is None
    assert complaints("doorbell__wait", schema, {**good, "events": []}) is not None
    assert complaints("doorbell__wait", schema, {**good, "timeout": "soon"}) is not None


REUSED = {
    "type": "object",
    "properties": {
        "owner": {"type": "string"},
        "repo": {"$ref": "#/properties/owner"},
        "fork": {"$ref": "#"},
    },
    "required": ["owner"],
}


def reused(policy: dict[str, Allowed], bound: dict[str, Any]) -> Any:
    book = playbook(
        tools={"github": ("comment",)}, writes={"github.comment": WriteLimit(args=policy)}
    )
    [one] = curate(book, offers(tool("comment", input_schema=REUSED)), SERVERS, {"github": bound})
    return one


def test_an_argument_that_refers_to_a_bound_one_can_be_given():
    one = reused({}, {"owner": "acme"})
    assert check_arguments(one, {"repo": "api", "fork": {"owner": "eve"}}) is None
    assert "repo: 7 is not of type 'string'" in str(check_arguments(one, {"repo": 7}))
    assert "'owner' is a required property" in str(check_arguments(one, {"fork": {}}))


def test_an_argument_that_refers_to_another_can_be_bound():
    assert reused({}, {"repo": "api"}).bound == {"repo": "api"}


def test_a_policy_of_one_argument_does_not_reach_those_that_refer_to_it():
    one = reused({"owner": Allowed(values=("acme",))}, {})
    assert check_arguments(one, {"owner": "acme", "repo": "api"}) is None
    assert check_arguments(one, {"owner": "eve"}) is not None


def test_arguments_under_a_schema_that_leads_nowhere_draw_a_complaint():
    said = complaints("t", {"properties": {"a": {"$ref": "#/properties/b"}}}, {"a": 1})
    assert said is not None
    assert said.startswith("The call of t was not made")


def test_h3_a_tool_with_a_pattern_in_javascript_can_be_called():
    schema = {"properties": {"name": {"type": "string", "pattern": r"^[\p{L} ]+$"}}}
    definition = tool("comment", input_schema=schema)
    [one] = curate(playbook(tools={"github": ("comment",)}), offers(definition), SERVERS, {})
    assert check_arguments(one, {"name": "Zoë"}) is None
    assert one.hash == definition_hash(definition)


def test_a7_a_tool_with_everything_bound_takes_no_more():
    schema = {"type": "object", "properties": {"branch": {"type": "string"}}}
    found = offers(tool("delete_branch", input_schema=schema))
    book = playbook(tools={"github": ("delete_branch",)})
    [one] = curate(book, found, SERVERS, {"github": {"branch": "old"}})
    assert check_arguments(one, {}) is None
    assert "it has no argument 'force'" in str(check_arguments(one, {"force": True}))


LABELS = {"labels": Allowed(values=("bug", "question"))}
LABEL = {
    "type": "object",
    "properties": {
        "labels": {"type": "array", "items": {"type": "string"}},
        "method": {"type": "string"},
    },
    "required": ["labels"],
}


def labelling(args, **rest):
    book = playbook(
        tools={"github": ("label",)}, writes={"github.label": WriteLimit(args=args)}, **rest
    )
    return book, offers(tool("label", input_schema=LABEL)), SERVERS


def test_what_an_argument_may_be_is_seen_by_the_model_and_checked():
    [one] = curate(*labelling(LABELS), {})
    shown = one.definition["input_schema"]["properties"]["labels"]
    assert shown["items"]["enum"] == ["bug", "question"]
    assert one.args == LABELS
    assert check_arguments(one, {"labels": ["bug"]}) is None
    assert "'wontfix' is not one of ['bug', 'question']" in str(
        check_arguments(one, {"labels": ["wontfix"]})
    )


def test_what_a_schema_can_not_say_is_checked_all_the_same():
    [one] = curate(*labelling({"method": Allowed(pattern="up.*")}), {})
    assert check_arguments(one, {"labels": [], "method": "update"}) is None
    said = check_arguments(one, {"labels": [], "method": "delete"})
    assert str(said).splitlines() == [
        "The call of github__label was not made; the playbook doesn't allow this:",
        "- method: expected text that matches up.* as a whole, got 'delete'",
    ]


@pytest.mark.parametrize(
    ("args", "bound", "words"),
    [
        ({"label": LABELS["labels"]}, {}, "'label': the tool has no such argument"),
        (LABELS, {"labels": ["wontfix"]}, "`bind` gives it another value"),
        ({"labels": Allowed(values=(1,))}, {}, "its schema takes none of 1"),
    ],
)
def test_a_policy_that_fits_no_argument_is_refused(args, bound, words):
    [problem] = refusal(*labelling(args), {"github.label": bound} if bound else {})
    assert problem.startswith("writes: args of github.label: ")
    assert words in problem


def test_h2_a_tool_is_pinned_with_the_hash_of_what_its_server_said():
    book = playbook(tools={"github": ("comment",)})
    [one] = curate(book, offers(tool("comment")), SERVERS, {"github": {"owner": "acme"}})
    assert one.hash == definition_hash(tool("comment"))
    assert one.origin == "assumed: no claim to only read"


def test_h2_what_is_dropped_is_not_there_and_its_bind_is_no_mistake():
    book = playbook(tools={"github": ("comment", "label")})
    found = offers(tool("comment"), tool("label", input_schema=LABEL))
    bound = {"github": {"owner": "acme"}, "github.comment": {"issue_number": 7}}
    [one] = curate(book, found, SERVERS, bound, {"github.comment"})
    assert one.name == "label"


def test_a_bound_value_that_is_not_known_yet_fits_everything():
    bound = {"github": {"owner": LATER, "issue_number": LATER}}
    book = playbook(tools={"github": ("comment",)})
    tools, problems = looked_at(book, offers(tool("comment")), SERVERS, bound)
    assert problems == ()
    assert set(tools[0].definition["input_schema"]["properties"]) == {"repo", "body"}
