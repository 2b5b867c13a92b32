"""Secrets that are derived from one: a key for each use, none of which tells of the others; pure.

https://www.rfc-editor.org/rfc/rfc5869 with SHA-256. Nothing has to be kept: whoever has the root finds the same key
again, and a new root is a new key for every use.
"""

import base64
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestrator.signatures.keys import WHSEC

SIZE: Final = 32
"""Bytes of a key; Standard Webhooks wants 24 to 64."""

LEAST_ROOT: Final = 24
"""Bytes below which a root could be guessed."""

_SALT: Final = b"doorbell derived secrets 1"


def derived_whsec(root: bytes, use: bytes) -> str:
    """The Standard Webhooks secret for one use."""
    key = HKDF(algorithm=SHA256(), length=SIZE, salt=_SALT, info=use).derive(root)
    return WHSEC + base64.b64encode(key).decode()
