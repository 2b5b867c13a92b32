"""The model of the keyless demo: triages an issue by reading what it's given; it keeps no state and knows no issue.

Each reply is derived from the request alone: which tools there are, what they answered, what rang since. So the
same script tells another true story about another issue, and an honest one when a tool is missing or fails.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.demo.case import Case, End, bag, end_of, line, login, words
from orchestrator.demo.conversation import Call, arguments, part, read
from orchestrator.demo.wire import Block, Reply, Text, ToolUse

WAIT_DAYS = 7
QUERY_WORDS = 6
BROADER_WORDS = 2

KINDS: Mapping[str, str] = {
    "documentation": "readme doc docs documentation spelling spelled spelt misspelled typo grammar wording",
    "bug": "bug crash crashes crashed error errors exception traceback fail fails failing failed broken "
    "regression wrong panic segfault hang hangs",
    "enhancement": "feature enhancement support add allow improve request wish",
    "question": "how why question",
}
"""The words by which a text tells what kind of issue it is; the first kind that fits is the best."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "documentation": ("documentation", "docs", "doc"),
    "bug": ("bug", "defect"),
    "enhancement": ("enhancement", "feature"),
    "question": ("question",),
    "needs-info": ("needs info", "needs reproduction", "needs repro", "more information"),
}
"""The words that a repository's own name of such a label holds: `kind/bug`, `type: docs`, `needs-info`."""

ASKS: Mapping[str, str] = {
    "documentation": "Could you point to the exact place (file and line, or a link) and say how it should read?",
    "bug": (
        "Could you add the smallest steps that reproduce it, what you expected instead, "
        "and the version you use?"
    ),
    "enhancement": "Could you say what you would use it for, ideally with a small example?",
    "question": "Could you say what you have tried so far, and what you expected to happen?",
}
ASK = "Could you describe it in a few more words, ideally with the smallest example that shows it?"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageScript:
    """A maintainer's first look at an issue; `delay` is seconds for each streamed reply."""

    delay: float = 0.0

    def reply(self, request: Mapping[str, Any]) -> Reply:
        """The next turn."""
        blocks = _turn(Case(talk=read(request)))
        calls = any(isinstance(block, ToolUse) for block in blocks)
        return Reply(
            blocks=blocks, stop_reason="tool_use" if calls else "end_turn", delay=self.delay
        )


def _turn(case: Case) -> tuple[Block, ...]:
    if case.talk.tools_forbidden or case.told_to_finish:
        return (Text(_closing(case, "I was asked to finish, so I stop here.")),)
    if _reading(case) is None and not case.talk.calls:
        return (Text(_summary(case)),)
    steps: tuple[Callable[[Case], tuple[Block, ...]], ...] = (_look, _search, _act, _wait)
    found = (blocks for step in steps if (blocks := step(case)))
    return next(found, None) or (Text(_closing(case)),)


def _look(case: Case) -> tuple[Block, ...]:
    reading = _reading(case)
    if reading is None or case.talk.called("issue_read"):
        return ()
    others = (_use(case, "list_label"), _use(case, "get_current_time", timezone="UTC"))
    said = "I'll read the issue and look at the labels this repository has."
    return (Text(said), reading, *(use for use in others if use))


def _reading(case: Case) -> ToolUse | None:
    return _use(case, "issue_read", method="get") if case.about_issue else None


def _search(case: Case) -> tuple[Block, ...]:
    query = _query(case)
    use = _use(case, "search_issues", query=query) if query else None
    if use is None:
        return ()
    again = "Nothing like it so far; once more, with fewer words."
    return (Text(again if case.searches else "Now I look whether it was reported before."), use)


def _query(case: Case) -> str | None:
    told = words(case.title)
    if case.issue is None or not told:
        return None
    if not case.searches:
        return " ".join(told[:QUERY_WORDS])
    once_more = len(case.searches) == 1 and case.searched and case.twin is None and not _acted(case)
    if not once_more or len(told) <= BROADER_WORDS:
        return None
    return " ".join(sorted(told, key=len, reverse=True)[:BROADER_WORDS])


