"""The tool table: eight tools, named and called as in GitHub's own MCP server; it reads no environment.

A playbook written for this server runs unchanged on https://github.com/github/github-mcp-server. GitHub has no
idempotency keys, so none is claimed: the annotations say what a repeated call really does.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Annotated, Any, Final, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_servers.github import answers
from mcp_servers.github.api import GitHub, connect, repository
from mcp_servers.github.later import (
    Ask,
    Owner,
    Repo,
    call_off,
    create_deployment,
    look,
    run_workflow,
)
from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.mounting import Later, server_of

VERSION: Final = "0.1.0"
INSTRUCTIONS: Final = (
    "Issues and deployments of GitHub repositories. Search before you create. "
    "issue_write replaces the whole list of labels or assignees it is given."
)
_PAGE: Final = 100
_SCOPE: Final = re.compile(r"(?:^|[\s(\-])(?:repo|org|user|owner):", re.IGNORECASE)
_KIND: Final = re.compile(r"(?:^|[\s(])(?:is:(?:issue|pr|pull-request)|type:)", re.IGNORECASE)

Read = Annotated[
    Literal["get", "get_comments", "get_labels"], Field(description="What to read of the issue")
]
Write = Annotated[
    Literal["create", "update"],
    Field(description="create needs title; update needs issue_number and what to change"),
]
Labels = Annotated[list[str], Field(description="Replaces all labels of the issue")]
Logins = Annotated[list[str], Field(description="Replaces all assignees of the issue")]
Number = Annotated[int, Field(description="Number of the issue", ge=1)]
Page = Annotated[int, Field(description="Page of the results", ge=1)]
PerPage = Annotated[int, Field(description="Results per page", ge=1, le=_PAGE)]


async def issue_read(
    *,
    ctx: Ask,
    method: Read,
    owner: Owner,
    repo: Repo,
    issue_number: Number,
    page: Page = 1,
    perPage: PerPage = 30,  # noqa: N803 - GitHub's name for it
) -> str:
    """Read an issue, its comments or its labels."""
    github, path = _github(ctx), repository(owner, repo, "issues", issue_number)
    match method:
        case "get":
            return answers.text(answers.issue(await github.get(path)))
        case "get_comments":
            found = await github.get(f"{path}/comments", page=page, per_page=perPage)
            return answers.text([answers.comment(one) for one in found])
        case "get_labels":
            return answers.text([answers.label(one) for one in (await github.get(path))["labels"]])


async def search_issues(
    *,
    ctx: Ask,
    query: Annotated[str, Field(description="Words, and qualifiers such as is:open or label:bug")],
    owner: Owner | None = None,
    repo: Repo | None = None,
    sort: Literal["comments", "reactions", "interactions", "created", "updated"] | None = None,
    order: Literal["asc", "desc"] | None = None,
    page: Page = 1,
    perPage: PerPage = 30,  # noqa: N803
) -> str:
    """Search issues; owner and repo keep the search in one repository."""
    asked = _given(q=_scoped(query, owner, repo), sort=sort, order=order)
    found = await _github(ctx).get("/search/issues", **asked, page=page, per_page=perPage)
    # A query with OR can escape the scope we add, so what is outside it is dropped here as well.
    items = found["items"] if owner is None else answers.within(found["items"], owner, repo)
    return answers.text(
        {
            "total_count": found["total_count"],
            "incomplete_results": found["incomplete_results"],
            "items": [answers.hit(one) for one in items],
        }
    )


async def list_label(*, ctx: Ask, owner: Owner, repo: Repo) -> str:
    """List the labels a repository has."""
    path, labels = repository(owner, repo, "labels"), []
    for page in count(1):
        found = await _github(ctx).get(path, page=page, per_page=_PAGE)
        labels += [answers.label(one) for one in found]
        if len(found) < _PAGE:
            break
    return answers.text(labels)


async def issue_write(
    *,
    ctx: Ask,
    method: Write,
    owner: Owner,
    repo: Repo,
    issue_number: Number | None = None,
    title: str | None = None,
    body: str | None = None,
    labels: Labels | None = None,
    state: Literal["open", "closed"] | None = None,
    state_reason: Literal["completed", "not_planned", "duplicate"] | None = None,
    assignees: Logins | None = None,
) -> str:
    """Create an issue, or change one: labels, state, title, body, assignees."""
    fields = _given(title=title, body=body, labels=labels, assignees=assignees)
    status = _given(state=state, state_reason=state_reason)
    match method:
        case "create":
            _check_new(fields, status)
            path = repository(owner, repo, "issues")
            return answers.text(answers.written(await _github(ctx).post(path, fields)))
        case "update":
            number = _check_change(issue_number, {**fields, **status})
            path = repository(owner, repo, "issues", number)
            changed = await _github(ctx).patch(path, {**fields, **status})
            return answers.text(answers.written(changed))


async def add_issue_comment(
    *,
    ctx: Ask,
    owner: Owner,
    repo: Repo,
    issue_number: Number,
    body: Annotated[str, Field(description="Markdown", min_length=1)],
) -> str:
    """Comment on an issue or a pull request."""
    path = repository(owner, repo, "issues", issue_number, "comments")
    return answers.text(answers.posted(await _github(ctx).post(path, {"body": body})))


async def get_me(*, ctx: Ask) -> str:
    """Say which GitHub user the token belongs to."""
    return answers.text(answers.user(await _github(ctx).get("/user")))


def _reads(title: str) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=True, idempotent_hint=True, open_world_hint=True
    )


def _writes(title: str, *, destructive: bool) -> ToolAnnotations:
    return ToolAnnotations(
        title=title,
        read_only_hint=False,
        destructive_hint=destructive,
        idempotent_hint=False,
        open_world_hint=True,
    )


TOOLS: Final[tuple[tuple[Callable[..., Any], ToolAnnotations], ...]] = (
    (issue_read, _reads("Read an issue")),
    (search_issues, _reads("Search issues")),
    (list_label, _reads("List labels")),
    (issue_write, _writes("Write an issue", destructive=True)),
    (add_issue_comment, _writes("Comment on an issue", destructive=False)),
    (create_deployment, _writes("Deploy", destructive=True)),
    (run_workflow, _writes("Run a workflow", destructive=True)),
    (get_me, _reads("Who am I")),
)
"""Each tool's docstring is what the model is told of it."""


