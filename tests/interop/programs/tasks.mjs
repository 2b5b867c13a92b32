// A client that is not ours, the reference package for MCP Tasks, calls a tool and waits for its end:
// node tasks.mjs URL TOOL ARGUMENTS
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient, resultFromTaskOutcome } from "@modelcontextprotocol/ext-tasks/client";

const [url, tool, given] = process.argv.slice(2);
const clientInfo = { name: "other", version: "1.0.0" };
const clientCapabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const protocolVersion = "2026-07-28";

let number = 0;
async function rawDispatch(request) {
  const name = request.params?.taskId ?? request.params?.name;
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": protocolVersion,
      "mcp-method": request.method,
      ...(name ? { "mcp-name": name } : {}),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++number, ...request }),
  });
  const body = await answer.text();
  const streamed = answer.headers.get("content-type").includes("event-stream");
  return JSON.parse(streamed ? body.split("\n").find((line) => line.startsWith("data: ")).slice(6) : body);
}

const client = new Client(clientInfo, { capabilities: clientCapabilities, versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const session = createTaskSessionFromClient(client, {
  endpointId: "ours",
  rawDispatch,
  v2RequestFraming: { protocolVersion, clientInfo, clientCapabilities },
});
const execution = await session.callTool(tool, JSON.parse(given));
const { outcome } = await execution.settle();
const { content, isError } = resultFromTaskOutcome(outcome);
console.log(JSON.stringify({ isError: Boolean(isError), text: content[0].text, requests: number }));
process.exit(0);
