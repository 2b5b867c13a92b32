"""What stands under `secrets` as the key of an algorithm, shared or public; pure, and it verifies nothing.

How a key is written is said in the configuration or in the table of senders, never by a request.
"""

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from orchestrator.signatures.bytes import from_base64, from_hex

KeyForm = Literal["utf8", "whsec", "whsec-or-utf8", "hex", "base64", "whpk", "spki", "pem"]
"""As it is; behind `whsec_` in base64; that or as it is; raw bytes in hex or base64; behind `whpk_`; DER; PEM."""

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
WHSEC: Final = "whsec_"
WHPK: Final = "whpk_"
ED25519_SIZE: Final = 32


def shared_key(form: KeyForm, secret: bytes) -> bytes:
    """The HMAC key in a secret. Raises `ValueError` where it isn't written as it should be."""
    text = secret.decode("utf-8", "replace")
    match form:
        case "utf8":
            return secret
        case "whsec":
            return _whsec(text)
        case "whsec-or-utf8":
            return _whsec(text) if text.startswith(WHSEC) else secret
        case "hex":
            return _some(from_hex(text), "hex")
        case "base64":
            return _some(from_base64(text), "base64")
        case "whpk" | "spki" | "pem":
            raise ValueError("expected a shared secret, a public key is declared")


def public_key(
    algorithm: Literal["ed25519", "ecdsa-p256"], form: KeyForm, secret: bytes
) -> PublicKey:
    """The public key in a secret's text. Raises `ValueError` for anything else."""
    match algorithm, _loaded(form, secret):
        case "ed25519", Ed25519PublicKey() as found:
            return found
        case "ecdsa-p256", EllipticCurvePublicKey(curve=SECP256R1()) as found:
            return found
        case _:
            raise ValueError(f"expected a public key of {algorithm}, another kind came")


@lru_cache(maxsize=256)
def _loaded(form: KeyForm, secret: bytes) -> object:
    text = secret.decode("utf-8", "replace").strip()
    read = _READ.get(form)
    if read is None:
        raise ValueError("expected a public key, a shared secret is declared")
    try:
        return read(text)
    except (UnsupportedAlgorithm, ValueError, TypeError):
        raise ValueError(f"expected a public key written as {form}, other text came") from None


def _whsec(text: str) -> bytes:
    encoded = text.removeprefix(WHSEC).rstrip("=")
    found = from_base64(encoded + "=" * (-len(encoded) % 4))
    if found is None:
        raise ValueError(
            f"expected a Standard Webhooks secret, {WHSEC!r} and base64: other text came"
        )
    return found


def _some(value: bytes | None, what: str) -> bytes:
    if value is None:
        raise ValueError(f"expected a key in {what}, other text came")
    return value


def _der(text: str) -> object:
    return load_der_public_key(base64.b64decode("".join(text.split()), validate=True))


_READ: Final[Mapping[KeyForm, Callable[[str], object]]] = {
    "hex": lambda text: Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)),
    "base64": lambda text: Ed25519PublicKey.from_public_bytes(_some(from_base64(text), "base64")),
    "whpk": lambda text: Ed25519PublicKey.from_public_bytes(
        _some(from_base64(text.removeprefix(WHPK)), "base64")
    ),
    "spki": _der,
    "pem": lambda text: load_pem_public_key(text.encode()),
}
