"""The two tools that GitHub answers later: a deployment and a workflow run; it reads no environment.

GitHub has no idempotency keys. A deployment carries the task's token in its payload and is looked for before it is
asked for again; a run can't carry one, so a second attempt says that the first may have happened.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from mcp_servers.github import answers
from mcp_servers.github.api import GitHub, repository
from mcp_servers.github.told import PAYLOAD, deployment_key, run_key, run_told
from mcp_servers.tasks.desk import Asked, Opening, Unsure
from mcp_servers.tasks.mounting import Later
from mcp_servers.tasks.states import Task
from mcp_servers.tasks.store import Told
from mcp_servers.tasks.wire import said

RECENT: Final = 100
"""Deployments among which an earlier attempt's is looked for."""
_CANCEL: Final = "cancel:"
"""Begins the key that only remembers where a run is called off."""

Ask = Context[Later[GitHub], Any]
Owner = Annotated[
    str, Field(description="Owner of the repository", pattern=r"^[A-Za-z0-9_-]{1,100}$")
]
Repo = Annotated[
    str, Field(description="Name of the repository", pattern=r"^[A-Za-z0-9._-]{1,100}$")
]


async def create_deployment(
    *,
    ctx: Ask,
    owner: Owner,
    repo: Repo,
    ref: Annotated[str, Field(description="Branch, tag or commit to deploy", min_length=1)],
    environment: Annotated[str, Field(description="Where to", min_length=1)] = "production",
    task: Annotated[str, Field(description="What to do there", min_length=1)] = "deploy",
    description: str | None = None,
    required_contexts: Annotated[
        list[str] | None,
        Field(description="Checks that must have passed; all of them unless given, [] for none"),
    ] = None,
) -> str:
    """Ask for a deployment; whoever deploys for the repository says later how it went."""
    given = {"description": description, "required_contexts": required_contexts}
    fields = {name: value for name, value in given.items() if value is not None}
    # Merging the default branch into the ref would be another write, and answers without a deployment.
    wanted = {"ref": ref, "environment": environment, "task": task, "auto_merge": False, **fields}
    path = repository(owner, repo, "deployments")
    later = ctx.request_context.lifespan_context

    async def ask(opening: Opening) -> Asked:
        carried = {"payload": {PAYLOAD: opening.token}} if opening.kept else {}
        asked = await _earlier(later.api, path, wanted, opening)
        made = asked or await later.api.post(path, wanted | carried)
        return Asked(
            keys=[deployment_key(made["id"])],
            answer=answers.text(answers.deployment(made)),
            message=f"deployment {made['id']} of {ref} to {environment} is asked for",
        )

    return await later.desk.call(ask)


async def run_workflow(
    *,
    ctx: Ask,
    owner: Owner,
    repo: Repo,
    workflow_id: Annotated[
        str, Field(description="File name of the workflow, or its number", min_length=1)
    ],
    ref: Annotated[str, Field(description="Branch or tag to run it on", min_length=1)],
    inputs: Annotated[
        dict[str, str] | None, Field(description="What the workflow's inputs are set to")
    ] = None,
) -> str:
    """Start a workflow that has a workflow_dispatch trigger; the run says later how it ended."""
    path = repository(owner, repo, "actions", "workflows", workflow_id, "dispatches")
    wanted = {"ref": ref, "return_run_details": True, **({"inputs": inputs} if inputs else {})}
    later = ctx.request_context.lifespan_context

    async def ask(opening: Opening) -> Asked:
        if opening.kept and opening.again:
            raise Unsure(
                f"an earlier attempt may have started {workflow_id} on {ref} already: look at its runs first"
            )
        made = answers.dispatched(await later.api.post(path, wanted))
        run = made.get("workflow_run_id")
        if run is None:
            return Asked(keys=[], answer=answers.text(made), told=said(_UNTOLD))
        where = repository(owner, repo, "actions", "runs", run, "cancel")
        return Asked(
            keys=[run_key(run), f"{_CANCEL}{where}"],
            answer=answers.text(made),
            message=f"run {run} of {workflow_id} is asked for",
        )

    return await later.desk.call(ask)


_UNTOLD: Final = "the workflow is started; this GitHub doesn't say which run it is, so nobody will say how it ended"


async def call_off(task: Task, later: Later[GitHub]) -> None:
    """Cancel a run. Raises `ToolError` for a deployment: it is its deployer's to stop."""
    for key in await later.desk.store.keys(task.id):
        if key.startswith(_CANCEL):
            await later.api.post(key.removeprefix(_CANCEL), {})
            return
    raise ToolError("a deployment isn't called off by its task: ask whoever deploys")


async def look(task: Task, later: Later[GitHub]) -> Told | None:
    """How a run stands at GitHub now; a deployment is its deployer's to tell of."""
    for key in await later.desk.store.keys(task.id):
        if key.startswith(_CANCEL):
            path = key.removeprefix(_CANCEL).removesuffix("/cancel")
            return run_told(await later.api.get(path))
    return None


async def _earlier(
    github: GitHub, path: str, wanted: Mapping[str, Any], opening: Opening
) -> Any | None:
    if not (opening.kept and opening.again):
        return None
    about = {name: wanted[name] for name in ("ref", "environment", "task")}
    for made in await github.get(path, **about, per_page=RECENT):
        payload = made.get("payload")
        if isinstance(payload, dict) and payload.get(PAYLOAD) == opening.token:
            return made
    return None
