"""playbooks/*.md as playbooks; it knows which servers there are, and asks none which tools it has."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from orchestrator.configuration.allowing import allowed_of
from orchestrator.configuration.approve import approve_of, strangers
from orchestrator.configuration.callbacks import callback_flaws, callbacks_of
from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.people import Person
from orchestrator.configuration.playbook_shapes import PlaybookShape
from orchestrator.configuration.prompting import prompt_of, texts_in
from orchestrator.configuration.shaping import NAME, shaped
from orchestrator.errors import Flaw
from orchestrator.playbooks import (
    MOST_READS,
    READ,
    digest_of,
    prose_flaws,
    resource_of,
    template_flaw,
)
from orchestrator.rules.load import closest
from orchestrator.templates import Template, TemplateError, templates_of
from workflows.own_tools import BUILT_INS, RESOURCE
from workflows.playbook import (
    MAX_TOOLS,
    Budget,
    InputType,
    Playbook,
    Screening,
    TextPolicy,
    WriteLimit,
)

_STAND_INS: Final[Mapping[InputType, Any]] = {
    InputType.SLUG: "a",
    InputType.INTEGER: 1,
    InputType.BOOLEAN: True,
    InputType.TEXT: "a",
}


def playbook_of(
    name: str,
    text: str,
    document: Document,
    prose: str,
    servers: Collection[str],
    people: Mapping[str, Person],
) -> tuple[Playbook | None, list[Flaw]]:
    """The playbook of one file's text, taken apart, and everything wrong with its front matter."""
    shape, flaws = shaped(PlaybookShape, document.value, ())
    if NAME.fullmatch(name) is None:
        flaws.append(
            Flaw((), f"expected a file name of letters, digits, `-` and `_`, got {name!r}")
        )
    if shape is None:
        return None, flaws
    flaws += [
        *_tools(shape, servers),
        *_optional(shape),
        *_reads(shape, servers),
        *_prompted(shape, servers),
        *_binds(shape),
        *_writes(shape),
        *_inputs(shape),
        *_callbacks(shape),
    ]
    flaws += _approvals(shape, people)
    if flaws or not document.sound(()):
        return None, flaws
    return _playbook(name, text, shape, prose), []


def prose_flaws_of(document: Document, prose: str) -> list[tuple[int, str]]:
    """What may not stand in the prose, once the inputs can be read."""
    shape, _ = shaped(PlaybookShape, document.value, ())
    return [] if shape is None else list(prose_flaws(prose, shape.inputs))


def _playbook(name: str, text: str, shape: PlaybookShape, prose: str) -> Playbook:
    return Playbook(
        name=name,
        digest=digest_of(text),
        model=shape.model,
        max_tokens=shape.max_tokens,
        inputs=dict(shape.inputs),
        tools={server: tuple(tools) for server, tools in shape.tools.items()},
        optional=tuple(shape.optional),
        on_drift=shape.on_drift,
        bind={target: dict(arguments) for target, arguments in shape.bind.items()},
        writes={
            tool: WriteLimit(
                max=limit.max,
                args=allowed_of(limit.args),
                approve=approve_of(limit.approve),
                verify=limit.verify,
            )
            for tool, limit in shape.writes.items()
        },
        waits=callbacks_of(shape.waits),
        budget=Budget(
            usd=shape.budget.usd,
            tokens=shape.budget.tokens,
            turns=shape.budget.turns,
            tool_calls=shape.budget.tool_calls,
            active=_seconds(shape.budget.active),
            open=_seconds(shape.budget.open),
        ),
        prose=prose,
        text=TextPolicy(invisible=shape.text.invisible, comments=shape.text.comments),
        screening=Screening(
            links=shape.screening.links,
            mentions=shape.screening.mentions,
            tokens=shape.screening.tokens,
        ),
        approve=approve_of(shape.approve),
        read=tuple(shape.read),
        prompt=prompt_of(shape.prompt),
    )


def _tools(shape: PlaybookShape, servers: Collection[str]) -> Iterator[Flaw]:
    for server, tools in shape.tools.items():
        if server not in servers:
            yield Flaw(
                ("tools", server), f"unknown server {server!r}{closest(server, servers)}", key=True
            )
        yield from _listed(server, tools)
    listed = sum(map(len, shape.tools.values()))
    built_in = [*BUILT_INS, *([RESOURCE] if shape.read else [])]
    count = listed + len(built_in)
    if count > MAX_TOOLS:
        yield Flaw(
            ("tools",),
            f"{listed} tools are listed; with the built-in {', '.join(built_in)} that is {count}, and a playbook may "
            f"have {MAX_TOOLS}. Nothing is cut by itself: take {count - MAX_TOOLS} off the list",
            key=True,
        )


def _optional(shape: PlaybookShape) -> Iterator[Flaw]:
    for index, server in enumerate(shape.optional):
        if server not in shape.tools:
            said = f"{server!r} is not under `tools:`{closest(server, shape.tools)}"
            yield Flaw(("optional", index), said)


