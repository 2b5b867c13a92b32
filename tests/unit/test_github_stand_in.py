"""The stand-in for GitHub keeps what is written, refuses as GitHub does, and rings for every write."""

import asyncio
import json

import pytest

from orchestrator.demo.github import LARGEST_BODY, stand_in
from orchestrator.demo.github_state import BOT_ID, BOT_LOGIN, GitHubState
from orchestrator.errors import OperatorError
from tests.support.asgi import serving
from tests.support.github import NOW, TOKEN, client, delivery, github, opened

REPO = "/repos/Codertocat/Hello-World"
ISSUE = f"{REPO}/issues/1"


async def test_a_comment_rings_as_the_bot_s_own_once_it_is_answered():
    async with github() as peer, peer.client() as http:
        answer = await http.post(f"{ISSUE}/comments", json={"body": "Which release?"})
        [(event, payload)] = await peer.rings(1)

    recorded = delivery("issue_comment.created")
    assert event == "issue_comment"
    assert list(payload) == list(recorded)
    assert recorded["comment"].keys() - payload["comment"].keys() == {"reactions"}
    assert recorded["issue"].keys() <= payload["issue"].keys()
    assert payload["action"] == "created"
    assert payload["comment"] == answer.json()
    assert payload["issue"]["comments"] == 1
    assert payload["repository"] == recorded["repository"]
    sender = payload["sender"]
    assert (sender["login"], sender["id"], sender["type"]) == (BOT_LOGIN, BOT_ID, "Bot")


async def test_an_answer_waits_for_no_bell_and_breaks_with_none():
    let_go, sounded = asyncio.Event(), asyncio.Event()

    async def slow_and_broken(event, payload):
        await let_go.wait()
        sounded.set()
        raise ConnectionError(event)

    app = stand_in(opened(), slow_and_broken, TOKEN)
    async with serving(app) as url, client(url) as http:
        first = await http.post(f"{ISSUE}/comments", json={"body": "1"})
        assert not sounded.is_set()
        let_go.set()
        await sounded.wait()
        second = await http.post(f"{ISSUE}/comments", json={"body": "2"})

    assert (first.status_code, second.status_code) == (201, 201)


async def test_the_last_bell_is_rung_before_the_stand_in_ends():
    heard = []

    async def slow(event, payload):
        await asyncio.sleep(0)
        heard.append(event)

    async with serving(stand_in(opened(), slow, TOKEN)) as url, client(url) as http:
        await http.post(f"{ISSUE}/comments", json={"body": "1"})

    assert heard == ["issue_comment"]


async def test_each_label_that_is_new_or_gone_rings_once():
    async with github() as peer, peer.client() as http:
        await http.patch(ISSUE, json={"labels": ["needs-info", "duplicate"]})
        rings = await peer.rings(3)
        await http.patch(ISSUE, json={"labels": ["needs-info", "duplicate"]})
        await http.patch(ISSUE, json={"state": "closed"})
        [(_, closed)] = await peer.rings(1)

    told = [(event, payload["action"], payload["label"]["name"]) for event, payload in rings]
    assert told == [
        ("issues", "unlabeled", "bug"),
        ("issues", "labeled", "needs-info"),
        ("issues", "labeled", "duplicate"),
    ]
    assert list(rings[1][1]) == list(delivery("issues.labeled"))
    assert closed["action"] == "closed"
    assert [label["name"] for label in closed["issue"]["labels"]] == ["needs-info", "duplicate"]


@pytest.mark.parametrize(
    ("changes", "actions"),
    [
        ([{"state": "closed"}], ["closed"]),
        ([{"state": "closed"}, {"state": "open"}], ["closed", "reopened"]),
        ([{"state": "open"}], []),
        ([{"title": "Other", "body": None}], ["edited"]),
        ([{"title": None}], []),
        ([{"assignees": ["octocat"]}], ["unassigned", "assigned"]),
        ([{"labels": [{"name": "BUG"}]}], []),
        ([{"labels": ["needs-info", "Needs-Info"]}], ["unlabeled", "labeled"]),
    ],
)
async def test_a_change_rings_for_what_really_changed(changes, actions):
    async with github() as peer, peer.client() as http:
        for change in changes:
            assert (await http.patch(ISSUE, json=change)).status_code == 200
        rings = await peer.rings(len(actions))

    assert [payload["action"] for _, payload in rings] == actions
    assert peer.rung.empty()


