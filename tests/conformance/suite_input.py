"""The tools and the prompt of the official conformance suite that ask the client before they answer."""

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field, create_model

from tests.conformance.suite_tasks import name_form


def form(message, name, kind="string"):
    """A request for one value."""
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text, most=100):
    """A request for the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=most)
    )


def _answers(ctx):
    return ctx.input_responses or {}


async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Ask for a name."""
    given = _answers(ctx).get("user_name")
    if not isinstance(given, ElicitResult) or not given.content:
        asked = {"user_name": ElicitRequest(params=name_form())}
        return InputRequiredResult(input_requests=asked)
    return f"Hello, {given.content['name']}!"


async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    """Ask the client's model."""
    given = _answers(ctx).get("capital_question")
    if given is None:
        asked = {"capital_question": sampling("What is the capital of France?")}
        return InputRequiredResult(input_requests=asked)
    return f"The model said: {given.model_dump_json()}"


async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    """Ask for the roots."""
    given = _answers(ctx).get("client_roots")
    if given is None:
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return f"Roots: {given.model_dump_json()}"


async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    """Ask, and know the question again."""
    if "confirm" not in _answers(ctx) or ctx.request_state != "asked":
        asked = {"confirm": form("Please confirm", "ok", "boolean")}
        return InputRequiredResult(input_requests=asked, request_state="asked")
    return "state-ok"


async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
    """Ask, with a state that nobody may change."""
    return await test_input_required_result_request_state(ctx)


async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    """Ask three things at once."""
    asked = {
        "user_name": ElicitRequest(params=name_form()),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if asked.keys() - _answers(ctx).keys():
        return InputRequiredResult(input_requests=asked, request_state="three")
    return "All three came"


async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    """Ask one thing after the other."""
    answers = _answers(ctx)
    if "step2" in answers and ctx.request_state == "second":
        return f"Your colour: {answers['step2'].content['color']}"
    if "step1" in answers and ctx.request_state == "first":
        asked = {"step2": form("Step 2: What is your favorite color?", "color")}
        return InputRequiredResult(input_requests=asked, request_state="second")
    asked = {"step1": form("Step 1: What is your name?", "name")}
    return InputRequiredResult(input_requests=asked, request_state="first")


async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
    """Ask only what this client can answer."""
    can = ctx.client_capabilities
    asked = {}
    if can is not None and can.sampling is not None:
        asked["sampled"] = sampling("Say hello")
    if can is not None and can.elicitation is not None:
        asked["user_name"] = ElicitRequest(params=name_form())
    if asked and not asked.keys() <= _answers(ctx).keys():
        return InputRequiredResult(input_requests=asked)
    return "Nothing to ask"


async def test_missing_capability(ctx: Context) -> str:
    """Need the client's model, which it may not have."""
    can = ctx.client_capabilities
    if can is None or can.sampling is None:
        data = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Client can't sample", data)
    return "It can sample"


async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Ask for a name, over a stream."""
    return await test_input_required_result_elicitation(ctx)


async def test_sampling(prompt: str, ctx: Context) -> str:
    """Ask the client's model in the middle of the call, as the handshake era did."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    said = await ctx.session.create_message(messages=[message], max_tokens=100)
    return f"LLM response: {said.content.text}"


class Contact(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


async def test_elicitation(message: str, ctx: Context) -> str:
    """Ask the user in the middle of the call, as the handshake era did."""
    return _user_said(await ctx.elicit(message, schema=Contact))


class Defaults(BaseModel):
    name: str = Field(default="John Doe")
    age: int = Field(default=30)
    score: float = Field(default=95.5)
    status: str = Field(
        default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]}
    )
    verified: bool = Field(default=True)


async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask with defaults."""
    return _user_said(await ctx.elicit("Please provide user information", schema=Defaults))


def _titled(*titles):
    return [{"const": f"value{n}", "title": title} for n, title in enumerate(titles, 1)]


OPTIONS = ["option1", "option2", "option3"]


KINDS = {
    "untitledSingle": (str, {"enum": OPTIONS}),
    "titledSingle": (str, {"oneOf": _titled("First Option", "Second Option", "Third Option")}),
    "legacyEnum": (
        str,
        {
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
    ),
    "untitledMulti": (list[str], {"items": {"type": "string", "enum": OPTIONS}}),
    "titledMulti": (
        list[str],
        {"items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")}},
    ),
}
Choices = create_model(
    "Choices",
    **{name: (kind, Field(json_schema_extra=extra)) for name, (kind, extra) in KINDS.items()},
)


async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask with every kind of choice."""
    return _user_said(await ctx.elicit("Please select values", schema=Choices))


def _user_said(result):
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"Elicitation completed: action={result.action}, content={content}"


TOOLS = (
    test_missing_capability,
    test_streaming_elicitation,
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)


def add_prompt(server):
    """The prompt that asks first."""

    @server.prompt()
    async def test_input_required_result_prompt(
        ctx: Context,
    ) -> list[UserMessage] | InputRequiredResult:
        """A prompt about what the user says."""
        given = _answers(ctx).get("user_context")
        if not isinstance(given, ElicitResult) or not given.content:
            asked = {"user_context": form("What context should the prompt use?", "context")}
            return InputRequiredResult(input_requests=asked)
        said = f"Context: {given.content['context']}"
        return [UserMessage(content=TextContent(type="text", text=said))]
