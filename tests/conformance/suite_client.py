"""The client that the official conformance suite judges: our own connector, told what to call by the scenario.

The suite runs `python -m tests.conformance.suite_client URL`; scenario and context are in the environment.
"""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit

import httpx2

from orchestrator.agent.hands.pool import Hands
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, OAuth

DEADLINE = 20.0
PLAIN = {"integer": 3, "number": 5, "string": "text", "boolean": True, "array": [], "object": {}}


async def main(url, scenario, context):
    """Discover the server, and call what the scenario asks for."""
    server = HttpServer(name="peer", url=url, oauth=await _oauth(url, context))
    hands = Hands({"peer": server}, environment={})
    try:
        found = await hands.discover("peer")
        for number, (tool, arguments) in enumerate(_calls(found.tools, scenario, context)):
            outcome = await hands.call(
                "peer", tool, arguments, deadline=DEADLINE, key=f"conformance/{number}"
            )
            sys.stderr.write(f"{tool}: {type(outcome).__name__}\n")
    finally:
        await hands.close()


async def _oauth(url, context):
    if "client_secret" not in context:
        return None
    # An operator writes the issuer down; the suite names it only where its server does.
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
    async with httpx2.AsyncClient() as http:
        (issuer,) = (await http.get(where)).json()["authorization_servers"]
    secret = Secret("context", context["client_secret"])
    return OAuth(client_id=context["client_id"], client_secret=secret, issuer=issuer)


def _calls(tools, scenario, context):
    if "toolCalls" in context:
        return [(one["name"], one["arguments"]) for one in context["toolCalls"]]
    schemas = {tool.name: tool.input_schema for tool in tools}
    if scenario == "json-schema-2020-12-preservation":
        return [("json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})]
    return [(name, _arguments(schema)) for name, schema in schemas.items()]


def _arguments(schema):
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or ()
    return {name: PLAIN.get(properties.get(name, {}).get("type"), "text") for name in wanted}


if __name__ == "__main__":
    environment = os.environ  # noqa: TID251 - the suite tells its client this way
    asyncio.run(
        main(
            sys.argv[1],
            environment.get("MCP_CONFORMANCE_SCENARIO", ""),
            json.loads(environment.get("MCP_CONFORMANCE_CONTEXT") or "{}"),
        )
    )
