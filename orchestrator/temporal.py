"""The one way to a Temporal client: address, namespace and the data converter, the same for every process.

What an activity said with its last heartbeat is read here too: it stands in no history.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.service import RetryConfig, RPCError

_JSON: Final = PydanticJSONPlainPayloadConverter()
"""One for all runs of a process: it keeps what it made of each type, which takes 20 ms for what a run starts with."""


class PayloadConverter(CompositePayloadConverter):
    """As temporalio's for pydantic, which would read the types anew for every run."""

    def __init__(self) -> None:
        stock = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(
            *(_JSON if isinstance(one, JSONPlainPayloadConverter) else one for one in stock)
        )


CONVERTER: Final = DataConverter(payload_converter_class=PayloadConverter)
PATIENCE_MS = 1_000
LOOK = timedelta(seconds=2)


async def connect(
    address: str, namespace: str, *, lazy: bool = False, interceptors: Sequence[Interceptor] = ()
) -> Client:
    """A client. With `lazy`, the connection is made at the first call, so a server may come up later.

    `interceptors` also stand in every worker over this client: they carry a trace into its runs.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=CONVERTER,
        lazy=lazy,
        interceptors=interceptors,
        # What can't be delivered now waits in the inbox; retrying long in here would only hold its lane.
        retry_config=RetryConfig(max_elapsed_time_millis=PATIENCE_MS),
    )


async def progress(client: Client, workflow_id: str) -> Mapping[str, str]:
    """By call, what its server said last of how far it is; nothing where Temporal doesn't answer in time."""
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=LOOK)
    except (RPCError, RuntimeError):
        return {}
    beats = [one.heartbeat_details.payloads for one in found.raw_description.pending_activities]
    said = [await client.data_converter.decode(list(payloads)) for payloads in beats]
    return {str(one[1]): str(one[0]) for one in said if len(one) > 1}
