"""The demo's own configuration, written as files like any user's; it starts nothing."""

import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = """\
# Who may ring. The demo's secret is drawn anew each time and reaches us through the environment.
github:
  scheme: github
  secrets: [env:GITHUB_WEBHOOK_SECRET]
  own_actors: [{bot_id}, "{bot_login}"]
"""

SERVERS = """\
# The hands: one server over Streamable HTTP, one over stdio.
github:
  url: {github_url}
time:
  command: ["{python}", -m, mcp_server_time, --local-timezone, UTC]
"""

RULES = """\
triage-issue:
  on: [github/issues.*]
  when:
    issue.state: open
    issue.labels[*].name: {none: [wontfix, no-bot]}
  run: triage
  with:
    owner: "{{ event.repository.owner.login }}"
    repo: "{{ event.repository.name }}"
    number: "{{ event.issue.number }}"
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  flow: {mode: signal}
  stage: STAGE
"""

PLAYBOOK = """\
---
model: MODEL
max_tokens: 4096
inputs: {owner: slug, repo: slug, number: integer}
tools:
  github: [issue_read, search_issues, list_label, issue_write, add_issue_comment]
  time: [get_current_time]
bind:
  github: {owner: "{{ with.owner }}", repo: "{{ with.repo }}", issue_number: "{{ with.number }}"}
  github.issue_write: {method: update}
writes:
  github.issue_write: {max: 1}
  github.add_issue_comment: {max: 1}
budget: {usd: 0.50, tokens: 300k, turns: 20, tool_calls: 40}
---
You triage issue {{ with.number }} of {{ with.owner }}/{{ with.repo }}.

1. Read the issue, list the repository's labels, and look at the time.
2. Search the repository for an older issue about the same thing.
3. Add the one label that fits best, chosen from the labels that exist; keep the labels the issue has.
4. Comment once: name the duplicate if you found one, and ask the reporter for a reproduction.
5. Wait for the reporter with doorbell__wait, for github/issue_comment.created, at most 7 days.
6. When the answer comes, finish with a short, honest account.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the files depend on."""

    github_url: str
    bot_id: int
    bot_login: str
    model: str
    stage: str


def write(directory: Path, facts: Facts) -> None:
    """Write the four files."""
    texts = {
        "sources.yaml": SOURCES.format(bot_id=facts.bot_id, bot_login=facts.bot_login),
        "servers.yaml": SERVERS.format(github_url=facts.github_url, python=sys.executable),
        "rules/triage.yaml": RULES.replace("STAGE", facts.stage),
        "playbooks/triage.md": PLAYBOOK.replace("MODEL", facts.model),
    }
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
