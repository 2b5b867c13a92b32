"""Who shows which token; pure: it knows digests, a header and a day."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date
from typing import Final

from orchestrator.configuration.tokens import Scope, Token
from orchestrator.errors import AskerError, Fault

PREFIX: Final = "dbt_"
"""How a token begins, so that scanners for leaked secrets can know it."""

ENTROPY: Final = 32
"""Random bytes of a token: so many need no slow hash."""

WHAT_TO_DO: Final = (
    "expected the header `Authorization: Bearer` with a token of tokens.yaml that has not expired; "
    "`doorbell token new NAME` makes one"
)


def digest_of(token: str) -> str:
    """What tokens.yaml holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def proved(tokens: Iterable[Token], authorization: str, today: date) -> Token:
    """The token that this `Authorization` header shows. Raises AskerError."""
    scheme, _, given = authorization.partition(" ")
    shown = digest_of(given.strip())
    found: Token | None = None
    for token in tokens:
        # Every one is compared, whichever fits: how long it takes says nothing.
        if hmac.compare_digest(token.digest, shown):
            found = token
    if found is None or scheme.lower() != "bearer":
        raise AskerError(Fault.UNPROVED, WHAT_TO_DO)
    if found.expires is not None and today > found.expires:
        raise AskerError(Fault.UNPROVED, WHAT_TO_DO)
    return found


def allow(token: Token, scope: Scope) -> None:
    """Raise AskerError where the token isn't for that."""
    if not token.may(scope):
        held = ", ".join(sorted(token.scopes))
        said = f"expected a token with the scope {str(scope)!r}; {token.name!r} has {held}"
        raise AskerError(Fault.NOT_ALLOWED, said)
