"""sources.yaml as sources; it knows presets and declared schemes, and verifies nothing itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.shapes import HmacShape, SourceShape
from orchestrator.configuration.shaping import Found, entries, shaped
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import ReadFile, Secret, resolve
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.presets import DEFAULT_MAX_BODY, PRESETS, Preset
from orchestrator.sources.source import OPERATOR, Source
from orchestrator.templates import Template

DIALECT_KEYS = ("id", "type", "subject", "actor", "keys")
DIALECT_NAMES = frozenset({"event", "headers"})


@dataclass(slots=True)
class FoundSources(Found[Source]):
    """`publishes` has the kinds of correlation keys of every source, also of one whose secret is unset."""

    publishes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def sources_of(
    document: Document, environment: Mapping[str, str], read_file: ReadFile
) -> FoundSources:
    """Every source of the file. One whose first secret is unset is left out, with a warning."""
    found = FoundSources()
    for name, value in entries(document, "source", found.flaws):
        found.names.add(name)
        at: Place = (name,)
        shape, flaws = shaped(SourceShape, value, at)
        preset, more = (None, []) if shape is None else _preset(name, shape, at)
        found.flaws += [*flaws, *more, *_named_wrong(name, at)]
        if shape is None or preset is None:
            continue
        found.publishes[name] = preset.dialect.publishes
        secrets, unset = _secrets(shape, environment, read_file, at)
        found.warnings += unset
        if secrets and not more:
            found.things[name] = _source(name, shape, preset, secrets)
    return found


def _named_wrong(name: str, at: Place) -> Iterator[Flaw]:
    if name == OPERATOR:
        yield Flaw(at, f"{OPERATOR!r} is built in: give this source another name", key=True)


def _source(name: str, shape: SourceShape, preset: Preset, secrets: tuple[Secret, ...]) -> Source:
    asked = None if shape.dedupe is None else shape.dedupe.body == "forever"
    return Source(
        name=name,
        scheme=preset.scheme,
        secrets=secrets,
        dialect=preset.dialect,
        max_body=preset.max_body if shape.max_body is None else shape.max_body,
        dedupe_body=preset.dedupe_body if asked is None else asked,
        own_actors=frozenset(map(str, shape.own_actors)),
    )


def _secrets(
    shape: SourceShape, environment: Mapping[str, str], read_file: ReadFile, at: Place
) -> tuple[tuple[Secret, ...], list[Flaw]]:
    resolved = [resolve(reference, environment, read_file) for reference in shape.secrets]
    if resolved[0] is None:
        place = (*at, "secrets", 0)
        said = f"{shape.secrets[0]} is unset: deliveries of {at[0]!r} are refused until it is set"
        return (), [Flaw(place, said)]
    return tuple(secret for secret in resolved if secret is not None), []


def _preset(name: str, shape: SourceShape, at: Place) -> tuple[Preset | None, list[Flaw]]:
    match shape.scheme:
        case str() if shape.scheme in PRESETS:
            return PRESETS[shape.scheme], list(_only_custom(shape, at))
        case Mapping():
            return _declared(name, shape, at)
        case str():
            hint = closest(shape.scheme, PRESETS)
            return None, [Flaw((*at, "scheme"), f"unknown scheme {shape.scheme!r}{hint}")]
        case _:
            said = (
                f"expected a preset ({', '.join(sorted(PRESETS))}) or {{hmac: sha256, header: ...}}"
            )
            return None, [Flaw((*at, "scheme"), said)]


def _only_custom(shape: SourceShape, at: Place) -> Iterator[Flaw]:
    for key in DIALECT_KEYS:
        if key in shape.model_fields_set:
            said = f"the preset {shape.scheme!r} knows its {key} already: remove it"
            yield Flaw((*at, key), said, key=True)


def _declared(name: str, shape: SourceShape, at: Place) -> tuple[Preset | None, list[Flaw]]:
    hmac, flaws = shaped(HmacShape, shape.scheme, (*at, "scheme"))
    flaws += _dialect_flaws(shape, at)
    if hmac is None:
        return None, flaws
    try:
        scheme = _scheme(name, hmac)
    except ValueError as error:
        return None, [*flaws, Flaw((*at, "scheme"), str(error))]
    if shape.type is None or flaws:
        return None, flaws
    dialect = DeclaredDialect(
        id=shape.id,
        type=shape.type,
        subject=shape.subject,
        actor=shape.actor,
        keys=tuple(shape.keys),
        publishes=tuple(kind for template in shape.keys if (kind := kind_of(template))),
    )
    return Preset(scheme=scheme, dialect=dialect, max_body=DEFAULT_MAX_BODY, dedupe_body=False), []


def _scheme(name: str, shape: HmacShape) -> DeclaredHmac:
    return DeclaredHmac(
        name=name,
        algorithm=shape.hmac,
        header=shape.header.lower(),
        prefix=shape.prefix,
        encoding=shape.encoding,
        signed=shape.signed,
        timestamp=None if shape.timestamp is None else shape.timestamp.lower(),
        tolerance=shape.tolerance,
        id_header=None if shape.id is None else shape.id.lower(),
    )


def _dialect_flaws(shape: SourceShape, at: Place) -> Iterator[Flaw]:
    if shape.type is None:
        yield Flaw(at, 'a declared scheme needs a `type:`, such as "{{ event.type }}"', key=True)
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
