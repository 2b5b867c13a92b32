"""The door as an OpenAPI description says it is: whatever is asked, the answer is one that stands there (D5).

The description is `tests/support/door_openapi.json`; Schemathesis reads it too (`schemathesis run FILE --url URL`).
"""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.mad import JSON_BUT_ODD
from tests.support.proofs import KEPT, REFUSED
from tests.support.senders import SENDERS, certificate
from tests.support.wire import post, sent, standing

FILE = Path(__file__).parents[1] / "support" / "door_openapi.json"
DESCRIBED = json.loads(FILE.read_text(encoding="utf-8"))
HOOKS = DESCRIBED["paths"]["/hooks/{source}"]
NAMES = HOOKS["parameters"][0]["schema"]["enum"]
SMALL = [body for body in JSON_BUT_ODD.values() if len(body) < 20_000]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


def fits(answer, operation):
    """Raise unless the description has such an answer."""
    described = operation["responses"][str(answer.status)]
    for name, header in described.get("headers", {}).items():
        value = answer.headers[name]
        schema = header["schema"]
        Draft202012Validator(schema).validate(int(value) if value.isdigit() else value)
    for kind, content in described.get("content", {}).items():
        assert answer.headers["content-type"] == kind
        schema = {**content["schema"], "components": DESCRIBED["components"]}
        Draft202012Validator(schema).validate(answer.told)


@pytest.mark.parametrize("case", REFUSED | KEPT)
async def test_d5_a_forged_or_strange_proof_is_answered_as_described(door, case):
    name, signed, *_ = (REFUSED | KEPT)[case]

    fits(await door.one(sent(signed, name)), HOOKS["post"])


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), body=st.sampled_from(SMALL), proved=st.booleans())
def test_d5_any_delivery_is_answered_as_described(door, name, body, proved):
    signed = SENDERS[name].sign(body) if proved and name in SENDERS else None
    raw = post(f"/hooks/{name}", {}, body) if signed is None else sent(signed, name)

    fits(asyncio.run(door.one(raw)), HOOKS["post"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["get", "options"])
async def test_d5_other_questions_are_answered_as_described(door, name, method):
    raw = f"{method.upper()} /hooks/{name} HTTP/1.1\r\nhost: x\r\n\r\n".encode()

    fits(await door.one(raw), HOOKS[method])


@pytest.mark.parametrize("path", ["/live", "/ready", "/status"])
async def test_d5_what_can_be_read_is_answered_as_described(door, path):
    raw = f"GET {path}?a=%00&b={{}} HTTP/1.1\r\nhost: x\r\n\r\n".encode()

    fits(await door.one(raw), DESCRIBED["paths"][path]["get"])
