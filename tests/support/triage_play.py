"""One conversation between the triage script and tools that always answer the same; pure."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import validate

from orchestrator.demo.checks import problem
from orchestrator.demo.script import TriageScript
from orchestrator.demo.wire import Reply, Text, ToolUse


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
TOOLS: dict[str, dict[str, Any]] = {
    "doorbell__wait": schema(
        "events",
        "reason",
        events={"type": "array", "items": {"type": "string", "pattern": "^[^/]+/.+$"}},
        reason={"type": "string", "maxLength": 500},
        timeout={"type": "string", "pattern": "^[1-9][0-9]{0,4}[smhd]$"},
    ),
    "github__add_issue_comment": schema("body", body=TEXT),
    "github__issue_read": schema("method", method={"enum": ["get", "get_comments"]}),
    "github__issue_write": schema(labels={"type": "array", "items": TEXT}, title=TEXT),
    "github__list_label": schema(),
    "github__search_issues": schema("query", query=TEXT, order={"enum": ["asc", "desc"]}),
    "time__get_current_time": schema("timezone", timezone=TEXT),
}
ISSUE = {
    "number": 41,
    "title": "Spelling of the parser's options in the README",
    "body": "It says 'optoins'.",
    "user": {"login": "mona"},
    "labels": [{"name": "bug"}],
    "state": "open",
}
PAYLOAD = {
    "action": "opened",
    "issue": ISSUE,
    "repository": {
        "name": "api",
        "full_name": "acme/api",
        "owner": {"login": "acme"},
    },
    "sender": {"login": "mona"},
}
TWIN = {"number": 7, "title": "README: spelling of options", "state": "closed"}
OTHER = {"number": 9, "title": "Support a dark colour scheme", "state": "open"}
COMMENT = {
    "action": "created",
    "comment": {"body": "In line 12, next to `--fast`.", "user": {"login": "mona"}},
}


def event(payload: Any, kind: str = "issues.opened") -> str:
    return f'<event source="github" type="{kind}">\n{json.dumps(payload)}\n</event>'


def answers(**changes: Any) -> dict[str, Any]:
    return {
        "issue_read": ISSUE,
        "list_label": [{"name": n} for n in ("bug", "documentation", "question", "needs-info")],
        "search_issues": {"total_count": 2, "items": [OTHER, TWIN, ISSUE]},
        "issue_write": {"number": 41},
        "add_issue_comment": {"id": 1},
        "wait": event(COMMENT, "issue_comment.created"),
        "get_current_time": {"datetime": "2026-11-21T09:00:00+00:00"},
        **changes,
    }


class Failed(str):
    """What a tool says with is_error."""

    __slots__ = ()


@dataclass
class Play:
    """One conversation between the script and tools that always answer the same."""

    answers: Mapping[str, Any] = field(default_factory=answers)
    tools: Mapping[str, Any] = field(default_factory=lambda: TOOLS)
    opening: str = field(default_factory=lambda: f"Triage the issue.\n{event(PAYLOAD)}")
    messages: list[dict[str, Any]] = field(default_factory=list)
    turns: list[Reply] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        tools = [
            {"name": name, "description": "", "input_schema": s} for name, s in self.tools.items()
        ]
        return {
            "model": "scripted-1",
            "max_tokens": 1000,
            "tools": tools,
            "messages": self.messages,
            **self.extra,
        }

    def turn(self) -> Reply:
        """The script's next turn: the request is sound, its arguments fit, and it keeps no state."""
        self.messages = self.messages or [{"role": "user", "content": self.opening}]
        request = self.request()
        assert problem(request) is None
        before = copy.deepcopy(request)
        reply = TriageScript().reply(request)
        assert TriageScript().reply(before) == reply
        for use in uses(reply):
            validate(use.input, self.tools[use.name])
        self.turns.append(reply)
        self._record(reply)
        return reply

    def _record(self, reply: Reply) -> None:
        n = len(self.messages)
        said = [
            {"type": "text", "text": block.text}
            if isinstance(block, Text)
            else {
                "type": "tool_use",
                "id": f"toolu_{n}_{i}",
                "name": block.name,
                "input": block.input,
            }
            for i, block in enumerate(reply.blocks)
        ]
        self.messages.append({"role": "assistant", "content": said})
        asked = [block for block in said if block["type"] == "tool_use"]
        if asked:
            results = [self._answer(block) for block in asked]
            self.messages.append({"role": "user", "content": results})

    def _answer(self, use: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.answers[use["name"].rpartition("__")[2]]
        answer = answer(use["input"]) if callable(answer) else answer
        text = answer if isinstance(answer, str) else json.dumps(answer)
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": text}
        return {**result, "is_error": True} if isinstance(answer, Failed) else result

    def told(self, text: str) -> None:
        """A user's words beside the last results."""
        self.messages[-1]["content"].append({"type": "text", "text": text})

    def end(self) -> str:
        """Play to the end; the last words."""
        while self.turn().stop_reason == "tool_use":
            assert len(self.turns) < 10
        (last,) = self.turns[-1].blocks
        assert isinstance(last, Text)
        return last.text

    def called(self, name: str) -> list[Mapping[str, Any]]:
        return [u.input for t in self.turns for u in uses(t) if u.name.endswith(f"__{name}")]


def uses(reply: Reply) -> list[ToolUse]:
    return [block for block in reply.blocks if isinstance(block, ToolUse)]


NAMES = ["issue", "title", "labels", "user", "number", "comment", "items", "repository"]


NAMES += ["event", "body", "login", "name", "owner"]
