"""Every way GitHub can fail reaches the model in words: what happened, and what to do about it."""

import asyncio
import json
import socket

import pytest

from mcp_servers.github.__main__ import main
from tests.support.asgi import serving
from tests.support.github import AT, TOKEN, in_process, refused, told

ISSUE = AT | {"issue_number": 1}
COMMENT = ISSUE | {"body": "Hello"}


def answering(status, body=b"", **headers):
    """GitHub with one answer for everything."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": content})

    return app


async def words_of(app, tool="add_issue_comment", arguments=COMMENT):
    async with serving(app) as url, in_process(url) as client:
        return await refused(client, tool, **arguments)


@pytest.mark.parametrize(
    ("status", "message", "headers", "advice"),
    [
        (400, "Problems parsing JSON", {}, "mend the arguments"),
        (401, "Bad credentials", {}, "the operator must set a valid GITHUB_TOKEN"),
        (403, "Resource not accessible", {}, "it needs the permission Issues: read and write"),
        (403, "Slow down", {"retry_after": "60"}, "try again in 60 seconds"),
        (
            403,
            "API rate limit exceeded",
            {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1795253400"},
            "try again after 2026-11-21 09:30:00 UTC",
        ),
        (403, "You have exceeded a secondary rate limit", {}, "try again in a minute"),
        (404, "Not Found", {}, "there is no such thing, or the token cannot see it"),
        (410, "This issue was deleted", {}, "it was deleted, or issues are switched off"),
        (418, "Teapot", {}, "nothing was changed"),
        (429, "Too many requests", {"retry_after": "5"}, "try again in 5 seconds"),
        (429, "Too many requests", {"retry_after": "Sat"}, "try again in a minute"),
        (429, "Too many", {"x_ratelimit_reset": "9" * 400}, "try again in a minute"),
        (500, "Server Error", {}, "whether the write happened is unknown"),
        (503, "Service unavailable", {}, "read the issue before you repeat it"),
    ],
)
async def test_a_failure_is_told_in_words_with_what_to_do(status, message, headers, advice):
    words = await words_of(answering(status, {"message": message}, **headers))

    assert f"GitHub answered {status} ({message})" in words
    assert advice in words


async def test_the_fields_that_github_names_are_named():
    faults = [
        {"resource": "Issue", "field": "labels", "code": "invalid"},
        {"code": "custom", "message": "title is too long"},
        "plain",
    ]
    words = await words_of(answering(422, {"message": "Validation Failed", "errors": faults}))

    assert "Validation Failed; Issue labels invalid; custom: title is too long; plain" in words


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b'{"message": 7}'])
async def test_a_failure_without_github_s_words_is_still_told(body):
    assert "GitHub answered 502" in await words_of(answering(502, body))


async def test_a_long_failure_is_cut():
    words = await words_of(answering(422, {"message": "x" * 100_000}))

    assert len(words) < 1000


async def test_a_token_that_github_repeats_is_not_repeated_to_the_model():
    words = await words_of(answering(422, {"message": f"bad token {TOKEN}"}))

    assert TOKEN not in words
    assert "[token]" in words


async def test_a_failed_read_says_that_nothing_was_changed():
    words = await words_of(answering(500), "issue_read", ISSUE | {"method": "get"})

    assert "nothing was changed; try again later" in words


async def test_a_success_that_is_no_json_points_at_the_address():
    words = await words_of(answering(200, b"<html>Login</html>"))

    assert "is GITHUB_API_URL right?" in words


async def test_a_read_follows_a_renamed_repository_and_a_write_does_not():
    async def moved(scope, receive, send):
        if scope["path"].startswith("/repositories/"):
            await answering(200, [], content_type="application/json")(scope, receive, send)
        else:
            await answering(301, location="/repositories/7/labels")(scope, receive, send)

    async with serving(moved) as url, in_process(url) as client:
        assert await told(client, "list_label", **AT) == []
        words = await refused(client, "add_issue_comment", **COMMENT)

    assert "it has moved and nothing was changed" in words


async def test_a_redirect_to_another_host_does_not_carry_the_token():
    seen = []

    async def elsewhere(scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"authorization"))
        await answering(200, [])(scope, receive, send)

    async with (
        serving(elsewhere) as other,
        serving(answering(302, location=f"{other}/x")) as url,
        in_process(url) as client,
    ):
        await told(client, "list_label", **AT)

    assert seen == [None]


async def test_an_address_where_nobody_listens_says_that_nothing_was_sent():
    # Bound, and not listening: nobody else can be there.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with in_process(f"http://127.0.0.1:{nobody.getsockname()[1]}") as client:
            words = await refused(client, "add_issue_comment", **COMMENT)

    assert "could not be reached and nothing was sent" in words


async def test_a_connection_that_dies_after_the_write_leaves_its_outcome_unknown():
    async def hang_up(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, in_process(url) as client:
        write = await refused(client, "add_issue_comment", **COMMENT)
        read = await refused(client, "list_label", **AT)

    assert "whether the write happened is unknown" in write
    assert "nothing was changed" in read


@pytest.mark.parametrize("url", ["not an address", "ftp://127.0.0.1"])
async def test_an_address_that_is_none_is_named(url):
    async with in_process(url) as client:
        words = await refused(client, "get_me")

    assert "nothing was sent" in words


@pytest.mark.parametrize("token", ["ghp_a\nghp_b", "ghp a", "ghp_\u00e4"])
async def test_a_token_that_cannot_be_one_is_refused_without_repeating_it(token):
    async with in_process("http://127.0.0.1:9", token) as client:
        words = await refused(client, "get_me")

    assert "GITHUB_TOKEN holds" in words
    assert token not in words


def test_the_command_line_explains_itself(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])

    assert end.value.code == 0
    assert "GITHUB_TOKEN" in capsys.readouterr().out
