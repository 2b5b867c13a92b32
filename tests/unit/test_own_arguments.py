"""R4, A2: where our marker and our idempotency key go, by tool; neither is the model's to choose."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation.frozen import Planned
from orchestrator.agent.hands.definitions import Discovered, ToolDefinition
from orchestrator.agent.tools.toolset import Tool, ToolsetRefused, curate
from orchestrator.servers import HttpServer
from tests.support.builders import MARK, RUN, frozen
from tests.support.configurations import PLAYBOOK, configuration, mistakes
from workflows.playbook import Effect, Playbook, WriteLimit

BOOK = Playbook(
    name="triage", digest="d", model="m", max_tokens=1, inputs={}, tools={"s": ("write",)}
)
SERVER = HttpServer(name="s", url="http://127.0.0.1/mcp")


def chosen(
    server: HttpServer = SERVER, book: Playbook = BOOK, bound: Any = None, **properties: Any
) -> Tool:
    """The tool of a server with these arguments, as a conversation may use it."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", **more} for name, more in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    names = [tool for tools in book.tools.values() for tool in tools]
    tools = tuple(ToolDefinition(server="s", name=name, input_schema=schema) for name in names)
    found = {"s": Discovered(server="s", protocol="2026-07-28", identity="x", tools=tools)}
    return curate(book, found, {"s": server}, bound or {})[-1]


def planned(tool: Tool, turn: int = 1, **given: str) -> Planned:
    block = {"type": "tool_use", "id": "1", "name": tool.alias, "input": given}
    (plan,) = pins.planned(frozen(tool), RUN, turn, [block])
    return plan


@pytest.mark.parametrize("name", ["body", "note", "text", "message"])
def test_r4_the_marker_goes_where_tools_usually_take_their_text(name: str) -> None:
    plan = planned(chosen(title={}, **{name: {}}), title="T", **{name: "Hello"})

    assert plan.intent.arguments == {"title": "T", name: f"Hello\n\n{MARK}"}


def test_r4_the_marker_goes_where_the_servers_file_says() -> None:
    tool = chosen(replace(SERVER, markers={"write": "wiki"}), body={}, wiki={})

    assert planned(tool, body="Hello", wiki="Page").intent.arguments == {
        "body": "Hello",
        "wiki": f"Page\n\n{MARK}",
    }


def test_r4_a_tool_that_would_show_the_marker_to_people_can_go_without() -> None:
    tool = chosen(replace(SERVER, markers={"write": ""}), text={})

    assert planned(tool, text="Hello").intent.arguments == {"text": "Hello"}


def test_r4_a_pin_of_before_marks_the_body() -> None:
    assert (
        Tool(alias="a", server="s", name="a", effect=Effect.WRITE, definition={}).marker == "body"
    )


KEYED = replace(SERVER, idempotency={"write": "request_id"}, effects={"write": Effect.WRITE})


def test_a2_the_idempotency_argument_is_ours_and_the_same_for_every_attempt() -> None:
    tool = chosen(KEYED, body={}, request_id={})
    plan, same, later = (planned(tool, turn, body="Hello") for turn in (1, 1, 2))

    assert "request_id" not in str(tool.definition)
    assert plan.complaint is None
    assert plan.intent.arguments["request_id"] == f"{RUN}/1.0"
    assert same.intent == plan.intent
    assert later.intent.arguments["request_id"] == f"{RUN}/2.0"


def test_a2_a_model_cannot_choose_the_idempotency_key() -> None:
    plan = planned(chosen(KEYED, body={}, request_id={}), body="Hello", request_id="mine")

    assert plan.complaint is not None
    assert plan.intent.arguments["request_id"] == f"{RUN}/1.0"


def test_a2_an_idempotency_argument_that_wants_a_uuid_gets_one() -> None:
    tool = chosen(KEYED, body={}, request_id={"format": "uuid"})
    key = planned(tool, body="Hello").intent.arguments["request_id"]

    assert uuid.UUID(key).version == 5
    assert key == planned(tool, body="Hello").intent.arguments["request_id"]


