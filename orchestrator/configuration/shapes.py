"""The keys of our files and what may stand under each; it knows shapes only, not whether they fit together.

A key whose enforcement isn't built isn't here, so it is an unknown key.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.quantities import (
    DURATION,
    Cooling,
    Count,
    Dollars,
    Duration,
    Per,
    Positive,
    Size,
    duration,
    like,
)
from orchestrator.configuration.scheduled import ScheduleShape, Zone
from orchestrator.configuration.trust import TrustShape
from orchestrator.errors import OperatorError
from orchestrator.rules.caps import UTC
from orchestrator.rules.steps import MOST, OnError
from orchestrator.secrets import REFERENCE
from orchestrator.signatures.sns import TOPIC
from orchestrator.sources.source import CATCH_UP
from orchestrator.templates import Template
from workflows.flow import Mode
from workflows.playbook import OverBudget, Stage

MINUTE = timedelta(minutes=1)
RECOVER_EVERY = timedelta(minutes=10)
RECOVER_LEAST = timedelta(seconds=10)
GITHUB_API = "https://api.github.com"
SUBSCRIBE_TTL = timedelta(days=1)
SUBSCRIBE_LEAST, SUBSCRIBE_MOST = timedelta(minutes=1), timedelta(days=30)
MOST_WANTED = 32
"""Each has a secret of its own, and all of them are tried on a delivery."""


def _reference(value: Any) -> str:
    # What came isn't repeated: it may be the secret itself, written where its name belongs.
    if not isinstance(value, str) or REFERENCE.fullmatch(value) is None:
        raise ValueError("expected a reference, env:NAME or file:/path, not the secret itself")
    return value


def _maybe_reference(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ValueError("expected a text, env:NAME or file:/path")  # noqa: TRY004 - pydantic's word
    text = str(value)
    return _reference(text) if text.startswith(("env:", "file:")) else text


def _template(value: Any) -> Template:
    if not isinstance(value, str):
        raise ValueError(f"expected a template in quotes, got {value!r}")  # noqa: TRY004 - pydantic's word
    try:
        return Template.parse(value)
    except OperatorError as error:
        raise ValueError(str(error)) from None


def _address(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.fragment
    ):
        raise ValueError(f"expected the URL the sender calls, https://..., got {value!r}")
    return str(value)


def _topic(value: Any) -> str:
    if not isinstance(value, str) or TOPIC.fullmatch(value) is None:
        raise ValueError(f"expected a topic's ARN, arn:aws:sns:region:account:name, got {value!r}")
    return value


Address = Annotated[str, BeforeValidator(_address)]
Topic = Annotated[str, BeforeValidator(_topic)]
Reference = Annotated[str, BeforeValidator(_reference, like(REFERENCE))]
Text = Annotated[str, BeforeValidator(_maybe_reference, str | int | float | bool)]
Parsed = Annotated[Template, BeforeValidator(_template, str)]


class HmacShape(Shape):
    """`scheme:` of a source whose vendor has no preset. `id` and `timestamp` name headers."""

    hmac: Literal["sha256", "sha512"]
    header: Words
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    signed: Words = "{body}"
    timestamp: Words | None = None
    tolerance: Duration | None = None
    id: Words | None = None


class KeyShape(Shape):
    """`scheme:` of a vendor that signs with a private key; the value says how the public key is written."""

    ed25519: Literal["hex", "base64", "spki", "pem"] | None = None
    ecdsa: Literal["spki", "pem"] | None = None
    header: Words
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "base64"
    signed: Words = "{body}"
    timestamp: Words | None = None
    tolerance: Duration | None = None
    id: Words | None = None


class TokenShape(Shape):
    """`scheme:` of a vendor that sends the shared secret itself along, in a header or a query parameter."""

    token: Literal["header", "query"]
    header: Words | None = None
    parameter: Words | None = None
    prefix: str = ""


class DedupeShape(Shape):
    """Whether equal signed bytes are the same delivery."""

    body: Literal["forever", "off"]


def _keep(value: Any) -> Any:
    return value if value == "forever" else duration(value)


Keep = Annotated[
    timedelta | Literal["forever"], BeforeValidator(_keep, like(DURATION) | Literal["forever"])
]


def _every(value: Any) -> timedelta:
    word, _, rest = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if word != "every":
        raise ValueError(f"expected `every` and a duration, such as `every 6h`, got {value!r}")
    return _no_less(MINUTE)(duration(rest.strip()))


def _no_less(least: timedelta) -> Callable[[timedelta], timedelta]:
    def checked(value: timedelta) -> timedelta:
        if value < least:
            raise ValueError(f"expected at least {int(least.total_seconds())}s, got less")
        return value

    return checked


def api_url(value: Any) -> str:
    """An API's URL that a token may be sent to: https, or plain on this machine. Raises `ValueError`."""
    parts = urlsplit(value) if isinstance(value, str) else None
    loopback = parts is not None and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if (
        parts is None
        or not (parts.scheme == "https" or (parts.scheme == "http" and loopback))
        or not parts.hostname
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise ValueError("expected the API's URL, https://..., without user, query and fragment")
    return str(value)


EVERY = re.compile(f"every {DURATION.pattern}")
Every = Annotated[timedelta, BeforeValidator(_every, like(EVERY))]
Api = Annotated[str, BeforeValidator(api_url)]


class RecoverShape(Shape):
    """Where GitHub lists what it delivered, of `repo` or of `org`; without `hook` it is found by its URL."""

    token: Reference
    repo: Words | None = None
    org: Words | None = None
    every: Annotated[Duration, AfterValidator(_no_less(RECOVER_LEAST))] = RECOVER_EVERY
    hook: Annotated[int, Field(strict=True, ge=1)] | None = None
    api: Api = GITHUB_API


def _callback(value: Any) -> str:
    try:
        return api_url(value)
    except ValueError:
        said = "expected the URL at which the server reaches /hooks/SOURCE, https://..., without user and query"
        raise ValueError(said) from None


def _no_more(most: timedelta) -> Callable[[timedelta], timedelta]:
    def checked(value: timedelta) -> timedelta:
        if value > most:
            raise ValueError(f"expected at most {int(most.total_seconds() // 86_400)}d, got more")
        return value

    return checked


class WantedShape(Shape):
    """One event of an MCP server, by its name there; `arguments` say of which of them we want to hear."""

    name: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$")]
    arguments: Mapping[str, Any] = Field(default_factory=dict)


class McpShape(Shape):
    """`mcp:` of a source: a server of servers.yaml, where it reaches us, and of which of its events we want to hear."""

    server: Words
    url: Annotated[str, BeforeValidator(_callback)]
    events: Annotated[list[WantedShape], Field(min_length=1, max_length=MOST_WANTED)]
    ttl: Annotated[
        Duration,
        AfterValidator(_no_less(SUBSCRIBE_LEAST)),
        AfterValidator(_no_more(SUBSCRIBE_MOST)),
    ] = SUBSCRIBE_TTL


class SourceShape(Shape):
    """One entry of sources.yaml; `scheme` is a preset's name or a declared scheme, told apart by its reader.

    Instead of a scheme, `mcp` says at which MCP server we subscribe, and to what.
    """

    scheme: Any = None
    mcp: McpShape | None = None
    secrets: Annotated[list[Reference], BeforeValidator(listed), Field(min_length=1)] | None = None
    public_url: Address | None = None
    verify_token: Reference | None = None
    origins: Annotated[list[Words], BeforeValidator(listed)] = Field(default_factory=list)
    topics: Annotated[list[Topic], BeforeValidator(listed)] = Field(default_factory=list)
    own_actors: list[str | int] = Field(default_factory=list)
    max_body: Size | None = None
    id: Parsed | None = None
    type: Parsed | None = None
    subject: Parsed | None = None
    actor: Parsed | None = None
    keys: list[Parsed] = Field(default_factory=list)
    dedupe: DedupeShape | None = None
    backlog: Positive | None = None
    keep: Keep | None = None
    expect: Every | None = None
    recover: RecoverShape | None = None
    catch_up: Duration = CATCH_UP


class CoalesceShape(Shape):
    """`coalesce:` of a rule: wait until nothing more came for `quiet`, at most `within` from the first event."""

    quiet: Cooling
    within: Cooling


class FlowShape(Shape):
    """How events of one key meet a run that is already there."""

    mode: Mode = Mode.SIGNAL
    coalesce: CoalesceShape | None = None


class DayCapsShape(Shape):
    """What may be spent in a day, in all and on one actor's events."""

    usd_per_day: Dollars | None = None
    tokens_per_day: Count | None = None
    usd_per_actor_day: Dollars | None = None
    tokens_per_actor_day: Count | None = None


class LimitsShape(DayCapsShape):
    """`limits:` of a rule."""

    on_over_budget: OverBudget = OverBudget.PARK
    concurrent: Positive | None = None
    per_actor: Per | None = None
    per_key: Per | None = None
    cooldown: Cooling | None = None


class RuleDedupeShape(Shape):
    """`dedupe:` of a rule: its second key, and for how long only the first event with it acts."""

    key: Parsed
    window: Cooling


class PriceShape(Shape):
    """What a model costs that no price list knows, in USD per million tokens."""

    input: Dollars
    output: Dollars


class LimitsFileShape(DayCapsShape):
    """limits.yaml: caps on the whole installation, the zone of a day, declared prices."""

    zone: Zone = UTC
    prices: Mapping[str, PriceShape] = Field(default_factory=dict)


def _rotated(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        # What came isn't repeated here either.
        raise ValueError("expected env:NAME or file:/path, or a list of them, newest first")
    return value


class ForwardShape(Shape):
    """Where a rule forwards its events, and how it proves them."""

    url: Words
    secret: Annotated[list[Reference], BeforeValidator(_rotated)]
    timeout: Duration = timedelta(seconds=10)
    private: Annotated[bool, Field(strict=True)] = False
    headers: Mapping[str, Text] = Field(default_factory=dict)


class StepShape(Shape):
    """One tool call of a `call:`; `args` hold templates."""

    tool: Words
    args: Mapping[str, Any] = Field(default_factory=dict)
    on_error: OnError = OnError.END


class ExpectShape(Shape):
    """What a rule's test expects: of an event that matches what is done, of another one what decided against it."""

    match: Annotated[bool, Field(strict=True)]
    key: Words | None = None
    action: Literal["run", "forward", "call"] | None = None
    with_: Mapping[str, Any] | None = Field(default=None, alias="with")
    failed: Words | None = None


class ExampleShape(Shape):
    """One test of a rule: the file of a raw request, and what is expected of it."""

    event: Words
    expect: ExpectShape


class RuleShape(Shape):
    """One entry of a rule file, with exactly one of `run`, `forward` and `call`; `when` is read on its own."""

    id: Words | None = None
    on: Annotated[list[Words], BeforeValidator(listed), Field(min_length=1)] = Field(
        default_factory=list
    )
    when: Any = Field(default_factory=dict)
    run: Words | None = None
    forward: ForwardShape | None = None
    call: Annotated[list[StepShape], Field(min_length=1, max_length=MOST)] | None = None
    schedule: ScheduleShape | None = None
    with_: Mapping[str, Any] = Field(default_factory=dict, alias="with")
    key: Parsed | None = None
    flow: FlowShape = FlowShape()
    trust: TrustShape = TrustShape()
    stage: Stage = Stage.PREVIEW
    limits: LimitsShape = LimitsShape()
    dedupe: RuleDedupeShape | None = None
    backstop: Annotated[bool, Field(strict=True)] = False
    tests: list[ExampleShape] = Field(default_factory=list)
