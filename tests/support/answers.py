"""What runs ask people, and what people say to it: on the command line, and in comments."""

from typing import Any

from orchestrator.ledger import approvals
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from tests.support.house import House, commented

PEOPLE = """\
ada: {github: 1, roles: [maintainer]}
bob: {github: 2, operator: bob}
"""
ADA = 1


async def asked(home: House, count: int = 1) -> list[Approval]:
    """What people are asked, once there is so much of it."""

    async def look() -> list[Approval] | None:
        found = [
            one
            for run in await home.runs()
            for one in await home.stores.ledger.read(approvals.of_run, run["id"])
        ]
        return found if len(found) >= count else None

    found: list[Approval] = await home.until(look, f"{count} requests")
    return found


async def said(home: House, word: str, code: str, by: str = "bob", **more: Any) -> str:
    """Somebody's word on the command line."""
    payload = {"type": f"run.{word}", "code": code, "by": by, **more}
    return (await home.keep(home.arrival(payload, source=OPERATOR)))[0]


async def comment(home: House, text: str, by: int = ADA) -> str:
    """Somebody's comment on the issue."""
    sender = {"login": f"user-{by}", "id": by, "type": "User"}
    payload = commented(text) | {"sender": sender}
    payload["comment"] = {"id": 1, "body": text, "user": sender, "author_association": "NONE"}
    return await home.ring(payload, "issue_comment")
