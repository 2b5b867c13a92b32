"""`scheme: {...}` in sources.yaml as a scheme of the vendor's own; it knows the three kinds and no vendor."""

from collections.abc import Mapping
from typing import Any

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import HmacShape, KeyShape, TokenShape
from orchestrator.configuration.shaping import shaped
from orchestrator.errors import Flaw
from orchestrator.signatures import table
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.table import Stamp, TableScheme, pieces
from orchestrator.signatures.token import Bearer, TokenScheme

KINDS = ("hmac", "ed25519", "ecdsa", "token")


def declared_scheme(
    name: str, value: Mapping[str, Any], at: Place
) -> tuple[Scheme | None, list[Flaw]]:
    """The scheme, or None and why not."""
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) > 1:
        return None, [Flaw(at, f"expected one of {', '.join(KINDS)}, got {' and '.join(kinds)}")]
    try:
        match kinds:
            case ["token"]:
                return _token(name, value, at)
            case ["ed25519"] | ["ecdsa"]:
                return _public(name, value, at)
            case _:
                return _hmac(name, value, at)
    except ValueError as error:
        return None, [Flaw(at, str(error))]


def _hmac(name: str, value: Any, at: Place) -> tuple[Scheme | None, list[Flaw]]:
    shape, flaws = shaped(HmacShape, value, at)
    if shape is None:
        return None, flaws
    scheme = DeclaredHmac(
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
    return scheme, flaws


def _public(name: str, value: Any, at: Place) -> tuple[Scheme | None, list[Flaw]]:
    shape, flaws = shaped(KeyShape, value, at)
    if shape is None:
        return None, flaws
    if "{timestamp}" in shape.signed and shape.timestamp is None:
        raise ValueError("signed has {timestamp}: name its header under timestamp")
    if "{id}" in shape.signed and shape.id is None:
        raise ValueError("signed has {id}: name its header under id")
    scheme = TableScheme(
        name=name,
        algorithm="ecdsa-p256" if shape.ed25519 is None else "ed25519",
        key=shape.ed25519 or shape.ecdsa or "pem",
        place=table.Place(
            headers=(shape.header.lower(),), prefix=shape.prefix, encoding=shape.encoding
        ),
        signed=pieces(_spelled(shape)),
        stamp=None if shape.timestamp is None else Stamp(header=shape.timestamp.lower()),
        tolerance=shape.tolerance,
        signs_id="{id}" in shape.signed,
    )
    return scheme, flaws


def _spelled(shape: KeyShape) -> str:
    return shape.signed.replace("{timestamp}", "{ts}").replace("{id}", f"{{h:{shape.id}}}")


def _token(name: str, value: Any, at: Place) -> tuple[Scheme | None, list[Flaw]]:
    shape, flaws = shaped(TokenShape, value, at)
    if shape is None:
        return None, flaws
    wanted, other = ("header", "parameter") if shape.token == "header" else ("parameter", "header")  # noqa: S105
    if getattr(shape, wanted) is None or getattr(shape, other) is not None:
        raise ValueError(f"`token: {shape.token}` needs `{wanted}:` and no `{other}:`")
    place = Bearer(
        header=None if shape.header is None else shape.header.lower(),
        parameter=shape.parameter,
        prefix=shape.prefix,
    )
    return TokenScheme(name=name, places=(place,)), flaws
