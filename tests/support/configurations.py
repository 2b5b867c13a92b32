"""A whole configuration in texts, sound until a test changes one of them; it reads no file."""

from pathlib import Path

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured

SOURCES = "github:\n  scheme: github\n  secrets: [env:HOOK]\n"
SERVERS = "github:\n  command: [python, -m, mcp_servers.github]\n  env: {GITHUB_TOKEN: env:TOKEN, PLAIN: 1}\n"
RULE = """\
triage:
  on: github/issues.opened
  when: {issue.state: open}
  run: triage
  with: {owner: "{{ event.owner }}", number: "{{ event.number }}"}
  key: "issue:{{ event.number }}"
"""
RENOVATE = """\
label-renovate:
  on: github/pull_request.opened
  when: {sender.login: "renovate[bot]"}
  trust: {bots: ["renovate[bot]"]}
  call: [{tool: github.issue_write, args: {method: update, owner: acme, repo: api, issue_number: "{{ event.number }}", labels: [dependencies]}}]   # no model
"""  # noqa: E501 - as the design has it
PLAYBOOK = """\
---
model: claude-sonnet-5-5
inputs: {owner: slug, number: integer}
tools: {github: [issue_read, issue_write]}
bind:
  github: {owner: "{{ with.owner }}"}
  github.issue_write: {method: update}
writes: {github.issue_write: {max: 2}}
budget: {usd: 0.50, tokens: 300k, turns: 9, tool_calls: 8}
---
Triage {{ with.owner }} {{ with.number }}.
"""
SOUND = {
    "sources.yaml": SOURCES,
    "servers.yaml": SERVERS,
    "rules/triage.yaml": RULE,
    "playbooks/triage.md": PLAYBOOK,
}
SECRETS = {"HOOK": "s3cret", "TOKEN": "t0ken"}


def no_file(path):
    return None


def configuration(environment=None, **texts):
    given_ = {
        **SOUND,
        **{
            name.replace("__", "/").replace("_yaml", ".yaml").replace("_md", ".md"): text
            for name, text in texts.items()
        },
    }
    files = Files(
        root=Path("conf"), texts={name: text for name, text in given_.items() if text is not None}
    )
    return configured(files, SECRETS if environment is None else environment, no_file)


def mistakes(**texts):
    return [str(mistake) for mistake in configuration(**texts).mistakes]