async def test_an_edit_says_what_it_was_before():
    async with github() as peer, peer.client() as http:
        await http.patch(ISSUE, json={"title": "Other"})
        [(_, payload)] = await peer.rings(1)

    assert payload["changes"] == {"title": {"from": "Spelling error in the README file"}}


async def test_a_new_issue_rings_opened_and_then_its_labels():
    async with github() as peer, peer.client() as http:
        made = (await http.post(f"{REPO}/issues", json={"title": "T", "labels": ["bug"]})).json()
        rings = await peer.rings(2)
        again = (await http.get(f"{REPO}/issues/{made['number']}")).json()

    assert [payload["action"] for _, payload in rings] == ["opened", "labeled"]
    assert again == made
    assert made["number"] == max(peer.state.issues)


async def test_labels_are_added_to_those_that_are_there():
    async with github() as peer, peer.client() as http:
        both = await http.post(f"{ISSUE}/labels", json={"labels": ["question"]})
        bare = await http.post(f"{ISSUE}/labels", json=["made up"])

    assert [label["name"] for label in both.json()] == ["bug", "question"]
    assert [label["name"] for label in bare.json()] == ["bug", "question", "made up"]
    assert "made up" in peer.state.labels


async def test_every_write_is_listed_with_when_and_what_and_no_refused_one():
    async with github() as peer, peer.client() as http:
        await http.post(f"{ISSUE}/comments", json={"body": "1"})
        await http.patch(ISSUE, json={"labels": []})
        await http.patch(ISSUE, json={"state": "bogus"})
        await http.get(ISSUE)

    assert [(one.method, one.path, one.body, one.at) for one in peer.state.writes] == [
        ("POST", f"{ISSUE}/comments", {"body": "1"}, NOW),
        ("PATCH", ISSUE, {"labels": []}, NOW),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("DELETE", ISSUE, None, 404, "Not Found"),
        ("GET", f"{REPO}/issues/99", None, 404, "Not Found"),
        ("GET", f"{REPO}/issues/0", None, 404, "Not Found"),
        ("GET", f"{REPO}/issues/x", None, 404, "Not Found"),
        ("GET", "/repos/Codertocat/Other/labels", None, 404, "Not Found"),
        ("POST", f"{ISSUE}/comments", b"{", 400, "Problems parsing JSON"),
        ("POST", f"{ISSUE}/comments", b"[" * 100_000, 400, "Problems parsing JSON"),
        ("POST", f"{ISSUE}/comments", b"[]", 422, "Invalid request"),
        ("POST", f"{ISSUE}/comments", b"{}", 422, "Validation Failed"),
        ("POST", f"{ISSUE}/comments", b'{"body": 7}', 422, "Validation Failed"),
        ("POST", f"{ISSUE}/comments", b" " * (LARGEST_BODY + 1), 413, "Payload too large"),
        ("POST", f"{REPO}/issues", b'{"title": ""}', 422, "Validation Failed"),
        ("PATCH", ISSUE, b'{"title": ""}', 422, "Validation Failed"),
        ("PATCH", ISSUE, b'{"labels": "bug"}', 422, "Validation Failed"),
        ("PATCH", ISSUE, b'{"labels": [7]}', 422, "Validation Failed"),
        ("PATCH", ISSUE, b'{"assignees": [{"login": ""}]}', 422, "Validation Failed"),
        ("PATCH", ISSUE, b'{"state": ["open"]}', 422, "Validation Failed"),
        ("GET", "/search/issues", None, 422, "Validation Failed"),
        ("GET", "/search/issues?q=x+repo:a/b", None, 422, "Validation Failed"),
    ],
)
async def test_it_refuses_as_github_does(method, path, body, status, message):
    async with github() as peer, peer.client() as http:
        answer = await http.request(method, path, content=body)

    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)
    assert answer.json()["status"] == str(status)
    assert peer.state.writes == []
    assert peer.rung.empty()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Requires authentication"),
        ("Bearer wrong", "Bad credentials"),
        (f"Basic {TOKEN}", "Bad credentials"),
        ("Bearer", "Bad credentials"),
        (TOKEN, "Bad credentials"),
    ],
)
async def test_only_the_token_opens_it(header, message):
    async with github() as peer, peer.client(None) as http:
        answer = await http.get("/user", headers={"Authorization": header} if header else {})

    assert (answer.status_code, answer.json()["message"]) == (401, message)