def _act(case: Case) -> tuple[Block, ...]:
    if case.issue is None or _acted(case):
        return ()
    label = _label(case)
    uses = (
        _use(case, "issue_write", method="update", labels=[*case.labels, label]) if label else None,
        _use(case, "add_issue_comment", body=_comment(case)),
    )
    made = tuple(use for use in uses if use)
    return (Text(f"I have seen enough to answer {_name(case)}."), *made) if made else ()


def _acted(case: Case) -> bool:
    return bool(case.talk.called("issue_write") or case.talk.called("add_issue_comment"))


def _label(case: Case) -> str | None:
    kinds = _kinds(case) or ["needs-info", "question", "bug"]
    listed = ((kind, _listed(case, kind)) for kind in dict.fromkeys([*kinds, "needs-info"]))
    has = {label.lower() for label in case.labels}
    return next((name for _, name in listed if name and name.lower() not in has), None)


def _kinds(case: Case) -> list[str]:
    told = set(re.findall(r"\w+", case.text.lower()))
    found = [kind for kind, signs in KINDS.items() if bag(signs) & told]
    return found or (["question"] if "?" in case.title else [])


def _listed(case: Case, kind: str) -> str | None:
    named = [(name, set(re.findall(r"[a-z0-9]+", name.lower()))) for name in case.listed]
    fits = (name for wanted in LABELS[kind] for name, parts in named if bag(wanted) <= parts)
    return next(fits, None)


def _comment(case: Case) -> str:
    kinds = _kinds(case)
    thanks = f"Thank you for the report, @{case.author}." if case.author else "Thank you for this."
    return "\n\n".join([thanks, _duplicate(case), ASKS[kinds[0]] if kinds else ASK])


def _duplicate(case: Case) -> str:
    twin = case.twin
    if twin is not None:
        closed = ", which is closed" if twin.state == "closed" else ""
        return (
            f"It looks like #{twin.number} (“{twin.title}”{closed}); "
            "please say so if it's the same thing."
        )
    if case.searched:
        asked = " and ".join(f"“{query}”" for query in case.searched)
        return f"I searched the issues for {asked} and found no duplicate."
    return "I could not search for duplicates."


def _wait(case: Case) -> tuple[Block, ...]:
    if case.replies or case.talk.called("wait") or not _asked(case):
        return ()
    tool = case.talk.tool("wait")
    schema = case.talk.tools[tool] if tool else {}
    use = _use(
        case,
        "wait",
        events=[f"{case.source}/issue_comment.created"],
        reason=f"{case.author or 'The reporter'} was asked a question in {_name(case)}.",
        timeout=_timeout((schema.get("properties") or {}).get("timeout") or {}),
    )
    return (Text("I asked a question, so now I wait for the reporter."), use) if use else ()


def _asked(case: Case) -> bool:
    ends = {end_of(call) for call in case.talk.called("add_issue_comment")}
    return bool(ends & {End.DONE, End.PROPOSED, End.UNKNOWN})


def _timeout(schema: Mapping[str, Any]) -> str | int:
    in_seconds = schema.get("type") in ("integer", "number")
    return WAIT_DAYS * 86_400 if in_seconds else f"{WAIT_DAYS}d"


def _use(case: Case, name: str, **wanted: Any) -> ToolUse | None:
    """A call with what its schema lists; None where the tool isn't offered or wants what nobody told."""
    tool = case.talk.tool(name)
    if tool is None:
        return None
    repository = part(case.payload, "repository")
    place = {
        "owner": login(repository.get("owner")),
        "repo": repository.get("name"),
        "issue_number": case.number,
    }
    given = arguments(case.talk.tools[tool], {**place, **wanted})
    return None if given is None else ToolUse(tool, given)


def _name(case: Case) -> str:
    number = f"#{case.number}" if case.number is not None else "the issue"
    return f"{number} (“{case.title}”)" if case.title else number


