"""What a call of a tool does to the world: as declared, else as we know its server, else as it claims; it asks nobody.

What we know is small on purpose: a tool of a known server that isn't here counts by its own claim to only read, and
any other claim counts as a write, once. A `write` here is one that its server makes only once, however often it's sent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from orchestrator.agent.hands.definitions import ToolDefinition
from orchestrator.servers import HttpServer, Server, StdioServer
from workflows.playbook import Effect


class Origin(StrEnum):
    """Where we have an effect from."""

    DECLARED = "servers.yaml"
    KNOWN = "known server"
    HINT = "the server's claim"
    ASSUMED = "assumed: no claim to only read"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A server by its hosts or programs, and its tools by what they do."""

    hosts: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    effects: Mapping[str, Effect] = field(default_factory=dict)


def effect_of(definition: ToolDefinition, servers: Mapping[str, Server]) -> tuple[Effect, Origin]:
    """The effect of a tool, and where we have it from."""
    server = servers.get(definition.server)
    declared = None if server is None else server.effects.get(definition.name)
    if declared is not None:
        return declared, Origin.DECLARED
    known = None if server is None else _known(server).get(definition.name)
    if known is not None:
        return known, Origin.KNOWN
    if definition.read_only is True:
        return Effect.READ, Origin.HINT
    return Effect.WRITE_ONCE, Origin.ASSUMED


def _known(server: Server) -> Mapping[str, Effect]:
    return next((one.effects for one in _SERVERS if _is(server, one)), {})


def _is(server: Server, known: _Known) -> bool:
    match server:
        case HttpServer(url=url):
            return urlsplit(url).hostname in known.hosts
        case StdioServer(command=command):
            return bool(known.programs & {_program(word) for word in command})


def _program(word: str) -> str:
    """A package or image without its version and place: `@scope/name@1.2`, `ghcr.io/x/name:v1`, `/bin/name`."""
    bare = re.sub(r"(?<=.)(@|==|:)[^/@]*$", "", word)
    return bare if bare.startswith("@") else bare.rpartition("/")[2]


def _effects(
    read: Iterable[str], write: Iterable[str] = (), once: Iterable[str] = ()
) -> dict[str, Effect]:
    return {
        **dict.fromkeys(read, Effect.READ),
        **dict.fromkeys(write, Effect.WRITE),
        **dict.fromkeys(once, Effect.WRITE_ONCE),
    }


# https://github.com/github/github-mcp-server#tools
_GITHUB: Final = _Known(
    hosts=frozenset({"api.githubcopilot.com"}),
    programs=frozenset({"mcp_servers.github", "github-mcp-server"}),
    effects=_effects(
        read=(
            *("get_me", "get_label", "list_label", "issue_read", "list_issues", "search_issues"),
            *("list_issue_types", "get_file_contents", "get_commit", "list_commits"),
            *("list_branches", "search_code", "search_repositories", "search_users"),
            *("pull_request_read", "list_pull_requests", "search_pull_requests", "list_releases"),
            *("get_latest_release", "get_release_by_tag", "list_tags", "get_tag"),
        ),
        once=(
            *("add_issue_comment", "issue_write", "sub_issue_write", "label_write"),
            *("create_pull_request", "update_pull_request", "merge_pull_request"),
            *("pull_request_review_write", "create_or_update_file", "push_files", "delete_file"),
            *("create_branch", "create_repository", "fork_repository"),
        ),
    ),
)
# https://github.com/modelcontextprotocol/servers/tree/main/src
_FILESYSTEM: Final = _Known(
    programs=frozenset({"@modelcontextprotocol/server-filesystem"}),
    effects=_effects(
        read=(
            *("read_file", "read_text_file", "read_media_file", "read_multiple_files"),
            *("list_directory", "list_directory_with_sizes", "directory_tree", "search_files"),
            *("get_file_info", "list_allowed_directories"),
        ),
        write=("write_file", "create_directory"),
        once=("edit_file", "move_file"),
    ),
)
_MEMORY: Final = _Known(
    programs=frozenset({"@modelcontextprotocol/server-memory"}),
    effects=_effects(
        read=("read_graph", "search_nodes", "open_nodes"),
        write=(
            *("create_entities", "create_relations", "add_observations"),
            *("delete_entities", "delete_observations", "delete_relations"),
        ),
    ),
)
_GIT: Final = _Known(
    programs=frozenset({"mcp-server-git", "mcp_server_git"}),
    effects=_effects(
        read=(
            *("git_status", "git_diff_unstaged", "git_diff_staged", "git_diff", "git_log"),
            *("git_show", "git_branch"),
        ),
        write=("git_add",),
        once=("git_commit", "git_create_branch", "git_reset", "git_checkout"),
    ),
)
_TIME: Final = _Known(
    programs=frozenset({"mcp-server-time", "mcp_server_time"}),
    effects=_effects(read=("get_current_time", "convert_time")),
)
_FETCH: Final = _Known(
    programs=frozenset({"mcp-server-fetch", "mcp_server_fetch"}),
    effects=_effects(read=("fetch",)),
)
_SLACK: Final = _Known(
    programs=frozenset({"@modelcontextprotocol/server-slack"}),
    effects=_effects(
        read=(
            *("slack_list_channels", "slack_get_channel_history", "slack_get_thread_replies"),
            *("slack_get_users", "slack_get_user_profile"),
        ),
        write=("slack_add_reaction",),
        once=("slack_post_message", "slack_reply_to_thread"),
    ),
)
# https://docs.stripe.com/mcp
_STRIPE: Final = _Known(
    hosts=frozenset({"mcp.stripe.com"}),
    programs=frozenset({"@stripe/mcp"}),
    effects=_effects(
        read=(
            *("get_stripe_account_info", "retrieve_balance", "list_customers", "list_products"),
            *("list_prices", "list_payment_intents", "list_invoices", "list_subscriptions"),
            *("list_coupons", "list_disputes", "search_stripe_resources"),
            *("fetch_stripe_resources", "search_stripe_documentation"),
        ),
        once=(
            *("create_customer", "create_product", "create_price", "create_payment_link"),
            *("create_invoice", "create_invoice_item", "finalize_invoice", "create_refund"),
            *("create_coupon", "cancel_subscription", "update_subscription", "update_dispute"),
        ),
    ),
)
_SERVERS: Final = (_GITHUB, _FILESYSTEM, _MEMORY, _GIT, _TIME, _FETCH, _SLACK, _STRIPE)
