"""Whether a service may start with the sources it has: an unsigned one is for this machine only (promise D1)."""

from collections.abc import Mapping

from orchestrator.errors import OperatorError
from orchestrator.signatures.unsigned import UnsignedScheme, loopback
from orchestrator.sources.source import Source


def check_listening(sources: Mapping[str, Source], host: str) -> None:
    """Return if these sources may be listened for at this host. Raises `OperatorError`."""
    names = sorted(n for n, source in sources.items() if isinstance(source.scheme, UnsignedScheme))
    if names and not loopback(host):
        raise OperatorError(
            f"the source {names[0]!r} is unsigned, and {host!r} is not loopback: "
            "give it a scheme, or listen with --host 127.0.0.1"
        )
