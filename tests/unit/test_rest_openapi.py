"""The published OpenAPI document is sound, names every operation, and every answer is as it says."""

from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from orchestrator.ledger import approvals, calls
from orchestrator.ledger.approvals import Approval
from tests.support.api import APPROVES, PLACE, answering
from tests.support.builders import AT, RUN, WORKFLOW, comment, intent, rule
from tests.support.installed import Installed
from workflows.approvals import Standing
from workflows.messages import CallState
from workflows.playbook import OnTimeout

_, CODE = approvals.named(RUN, "1.1", 1, "digest")
OPERATIONS = {
    "listEvents", "showEvent", "whyEvent", "redeliverEvent", "listRefusals", "listDeadLetters",
    "retryDeadLetter", "discardDeadLetter", "listRuns", "showRun", "readLog", "showCall", "startRun",
    "resumeRun", "cancelRun", "applyRun", "retryRun", "listApprovals", "showApproval", "approve",
    "deny", "answer", "listRules", "showRule", "pauseRule", "unpauseRule", "pauseSource",
    "unpauseSource", "showSpend", "showStatus", "whoAmI", "showDelivery", "pruneEvents",
    "listLostRuns", "acceptNamespace", "listPlaybooks",
}  # fmt: skip
NOT_CLOSED = {"showStatus"}
"""What their answers hold stands in no shape."""


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.refused("github")
    there.kept(comment("evt_1"), rule("other", on=("github/star.*",)))
    there.kept(comment("evt_2", number=9), rule())
    there.began("evt_1")
    there.said(1, {"type": "text", "text": "Hello."})
    there.called("1.0", CallState.PROPOSED)
    there.write(calls.intend, RUN, 1, intent("1.1"), AT)
    approval_id, code = approvals.named(RUN, "1.1", 1, "digest")
    request = Approval(
        approval_id=approval_id,
        code=code,
        run_id=RUN,
        workflow_id=WORKFLOW,
        call_id="1.1",
        number=1,
        tool="github.comment",
        digest="digest",
        by=("operator",),
        on_timeout=OnTimeout.DENY,
        standing=Standing.OPEN,
        asked_at=AT,
        expires_at=AT + 10 * 365 * 86_400,
    )
    there.write(approvals.open_request, request)
    return there


def document(api) -> dict[str, Any]:
    return httpx2.get(f"{api.url}{PLACE}/openapi.json", timeout=30).json()


def operations(told):
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            yield path, method, one


def fits(told, schema, answer):
    """Raises where the answer isn't as the schema says; no object may hold more than it says."""
    components = {name: _closed(one) for name, one in told["components"]["schemas"].items()}
    whole = {**schema, "components": {"schemas": components}}
    Draft202012Validator(whole).validate(answer)


def _closed(schema):
    return {**schema, "additionalProperties": False} if schema.get("properties") else schema


PLACES = {
    "event": ("evt_1", "evt_2"),
    "run": (RUN,),
    "code": (CODE,),
    "rule": ("triage",),
    "letter": ("dec_none",),
    "source": ("github",),
}


def test_o2_the_document_is_sound_public_and_names_every_operation(there):
    with answering(there, rule()) as api:
        told = document(api)

    validate(told)
    named = [one["operationId"] for _, _, one in operations(told)]
    assert sorted(named) == sorted(OPERATIONS)
    assert told["security"] == [{"token": []}]
    assert told["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_o2_every_answer_and_every_problem_is_as_the_document_says(there):
    with answering(there, rule()) as api:
        told = document(api)
        for path, method, one in operations(told):
            names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
            for chosen in PLACES[names[0]] if names else ("",):
                address = path.removeprefix(PLACE)
                for name in names:
                    one_of_it = {"call": "1.0"}.get(name, chosen)
                    address = address.replace(f"{{{name}}}", one_of_it)
                _asked(api, told, method, address, one)


def _asked(api, told, method, address, one):
    if method == "get":
        answers = [api.get(address, token=APPROVES), api.get(address, token=None)]
    else:
        said = {"answer": 1} if address.endswith("/answer") else None
        wait = {"params": {"wait": 0}}
        answers = [
            api.post(address, said, token=APPROVES, **wait),
            api.post(address, said, token=APPROVES, **wait),
            api.post(address, said, token=None),
            api.post(address, {"unknown": 1}, token=APPROVES, **wait),
        ]
    for answer in answers:
        response = one["responses"].get(str(answer.status_code))
        assert response is not None, (address, answer.status_code, answer.text)
        media = answer.headers["content-type"].partition(";")[0]
        assert media in response["content"], (address, media)
        if one["operationId"] not in NOT_CLOSED or not answer.is_success:
            fits(told, response["content"][media]["schema"], answer.json())
