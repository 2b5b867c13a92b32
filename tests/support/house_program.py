"""Stands in for `doorbell serve` and `doorbell work` where only their being processes matters."""

import asyncio
import http.server
import os
import signal
import sys

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from orchestrator.doorbell.listener import inherited
from orchestrator.settings import environment


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"{sys.argv[1]} began", flush=True)  # noqa: T201 - a process speaks by printing
    if sys.argv[1] == "serve":
        serve()
    asyncio.run(poll(os.environ["DOORBELL_TEMPORAL"]))  # noqa: TID251 - as above


def serve() -> None:
    listener = inherited(environment(), os.getpid())
    assert listener is not None
    listener.settimeout(None)
    server = http.server.HTTPServer(listener.getsockname(), Ready, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


async def poll(address: str) -> None:
    client = await Client.connect(address)
    async with Worker(client, task_queue="doorbell", workflows=[Nothing]):
        await asyncio.Event().wait()


@workflow.defn(sandboxed=False)
class Nothing:
    @workflow.run
    async def run(self) -> None:
        """Never started."""


if __name__ == "__main__":
    main()