def build(base_url: str, token: str | None, desk: Desk | None = None) -> MCPServer[Later[GitHub]]:
    """The server for one API address and token; nothing is connected before it runs. Without a desk: no tasks."""
    server = server_of(
        "github",
        version=VERSION,
        instructions=INSTRUCTIONS,
        desk=desk or Desk(store=MemoryStore(), hears=False),
        connect=partial(connect, base_url, token),
        call_off=call_off,
        look=look,
    )
    for tool, annotations in TOOLS:
        server.add_tool(tool, annotations=annotations, structured_output=False)
    return server


def _github(ctx: Ask) -> GitHub:
    return ctx.request_context.lifespan_context.api


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _scoped(query: str, owner: str | None, repo: str | None) -> str:
    """The query, kept to issues and to the owner or repository that was asked for. Raises ToolError."""
    kind = "" if _KIND.search(query) else " is:issue"
    if owner is None and repo is None:
        return f"{query}{kind}"
    if owner is None:
        raise ToolError(f"expected owner together with repo {repo!r}: give both")
    if _SCOPE.search(query):
        raise ToolError(
            f"expected a query without repo:, org: or user:, got {query!r}: owner and repo say where to search"
        )
    return f"{query}{kind} " + (f"user:{owner}" if repo is None else f"repo:{owner}/{repo}")


def _check_new(fields: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    if not fields.get("title"):
        raise ToolError("method create needs a title that is not empty")
    if status:
        raise ToolError(f"method create takes no {' or '.join(status)}: a new issue is open")


def _check_change(number: int | None, changes: Mapping[str, Any]) -> int:
    if number is None:
        raise ToolError("method update needs the issue_number of the issue to change")
    if not changes:
        raise ToolError(
            "method update needs something to change: title, body, labels, state or assignees"
        )
    return number