def _closing(case: Case, reason: str | None = None) -> str:
    told = [f"Triage of {_name(case)}.", reason, *_facts(case)]
    return "\n".join(fact for fact in told if fact)


def _facts(case: Case) -> Iterator[str]:
    if case.issue is None:
        yield _unread(case)
        return
    yield f"- Duplicates: {_found(case)}"
    yield f"- Label: {_labelled(case)}"
    yield f"- Comment: {_told(case, 'add_issue_comment', 'posted, with a question')}"
    yield f"- Reporter: {_answered(case)}"


def _unread(case: Case) -> str:
    calls = case.talk.called("issue_read")
    if not calls:
        return "I had not read the issue yet, and I have changed nothing."
    said = line(calls[-1].answer or "no answer came")
    return f"I could not read the issue ({said}), so I have changed nothing."


def _found(case: Case) -> str:
    if case.twin is not None:
        return f"probably #{case.twin.number} (“{case.twin.title}”)."
    if case.searched:
        return "none found."
    failed = case.searches[-1].answer if case.searches else None
    return f"not searched ({line(failed)})." if failed else "not searched."


def _labelled(case: Case) -> str:
    calls = case.talk.called("issue_write")
    if not calls:
        return "none added; " + (
            "no label of this repository fits that it doesn't have."
            if case.listed
            else "I know of none."
        )
    added = [name for name in calls[-1].input.get("labels", ()) if name not in case.labels]
    what = ", ".join(f"`{name}`" for name in added) or "the labels"
    return _told(case, "issue_write", f"{what} added", what)


def _told(case: Case, tool: str, done: str, what: str = "the comment") -> str:
    calls = case.talk.called(tool)
    if not calls:
        return "none made."
    return _ending(calls[-1], done, what)


def _ending(call: Call, done: str, what: str) -> str:
    said = line(call.answer or "no answer came")
    match end_of(call):
        case End.DONE:
            return f"{done}."
        case End.PROPOSED:
            return f"{what} proposed; a person has to apply it."
        case End.REFUSED:
            return f"{what} refused: {said}"
        case End.FAILED:
            return f"{what} failed: {said}"
        case End.UNKNOWN:
            return f"whether {what} arrived is unknown: {said}"


def _answered(case: Case) -> str:
    if case.replies:
        return " ".join(_quoted(case, comment) for comment in case.replies)
    waits = case.talk.called("wait")
    if not waits:
        return "not waited for."
    said = line(waits[-1].answer or "the wait was not answered")
    return f"no reply. The wait ended with: {said}"


def _quoted(case: Case, comment: Mapping[str, Any]) -> str:
    who = login(comment.get("user"))
    role = " (who opened the issue)" if who and who == case.author else ""
    return f"@{who or 'somebody'}{role} replied: “{line(str(comment['body']), 400)}”"


def _summary(case: Case) -> str:
    payload, kind = case.payload, _subject(case)
    what = case.event_type or kind
    told = [
        f"The event {what}" if what else "An event",
        f"({payload['action']})" if "action" in payload and "." not in (what or "") else "",
        f"in {full}" if (full := part(payload, "repository").get("full_name")) else "",
        f"by @{who}" if (who := login(payload.get("sender"))) else "",
    ]
    return (
        f"{' '.join(word for word in told if word)}{_titled(part(payload, kind or ''))}.\n"
        "None of the tools I was given fits it, so I have changed nothing."
    )


def _subject(case: Case) -> str | None:
    # What the event is about is the object that everything else in the payload only surrounds.
    around = {"repository", "sender", "organization", "installation", "enterprise", "pusher"}
    told = case.payload.items()
    return next((k for k, v in told if k not in around and isinstance(v, Mapping)), None)


def _titled(subject: Mapping[str, Any]) -> str:
    number, title = subject.get("number"), subject.get("title") or subject.get("name")
    numbered = f" #{number}" if isinstance(number, int) else ""
    titled = f" “{line(str(title))}”" if title else ""
    return f":{numbered}{titled}" if numbered or titled else ""