async def test_names_of_a_repository_are_the_same_in_any_case():
    async with github() as peer, peer.client() as http:
        assert (await http.get("/repos/codertocat/hello-world/issues/1")).status_code == 200


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("spelling error", [1, 6]),
        ("spelling error is:closed", [6]),
        ("the README is:issue repo:codertocat/hello-world", [1, 6]),
        ("label:enhancement", [4]),
        ('label:"needs-info"', []),
        ("is:issue", [1, 4, 5, 6]),
        ("is:pr spelling", []),
        ("release", [6]),
        ("release in:title", []),
        ("zebra crossing", []),
        ("-label:bug python", [5]),
        ("state:open colour", [4]),
    ],
)
async def test_a_search_finds_what_holds_the_words_the_best_first(query, numbers):
    async with github() as peer, peer.client() as http:
        found = (await http.get("/search/issues", params={"q": query})).json()

    assert [one["number"] for one in found["items"]] == numbers
    assert found["total_count"] == len(numbers)


async def test_a_search_is_sorted_and_paged_when_asked():
    async with github() as peer, peer.client() as http:
        asked = {"q": "is:issue", "sort": "created", "order": "asc", "per_page": 2, "page": 2}
        found = (await http.get("/search/issues", params=asked)).json()
        odd = (
            await http.get("/search/issues", params=asked | {"page": "-1", "per_page": "x"})
        ).json()

    assert [one["number"] for one in found["items"]] == [6, 1]
    assert len(odd["items"]) == 4


def test_the_older_issues_are_older_and_one_is_a_reworded_solved_one():
    state = opened()
    older = [issue for number, issue in state.issues.items() if number != state.subject]

    assert all(issue["created_at"] < state.issues[1]["created_at"] for issue in older)
    likely = older[-1]
    assert likely["title"] == "README file: spelling error"
    assert (likely["state"], likely["state_reason"]) == ("closed", "completed")
    assert likely["created_at"] < likely["closed_at"] < state.issues[1]["created_at"]


@pytest.mark.parametrize("number", [1, 3, 4, 900])
@pytest.mark.parametrize("title", ["Crash", "It is what it is", "🙂", "", "crash on start"])
def test_any_issue_s_delivery_makes_a_github_with_four_issues(number, title):
    payload = delivery("issues.opened.no-body")
    payload["issue"] |= {"number": number, "title": title}

    state = GitHubState.from_delivery(payload, now=lambda: NOW)

    assert len(state.issues) == 4
    assert state.issues[number]["title"] == title
    assert min(state.issues) >= 1
    assert all(issue["title"] != title for key, issue in state.issues.items() if key != number)


def test_the_payload_it_was_made_from_is_left_as_it_was():
    payload = delivery("issues.opened")
    before = json.dumps(payload)

    state = GitHubState.from_delivery(payload, now=lambda: NOW)
    state.change_issue(1, {"labels": ["question"], "title": "Other"})
    state.comment_as("Codertocat", 21031067, "Hello")

    assert json.dumps(payload) == before


@pytest.mark.parametrize("name", ["push", "ping", "pull_request.opened"])
def test_a_delivery_about_no_issue_is_refused_in_words(name):
    with pytest.raises(OperatorError, match="expected a delivery about an issue"):
        GitHubState.from_delivery(delivery(name))


def test_the_reporter_s_reply_is_the_payload_that_github_would_send():
    state = opened()
    recorded = delivery("issue_comment.created")

    payload = state.comment_as("Codertocat", 21031067, "Release 2.1")

    assert list(payload) == list(recorded)
    assert payload["sender"]["login"] == payload["comment"]["user"]["login"] == "Codertocat"
    assert payload["sender"]["type"] == "User"
    assert payload["comment"]["author_association"] == "OWNER"
    assert payload["comment"]["created_at"] == "2026-11-21T09:30:00Z"
    assert state.comments[1][0]["body"] == "Release 2.1"
    assert state.writes == []


def test_a_stranger_s_reply_is_a_stranger_s():
    payload = opened().comment_as("mona", 7, "Me too")

    assert payload["comment"]["author_association"] == "NONE"


def test_a_ring_is_a_picture_that_later_changes_do_not_touch():
    state = opened()

    first = state.comment_as("mona", 7, "1")
    state.comment_as("mona", 7, "2")

    assert first["issue"]["comments"] == 1


def test_the_clock_is_the_wall_s_unless_another_is_given():
    assert GitHubState.from_delivery(delivery("issues.opened")).now().tzinfo is not None
