"""sources.yaml as sources; it knows presets and declared schemes, and verifies nothing itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from orchestrator.configuration.declared import declared_scheme
from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.recover import recover_of, recover_wrong
from orchestrator.configuration.shapes import McpShape, SourceShape
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.configuration.subscribed import guessable, mcp_flaws, mcp_preset, subscribing
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import ReadFile, Secret, missing, resolve
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.signatures.table import TableScheme
from orchestrator.signatures.token import TokenScheme
from orchestrator.signatures.unsigned import UnsignedScheme
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.preset import Options, Preset, bound, handshake_of
from orchestrator.sources.presets import DEFAULT_MAX_BODY, PRESETS
from orchestrator.sources.source import BUILT_IN, KEEP, Dialect, Recover, Source
from orchestrator.templates import Template

DIALECT_KEYS = ("id", "type", "subject", "actor", "keys")
DIALECT_NAMES = frozenset({"event", "headers"})
OPTIONS = ("public_url", "verify_token", "origins", "topics")


@dataclass(slots=True)
class FoundSources(Found[Source]):
    """`dialects` has what every source speaks, also one with a mistake or whose secret is unset: `shut`.

    `subscribing` are those that ask an MCP server to ring.
    """

    dialects: dict[str, Dialect] = field(default_factory=dict)
    shut: dict[str, Source] = field(default_factory=dict)
    subscribing: dict[str, McpShape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """Where secrets come from."""

    environment: Mapping[str, str]
    read_file: ReadFile

    def secret(self, reference: str) -> Secret | None:
        return resolve(reference, self.environment, self.read_file)

    def missing(self, reference: str) -> str:
        return missing(reference, self.read_file)


def sources_of(
    document: Document, environment: Mapping[str, str], read_file: ReadFile
) -> FoundSources:
    """Every source of the file. One whose first secret is unset is left out, with a warning."""
    found = FoundSources()
    around = _Surroundings(environment=environment, read_file=read_file)
    for name, value in entries(document, "source", found.flaws):
        found.names.add(name)
        _add(found, name, value, around)
    return found


def _add(found: FoundSources, name: str, value: object, around: _Surroundings) -> None:
    at: Place = (name,)
    shape, flaws = shaped(SourceShape, value, at)
    preset, more = (None, []) if shape is None else _preset(name, shape, at)
    found.flaws += [*flaws, *more, *_named_wrong(name, at), *_missing(value, at)]
    if shape is None or preset is None or preset.dialect is None:
        return
    found.dialects[name] = preset.dialect
    if shape.mcp is not None:
        found.subscribing[name] = shape.mcp
    wrong = [*_options_wrong(shape, preset, at), *_secrets_wrong(shape, preset, at)]
    wrong += recover_wrong(shape, preset.scheme, at)
    secrets, unset = _secrets(shape, around, at)
    wrong += guessable(secrets, at) if shape.mcp else _unusable(preset, secrets, at)
    found.flaws += wrong
    found.warnings += [*unset, *_tokenless(shape, around, at), *_risky(name, shape, preset, at)]
    if not more and not wrong:
        opened = found.things if secrets or preset.secret is None else found.shut
        opened[name] = _source(name, shape, preset, preset.dialect, secrets, around)


def _named_wrong(name: str, at: Place) -> Iterator[Flaw]:
    if name in BUILT_IN:
        yield Flaw(at, f"{name!r} is built in: give this source another name", key=True)


def _source(
    name: str,
    shape: SourceShape,
    preset: Preset,
    dialect: Dialect,
    secrets: tuple[Secret, ...],
    around: _Surroundings,
) -> Source:
    token = None if shape.verify_token is None else around.secret(shape.verify_token)
    options = Options(
        public_url=shape.public_url,
        verify_token=token,
        origins=frozenset(origin.lower() for origin in shape.origins),
        topics=frozenset(shape.topics),
    )
    made = Source(
        name=name,
        scheme=bound(preset.scheme, options),
        secrets=secrets,
        dialect=dialect,
        max_body=preset.max_body if shape.max_body is None else shape.max_body,
        dedupe_body=_dedupes(shape, preset),
        own_actors=frozenset(map(str, shape.own_actors)),
        handshake=handshake_of(preset.handshake, options),
        thanks=preset.thanks,
        batch=preset.batch,
        backlog=shape.backlog,
        keep=_kept(shape),
        expect=shape.expect,
        recover=_recover(shape, around),
        catch_up=shape.catch_up,
    )
    return made if shape.mcp is None else subscribing(made, shape.mcp)


def _kept(shape: SourceShape) -> timedelta | None:
    if shape.keep is None:
        return KEEP
    return shape.keep if isinstance(shape.keep, timedelta) else None


def _recover(shape: SourceShape, around: _Surroundings) -> Recover | None:
    return (
        None
        if shape.recover is None
        else recover_of(shape.recover, around.secret(shape.recover.token))
    )


def _tokenless(shape: SourceShape, around: _Surroundings, at: Place) -> Iterator[Flaw]:
    if shape.recover is not None and around.secret(shape.recover.token) is None:
        said = (
            f"{around.missing(shape.recover.token)}: what was missed is not fetched until it is set"
        )
        yield Flaw((*at, "recover", "token"), said)


def _dedupes(shape: SourceShape, preset: Preset) -> bool:
    return preset.dedupe_body if shape.dedupe is None else shape.dedupe.body == "forever"


def _secrets(
    shape: SourceShape, around: _Surroundings, at: Place
) -> tuple[tuple[Secret, ...], list[Flaw]]:
    references = shape.secrets or []
    resolved = [around.secret(reference) for reference in references]
    flaws: list[Flaw] = []
    if shape.verify_token is not None and around.secret(shape.verify_token) is None:
        said = f"{around.missing(shape.verify_token)}: the GET challenge is refused until it is set"
        flaws.append(Flaw((*at, "verify_token"), said))
    if resolved and resolved[0] is None:
        said = (
            f"{around.missing(references[0])}: deliveries of {at[0]!r} are refused until it is set"
        )
        return (), [*flaws, Flaw((*at, "secrets", 0), said)]
    return tuple(secret for secret in resolved if secret is not None), flaws


def _missing(value: object, at: Place) -> Iterator[Flaw]:
    """Told of an entry that is broken otherwise, too: all mistakes at once."""
    if isinstance(value, Mapping) and not {"scheme", "mcp"} & value.keys():
        yield Flaw(at, "the key 'scheme' is missing", key=True)
    if isinstance(value, Mapping) and "secrets" not in value:
        scheme = value.get("scheme")
        known = PRESETS.get(scheme) if isinstance(scheme, str) else None
        if known is None or known.secret is not None:
            yield Flaw(at, "the key 'secrets' is missing", key=True)


def _secrets_wrong(shape: SourceShape, preset: Preset, at: Place) -> Iterator[Flaw]:
    if shape.secrets is not None and preset.secret is None:
        yield Flaw((*at, "secrets"), f"{shape.scheme!r} has no secret: remove it", key=True)


def _unusable(preset: Preset, secrets: tuple[Secret, ...], at: Place) -> Iterator[Flaw]:
    if not isinstance(preset.scheme, TableScheme | StandardWebhooksScheme):
        return
    for secret in secrets:
        complaint = preset.scheme.complaint(secret.reveal().encode())
        if complaint is not None:
            yield Flaw((*at, "secrets"), f"{secret.reference}: {complaint}")


def _options_wrong(shape: SourceShape, preset: Preset, at: Place) -> Iterator[Flaw]:
    """What the entry says beside the scheme and the scheme has no use for, or the other way round."""
    for option in OPTIONS:
        given = option in shape.model_fields_set
        if given and option not in preset.allows:
            yield Flaw(
                (*at, option), f"{option!r} means nothing to this scheme: remove it", key=True
            )
        if option in preset.needs and not getattr(shape, option):
            yield Flaw(at, f"{preset.scheme.name!r} needs `{option}:` {_WHY[option]}", key=True)


_WHY = {
    "public_url": "(it signs the URL it calls: write it exactly as it stands at the sender)",
    "topics": "(anybody can make a topic: list the ARNs that may ring)",
}


def _risky(name: str, shape: SourceShape, preset: Preset, at: Place) -> Iterator[Flaw]:
    """What is allowed and yet worth a word."""
    scheme = preset.scheme
    if isinstance(scheme, UnsignedScheme):
        said = f"{name!r} is unsigned: it is answered on loopback only, and not through a proxy"
        yield Flaw((*at, "scheme"), said)
    elif isinstance(scheme, TokenScheme):
        return  # Who knows the token can say anything anyway; there is nothing to replay.
    elif not (scheme.proves.clock or scheme.signs_id or _dedupes(shape, preset)):
        said = (
            f"{name!r} signs neither time nor id: somebody who overhears a delivery can send it again; "
            "declare a timestamp with a tolerance, or set `dedupe: {body: forever}`"
        )
        yield Flaw((*at, "scheme"), said)


def _preset(name: str, shape: SourceShape, at: Place) -> tuple[Preset | None, list[Flaw]]:
    if shape.mcp is not None:
        flaws = [*mcp_flaws(name, shape, shape.mcp, at), *_strange_names(shape, at)]
        return (None if flaws else mcp_preset(shape, _published(shape))), flaws
    match shape.scheme:
        case None if "scheme" not in shape.model_fields_set:
            return None, []
        case str():
            return _known(shape.scheme, shape, at)
        case Mapping():
            scheme, flaws = declared_scheme(name, shape.scheme, (*at, "scheme"))
            if scheme is None:
                return None, [*flaws, *_dialect_flaws(shape, at)]
            made = Preset(scheme=scheme, dialect=None, max_body=DEFAULT_MAX_BODY, dedupe_body=False)
            return _spoken(made, shape, at)
        case _:
            said = (
                "expected a preset (`doorbell schemes` lists them) or {hmac: sha256, header: ...}"
            )
            return None, [Flaw((*at, "scheme"), said)]


def _known(scheme: str, shape: SourceShape, at: Place) -> tuple[Preset | None, list[Flaw]]:
    preset = PRESETS.get(scheme)
    if preset is not None and preset.generic:
        return _spoken(preset, shape, at)
    if preset is not None:
        return preset, list(_only_custom(shape, at))
    hint = closest(scheme, PRESETS)
    said = f"unknown scheme {scheme!r}{hint}"
    if scheme == "none":
        said = "'none' proves nothing; a program on this machine may use `scheme: unsigned`"
    return None, [Flaw((*at, "scheme"), said)]


def _only_custom(shape: SourceShape, at: Place) -> Iterator[Flaw]:
    for key in DIALECT_KEYS:
        if key in shape.model_fields_set:
            said = f"the preset {shape.scheme!r} knows its {key} already: remove it"
            yield Flaw((*at, key), said, key=True)


def _spoken(preset: Preset, shape: SourceShape, at: Place) -> tuple[Preset | None, list[Flaw]]:
    """The preset with the dialect that this source declares."""
    flaws = list(_dialect_flaws(shape, at))
    if shape.type is None or flaws:
        return None, flaws
    dialect = DeclaredDialect(
        id=shape.id,
        type=shape.type,
        subject=shape.subject,
        actor=shape.actor,
        keys=tuple(shape.keys),
        publishes=_published(shape),
    )
    return replace(preset, dialect=dialect), []


def _published(shape: SourceShape) -> tuple[str, ...]:
    return tuple(kind for template in shape.keys if (kind := kind_of(template)))


def _dialect_flaws(shape: SourceShape, at: Place) -> Iterator[Flaw]:
    if shape.type is None:
        yield Flaw(at, 'a declared scheme needs a `type:`, such as "{{ event.type }}"', key=True)
    yield from _strange_names(shape, at)


def _strange_names(shape: SourceShape, at: Place) -> Iterator[Flaw]:
    templates: list[tuple[Place, Template]] = [
        ((key,), template)
        for key in ("id", "type", "subject", "actor")
        if (template := getattr(shape, key)) is not None
    ]
    templates += [(("keys", index), template) for index, template in enumerate(shape.keys)]
    for place, template in templates:
        strange = template.names - DIALECT_NAMES
        if strange:
            said = f"a source's templates know event and headers, got {min(strange)!r}"
            yield Flaw((*at, *place), said)


def kind_of(template: Template) -> str | None:
    """The kind a key's template always gives, `issue` of `issue:{{ ... }}`; None where only events tell."""
    kind, colon, _ = template.text.partition(":")
    return kind if colon and "{" not in kind else None
