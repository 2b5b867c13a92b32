// A client that is not ours, of the TypeScript SDK, calls a tool and prints what it said as JSON:
// node ordinary.mjs now|former TARGET TOOL ARGUMENTS      (TARGET: a URL, or a command as JSON)
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FormerClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FormerStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as FormerHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [era, target, tool, given] = process.argv.slice(2);
const info = { name: `other-${era}`, version: "1.0.0" };
const now = era === "now";

function transport() {
  if (!target.startsWith("[")) return new (now ? StreamableHTTPClientTransport : FormerHttp)(new URL(target));
  const [command, ...args] = JSON.parse(target);
  return new (now ? StdioClientTransport : FormerStdio)({ command, args });
}

const client = now ? new Client(info, { versionNegotiation: { mode: "auto" } }) : new FormerClient(info);
await client.connect(transport());
const { tools } = await client.listTools();
const { content, isError } = await client.callTool({ name: tool, arguments: JSON.parse(given) });
const text = content.map((block) => block.text).join(" ");
console.log(JSON.stringify({ tools: tools.length, isError: Boolean(isError), text }));
await client.close();
process.exit(0);