def _reads(shape: PlaybookShape, servers: Collection[str]) -> Iterator[Flaw]:
    if len(shape.read) > MOST_READS:
        yield Flaw(
            ("read",), f"expected at most {MOST_READS} entries, got {len(shape.read)}", key=True
        )
    for index, said in enumerate(shape.read):
        at: Place = ("read", index)
        server, uri = resource_of(said)
        if server not in servers:
            yield Flaw(at, f"unknown server {server!r}{closest(server, servers)}")
            continue
        wrong = [*_bound(shape, said, at)]
        yield from wrong or [Flaw(at, text) for text in _unreadable(shape, uri)]


def _prompted(shape: PlaybookShape, servers: Collection[str]) -> Iterator[Flaw]:
    prompt = prompt_of(shape.prompt)
    if prompt is None:
        return
    if prompt.server not in servers:
        said = f"unknown server {prompt.server!r}{closest(prompt.server, servers)}"
        yield Flaw(("prompt",), said, key=True)
    if not prompt.name:
        yield Flaw(("prompt",), f"expected server:name, got {prompt.server!r}", key=True)
    for name, value in prompt.arguments.items():
        at: Place = ("prompt", "with", name)
        wrong = [*_bound(shape, value, at)]
        yield from wrong or [Flaw(at, said) for said in texts_in(value, shape.inputs)]


def _unreadable(shape: PlaybookShape, uri: str) -> Iterator[str]:
    texts = [*texts_in(uri, shape.inputs)]
    yield from texts
    if texts:
        return
    stood_in = {name: _STAND_INS[kind] for name, kind in shape.inputs.items()}
    try:
        flaw = template_flaw(str(Template.parse(uri).render({"with": stood_in})))
    except TemplateError as error:
        flaw = str(error)
    if flaw is not None:
        yield flaw


def _listed(server: str, tools: list[str]) -> Iterator[Flaw]:
    at: Place = ("tools", server)
    if not tools:
        yield Flaw(at, f"expected the names of {server!r}'s tools, got none")
    for index, tool in enumerate(tools):
        if tool == READ:
            yield Flaw((*at, index), f"expected a tool, got {tool!r}: list resources under `read:`")
        elif "*" in tool or "?" in tool:
            yield Flaw((*at, index), f"expected a tool's own name, got the pattern {tool!r}")
        elif tool in tools[:index]:
            yield Flaw((*at, index), f"the tool {tool!r} is listed twice")


def _binds(shape: PlaybookShape) -> Iterator[Flaw]:
    for target, arguments in shape.bind.items():
        at: Place = ("bind", target)
        if target not in shape.tools:
            yield from _target(shape, target, at)
        for name, value in arguments.items():
            yield from _bound(shape, value, (*at, name))


def _bound(shape: PlaybookShape, value: Any, at: Place) -> Iterator[Flaw]:
    try:
        templates = templates_of(value)
    except TemplateError as error:
        yield Flaw(at, str(error))
        return
    for path in sorted(path for template in templates for path in template.paths):
        root, _, rest = path.partition(".")
        if root != "with" or not rest:
            yield Flaw(at, f"a bind knows the rule's inputs, as {{{{ with.name }}}}; got {path!r}")
        elif (name := rest.partition(".")[0]) not in shape.inputs:
            yield Flaw(at, f"with.{name} is not among the inputs{closest(name, shape.inputs)}")


def _callbacks(shape: PlaybookShape) -> Iterator[Flaw]:
    for target, callback in shape.waits.items():
        at: Place = ("waits", target)
        yield from _target(shape, target, at)
        yield from callback_flaws(callback, shape.inputs, at)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _writes(shape: PlaybookShape) -> Iterator[Flaw]:
    for target in shape.writes:
        yield from _target(shape, target, ("writes", target))
        yield from _verified(shape, target)


def _verified(shape: PlaybookShape, target: str) -> Iterator[Flaw]:
    verify, at = shape.writes[target].verify, ("writes", target, "verify")
    if verify is None:
        return
    for flaw in _target(shape, verify, at):
        yield replace(flaw, key=False)
    if verify in shape.writes:
        text = f"expected a tool that looks and changes nothing, got {verify!r}, which stands under `writes:`"
        yield Flaw(at, text)


def _approvals(shape: PlaybookShape, people: Mapping[str, Person]) -> Iterator[Flaw]:
    yield from strangers(shape.approve, people, ("approve",))
    for target, limit in shape.writes.items():
        yield from strangers(limit.approve, people, ("writes", target, "approve"))


def _target(shape: PlaybookShape, target: str, at: Place) -> Iterator[Flaw]:
    server, dot, tool = target.partition(".")
    listed: Mapping[str, list[str]] = shape.tools
    if server not in listed:
        yield Flaw(at, f"{server!r} is not under `tools:`{closest(server, listed)}", key=True)
    elif not dot:
        yield Flaw(at, f"expected server.tool, got {target!r}", key=True)
    elif tool not in listed[server]:
        hint = closest(tool, listed[server])
        yield Flaw(at, f"the tool {tool!r} is not listed under {server!r}{hint}", key=True)


def _inputs(shape: PlaybookShape) -> Iterator[Flaw]:
    for name in shape.inputs:
        if not name.isidentifier():
            said = f"expected an input's name of letters, digits and `_`, got {name!r}"
            yield Flaw(("inputs", name), said, key=True)
