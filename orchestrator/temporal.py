"""The one way to a Temporal client: address, namespace and the data converter, the same for every process."""

from collections.abc import Sequence

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RetryConfig

PATIENCE_MS = 1_000


async def connect(
    address: str, namespace: str, *, lazy: bool = False, interceptors: Sequence[Interceptor] = ()
) -> Client:
    """A client. With `lazy`, the connection is made at the first call, so a server may come up later.

    `interceptors` also stand in every worker over this client: they carry a trace into its runs.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=pydantic_data_converter,
        lazy=lazy,
        interceptors=interceptors,
        # What can't be delivered now waits in the inbox; retrying long in here would only hold its lane.
        retry_config=RetryConfig(max_elapsed_time_millis=PATIENCE_MS),
    )
