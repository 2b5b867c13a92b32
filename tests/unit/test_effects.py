"""What a call does: as declared, else as its server is known, else as the tool claims, else a write, once."""

import pytest

from orchestrator.agent.hands.definitions import ToolDefinition
from orchestrator.agent.hands.effects import Origin, effect_of
from orchestrator.servers import HttpServer, StdioServer
from workflows.playbook import Effect


def tool(name, *, read_only=None):
    return ToolDefinition(server="it", name=name, input_schema={}, read_only=read_only)


def child(*command, **rest):
    return {"it": StdioServer(name="it", command=command, **rest)}


def at(url):
    return {"it": HttpServer(name="it", url=url)}


FILES = "@modelcontextprotocol/server-filesystem"


@pytest.mark.parametrize(
    ("servers", "name", "effect"),
    [
        (child("npx", "-y", FILES, "./work"), "read_text_file", Effect.READ),
        (child("npx", "-y", f"{FILES}@2026.8.31", "./work"), "write_file", Effect.WRITE),
        (child("npx", "-y", FILES), "edit_file", Effect.WRITE_ONCE),
        (child("uvx", "mcp-server-git==1.2"), "git_log", Effect.READ),
        (child("python", "-m", "mcp_server_git"), "git_commit", Effect.WRITE_ONCE),
        (child("docker", "run", "ghcr.io/github/github-mcp-server:v0.31"), "get_me", Effect.READ),
        (child("/usr/local/bin/github-mcp-server", "stdio"), "issue_write", Effect.WRITE_ONCE),
        (at("https://api.githubcopilot.com/mcp/"), "issue_read", Effect.READ),
        (at("https://mcp.stripe.com"), "create_refund", Effect.WRITE_ONCE),
        (child("npx", "@modelcontextprotocol/server-memory"), "add_observations", Effect.WRITE),
    ],
)
def test_a_known_server_is_known_by_how_it_is_reached_whatever_its_tools_claim(
    servers, name, effect
):
    for claim in (None, True, False):
        assert effect_of(tool(name, read_only=claim), servers) == (effect, Origin.KNOWN)


def test_what_is_declared_wins():
    servers = child("mcp-server-git", effects={"git_log": Effect.WRITE})
    assert effect_of(tool("git_log"), servers) == (Effect.WRITE, Origin.DECLARED)


@pytest.mark.parametrize(
    "servers",
    [
        {},
        child("npx", "mcp-server-git-evil"),
        child("npx", "@evil/server-filesystem"),
        at("https://api.githubcopilot.com.evil.example/mcp/"),
        at("https://evil.example/api.githubcopilot.com"),
    ],
)
@pytest.mark.parametrize("name", ["git_log", "read_text_file", "issue_read"])
def test_nobody_else_is_taken_for_a_known_server(servers, name):
    assert effect_of(tool(name), servers) == (Effect.WRITE_ONCE, Origin.ASSUMED)
    assert effect_of(tool(name, read_only=True), servers) == (Effect.READ, Origin.HINT)
    assert effect_of(tool(name, read_only=False), servers) == (Effect.WRITE_ONCE, Origin.ASSUMED)


def test_a_tool_we_do_not_know_of_a_known_server_counts_by_its_claim():
    servers = child("mcp-server-git")
    assert effect_of(tool("git_push"), servers) == (Effect.WRITE_ONCE, Origin.ASSUMED)
