"""A6 over the REST API: a consent is from the person whom the token proved, and its run makes the call, once."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orchestrator.api import api_over
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.acting import Acting, Namespace
from orchestrator.console.proving import digest_of
from orchestrator.console.reading import Reading
from orchestrator.console.rest.app import PLACE
from orchestrator.console.saying import Rung
from orchestrator.errors import OperatorError
from orchestrator.sources.source import OPERATOR
from orchestrator.telemetry.instruments import uncounted_api
from tests.support.asgi import serving
from tests.support.builders import Log
from tests.support.house import House, house, opened
from tests.support.scripts import Turns, says, uses
from tests.support.town import Town
from tests.temporal.test_a6_approvals import WRITE, answer, asked, files

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]


def token(name: str) -> Token:
    scopes = frozenset({Scope.APPROVE})
    return Token(name=name, digest=digest_of(f"dbt_{name}"), scopes=scopes, person=name)


async def unknown(_workflow_id: str) -> dict[str, str]:
    return {}


async def nobody() -> str:
    raise OperatorError("nobody is asked")


@asynccontextmanager
async def api(home: House) -> AsyncIterator[str]:
    """The API over the parts of a house; a word is a row of its inbox."""

    def read() -> Configuration:
        return replace(home.read(), tokens={name: token(name) for name in ("ada", "bob")})

    async def status() -> dict[str, Any]:
        return {}

    async def ring(_identity: str, body: bytes) -> Rung:
        (event,) = await home.keep(home.arrival(json.loads(body), source=OPERATOR))
        return Rung(status=202, told={"status": "kept", "event": event})

    reading = Reading(
        stores=home.stores,
        configuration=read,
        status=status,
        now=lambda: datetime.now(UTC),
        ui=lambda: None,
        namespace="default",
        progress=unknown,
    )
    acting = Acting(
        stores=home.stores,
        configuration=read,
        namespace=Namespace(name="default", identity=nobody),
        now=reading.now,
    )
    served = api_over(reading, acting, ring, Log(), "0", uncounted_api())
    async with serving(served) as url:
        yield f"{url}{PLACE}"


async def said(url: str, path: str, who: str, body: Any = None) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        headers = {"authorization": f"Bearer dbt_{who}"}
        return await client.post(f"{url}{path}", headers=headers, json=body, params={"wait": 30})


async def test_a6_a_consent_by_rest_is_the_tokens_persons_and_its_call_is_made_as_edited(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files("{by: [role:maintainer]}")) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        place = f"/approvals/{request.code}/approve"
        async with api(home) as url:
            # His is an account of the command line; his token may not operate, and he is no maintainer.
            of_bob = await said(url, place, "bob")
            of_ada = await said(url, place, "ada", {"args": {"body": "Thanks, edited."}})
            again = await said(url, place, "ada")
        await home.ended()

    assert (of_bob.status_code, of_ada.status_code, again.status_code) == (409, 200, 409)
    assert "bob may not: expected role:maintainer" in of_bob.json()["detail"]
    told = of_ada.json()
    assert (told["accepted"], told["done"], told["reason"]) == (True, True, "approved, executed")
    assert told["request"]["person"] == "ada"
    assert "too late" in again.json()["detail"]
    assert home.executed("write") == ["write_thing Thanks, edited."]
    assert answer(script).endswith("written")


async def test_a6_a_denial_by_rest_reaches_the_model_with_its_reason(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files("{by: [role:maintainer]}")) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        async with api(home) as url:
            denied = await said(url, f"/approvals/{request.code}/deny", "ada", {"why": "not now"})
        await home.ended()

    assert (denied.status_code, denied.json()["became"]) == (200, "denied")
    assert home.executed("write") == []
    assert "not now" in answer(script)