@pytest.mark.parametrize(
    ("server", "bound", "said"),
    [
        (replace(SERVER, markers={"write": "txt"}), {}, "no argument 'txt' for its marker"),
        (replace(KEYED, idempotency={"write": "k"}), {}, "no argument 'k' for its idempotency"),
        (KEYED, {"s": {"request_id": "1"}}, "which is filled by us"),
    ],
)
def test_what_a_servers_file_says_must_fit_the_tool(
    server: HttpServer, bound: Any, said: str
) -> None:
    with pytest.raises(ToolsetRefused, match=said):
        chosen(server, bound=bound, body={}, request_id={})


def test_a2_the_tool_that_shows_what_became_of_a_write_is_pinned_by_the_name_the_model_knows() -> (
    None
):
    limited = replace(
        BOOK,
        tools={"s": ("list", "write")},
        writes={"s.write": WriteLimit(verify="s.list")},
    )

    assert chosen(book=limited, body={}).verify == "s__list"


# In the files ----------------------------------------------------------------------------------

TOOLS = "github: {{command: [x], tools: {{issue_write: {{{}}}}}}}\n"


def test_a_server_may_name_the_key_and_the_marker_of_a_tool() -> None:
    text = TOOLS.format("idempotency: request_id, marker: comment")
    server = configuration(servers_yaml=text).servers["github"]

    assert server.idempotency == {"issue_write": "request_id"}
    assert server.markers == {"issue_write": "comment"}
    assert server.effects == {"issue_write": Effect.WRITE}


def test_a_server_may_say_that_a_tool_gets_no_marker() -> None:
    server = configuration(servers_yaml=TOOLS.format("marker: false")).servers["github"]

    assert (server.markers, server.effects) == ({"issue_write": ""}, {})


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        (
            "",
            "expected at least one of `effect`, `idempotency`, `limits`, `marker`, `result`, `timeout`",
        ),
        ("effect: write-once, idempotency: k", "is a `write`, not 'write-once'"),
        ("effect: read, idempotency: k", "is a `write`, not 'read'"),
    ],
)
def test_what_contradicts_itself_about_a_tool_is_a_mistake(said: str, mistake: str) -> None:
    (found,) = mistakes(servers_yaml=TOOLS.format(said))

    assert mistake in found


def with_front(*lines: str) -> str:
    return PLAYBOOK.replace("writes:", "\n".join((*lines, "writes:")))


def test_a_playbook_may_say_how_a_write_is_verified() -> None:
    text = PLAYBOOK.replace("{max: 2}", "{max: 2, verify: github.issue_read}")
    playbook = configuration(playbooks__triage_md=text).playbooks["triage"]

    assert playbook.writes["github.issue_write"].verify == "github.issue_read"


@pytest.mark.parametrize(
    ("verify", "mistake"),
    [
        ("github.issue_reed", "did you mean 'issue_read'?"),
        ("issue_read", "'issue_read' is not under `tools:`"),
        ("github.issue_write", "expected a tool that looks and changes nothing"),
    ],
)
def test_what_verifies_must_be_a_listed_tool_that_only_looks(verify: str, mistake: str) -> None:
    text = PLAYBOOK.replace("{max: 2}", f"{{max: 2, verify: {verify}}}")
    (found,) = mistakes(playbooks__triage_md=text)

    assert mistake in found


def test_a_playbook_may_say_what_a_write_may_carry() -> None:
    text = with_front("screening: {links: 0, mentions: 2, tokens: allow}")
    screening = configuration(playbooks__triage_md=text).playbooks["triage"].screening

    assert (screening.links, screening.mentions, str(screening.tokens)) == (0, 2, "allow")


def test_a_playbook_that_says_something_else_of_tokens_is_a_mistake() -> None:
    (found,) = mistakes(playbooks__triage_md=with_front("screening: {tokens: maybe}"))

    assert "expected 'refuse' or 'allow', got 'maybe'" in found
