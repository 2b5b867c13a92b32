"""GitHub's published description judges what our hands ask and what our stand-in answers."""

import pytest
from openapi_core.validation.request.exceptions import InvalidRequestBody

from tests.support.github import AT, github, in_process, told
from tests.support.github_openapi import OPERATIONS, Judge

CALLS = (
    ("get_me", {}),
    ("issue_read", AT | {"method": "get", "issue_number": 1}),
    ("issue_read", AT | {"method": "get_labels", "issue_number": 1}),
    ("search_issues", AT | {"query": "spelling error", "sort": "created", "order": "asc"}),
    ("list_label", AT),
    (
        "issue_write",
        AT | {"method": "update", "issue_number": 1, "labels": ["bug", "needs-info", "brand new"]},
    ),
    (
        "issue_write",
        AT
        | {"method": "update", "issue_number": 1, "state": "closed", "state_reason": "duplicate"}
        | {"assignees": ["octocat"], "title": "Another title", "body": "Another body"},
    ),
    (
        "issue_write",
        AT | {"method": "create", "title": "New", "body": "It broke", "labels": ["bug"]},
    ),
    ("add_issue_comment", AT | {"issue_number": 1, "body": "Which release is it? 🙂"}),
    ("issue_read", AT | {"method": "get_comments", "issue_number": 1, "page": 1, "perPage": 5}),
    ("create_deployment", AT | {"ref": "main"}),
    (
        "create_deployment",
        AT | {"ref": "v1", "environment": "qa", "description": "A try", "required_contexts": []},
    ),
    ("search_issues", {"query": "is:open colour repo:Codertocat/Hello-World"}),
)


@pytest.fixture(scope="module")
def judge():
    return Judge()


async def test_every_request_of_the_hands_and_every_answer_to_it_is_one_github_describes(judge):
    async with github() as peer, in_process(peer.url) as client:
        for tool, arguments in CALLS:
            await told(client, tool, **arguments)

    for request, response in peer.recorded.exchanges:
        judge.check_request(request)
        judge.check_response(request, response)
    assert len(peer.recorded.exchanges) == len(CALLS)


REFUSALS = (
    ("GET", "/repos/Codertocat/Hello-World/issues/999", None, 404),
    ("GET", "/repos/Codertocat/Other/labels", None, 404),
    ("POST", "/repos/Codertocat/Hello-World/issues/1/comments", {"body": ""}, 422),
    ("POST", "/repos/Codertocat/Hello-World/issues", {"body": "no title"}, 422),
    ("PATCH", "/repos/Codertocat/Hello-World/issues/1", {"state": "bogus"}, 422),
    ("GET", "/search/issues?q=x+repo:someone/else", None, 422),
)


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSALS)
async def test_a_refusal_of_the_stand_in_is_shaped_as_github_describes(
    judge, method, path, body, status
):
    async with github() as peer, peer.client() as http:
        response = await http.request(method, path, json=body)

    assert response.status_code == status
    judge.check_response(*peer.recorded.exchanges[0])


async def test_the_answer_to_a_wrong_token_is_shaped_as_github_describes(judge):
    async with github() as peer, peer.client("wrong") as http:
        response = await http.get("/user")

    assert response.status_code == 401
    judge.check_response(*peer.recorded.exchanges[0])


async def test_labels_added_by_their_own_path_are_answered_as_github_describes(judge):
    async with github() as peer, peer.client() as http:
        await http.post(
            "/repos/Codertocat/Hello-World/issues/1/labels", json={"labels": ["question"]}
        )

    request, response = peer.recorded.exchanges[0]
    judge.check_request(request)
    judge.check_response(request, response)


async def test_the_judge_refuses_a_request_that_github_does_not_describe(judge):
    async with github() as peer, peer.client() as http:
        await http.patch("/repos/Codertocat/Hello-World/issues/1", json={"state": "bogus"})

    with pytest.raises(InvalidRequestBody):
        judge.check_request(peer.recorded.exchanges[0][0])


def test_the_slice_says_whose_it_is_and_holds_what_we_speak(judge):
    info = judge.api.spec["info"]

    assert (info["version"], info["license"]["name"]) == ("23.0.2", "MIT")
    assert set(OPERATIONS) == set(judge.api.spec["paths"].keys())
