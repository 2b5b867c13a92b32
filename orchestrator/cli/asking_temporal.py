"""The Temporal server of an installation here, as commands ask it; its import costs most of a second."""

from collections.abc import Mapping
from typing import Final

from temporalio.service import RPCError

from orchestrator import embedded, temporal
from orchestrator.cli.consoles import Server
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory


def _address(settings: Settings, state: StateDirectory) -> str:
    running = state.addresses()
    return settings.temporal or (running.temporal if running else "")


async def _identity(settings: Settings, state: StateDirectory) -> str:
    address = _address(settings, state)
    if not address:
        raise OperatorError("no service is running here: name the server with --temporal ADDRESS")
    try:
        return await embedded.identity(address, settings.namespace)
    except (RPCError, RuntimeError) as error:
        raise OperatorError(f"Temporal at {address!r} does not answer: {error}") from error


async def _progress(
    settings: Settings, state: StateDirectory, workflow_id: str
) -> Mapping[str, str]:
    address = _address(settings, state)
    if not address:
        return {}
    client = await temporal.connect(address, settings.namespace, lazy=True)
    return await temporal.progress(client, workflow_id)


HERE: Final = Server(identity=_identity, progress=_progress)
