"""GitHub's REST API: one call, its answer or its failure in words; it reads no environment and knows no tool.

A failure says what happened, what to do next and, for a write, whether it may have happened all the same.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import httpx2
from mcp.server.mcpserver.exceptions import ToolError

from mcp_servers.tasks.desk import Unsure

DEFAULT_URL: Final = "https://api.github.com"
HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "User-Agent": "doorbell-github",
    # https://docs.github.com/en/rest/about-the-rest-api/api-versions
    "X-GitHub-Api-Version": "2022-11-28",
}
TIMEOUT: Final = 30.0
"""Seconds for one call, connecting included."""

_SAID: Final = 600
"""Characters of GitHub's own words that a failure repeats."""
_NOTHING_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """The API as one token sees it."""

    client: httpx2.AsyncClient
    token: str | None = field(repr=False)

    async def get(self, path: str, **params: str | int) -> Any:
        """Read; a renamed repository is followed. Raises ToolError."""
        return await self._call("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create. Raises ToolError."""
        return await self._call("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change the fields named in the body. Raises ToolError."""
        return await self._call("PATCH", path, body=body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        request = self.client.build_request(
            method, path, params=params, json=body, headers=_authorization(self.token)
        )
        try:
            # httpx would turn a redirected POST into a GET, so only reads follow.
            response = await self.client.send(request, follow_redirects=method == "GET")
            return _answer(response)
        except httpx2.HTTPError as error:
            raise _kind(method, error)(_unanswered(method, request.url, error)) from None
        except _FailureAnswer as failure:
            said = self._redacted(_explain(method, failure.response))
            raise _kind(method, failure)(said) from None

    def _redacted(self, text: str) -> str:
        return text.replace(self.token, "[token]") if self.token else text


class _FailureAnswer(Exception):
    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@asynccontextmanager
async def connect(base_url: str, token: str | None) -> AsyncIterator[GitHub]:
    """The API at an address, with its connections pooled until the block ends."""
    async with httpx2.AsyncClient(base_url=base_url, headers=HEADERS, timeout=TIMEOUT) as client:
        yield GitHub(client=client, token=token)


def repository(owner: str, repo: str, *rest: str | int) -> str:
    """The path of a repository or of something in it; no name can climb out of it. Raises ToolError."""
    for name in (owner, repo):
        if not name.strip("."):
            raise ToolError(f"expected the name of an owner or a repository, got {name!r}")
    return "/".join(["/repos", *(quote(str(part), safe="") for part in (owner, repo, *rest))])


def _authorization(token: str | None) -> Mapping[str, str]:
    if not token:
        raise ToolError(
            "this GitHub server has no token: set GITHUB_TOKEN in its environment "
            "(a fine-grained token with Issues: read and write) and start it again"
        )
    # A header library that meets a line break would quote the token in its complaint.
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ToolError(
            "GITHUB_TOKEN holds a space, a line break or a character that no token has: set it anew"
        )
    return {"Authorization": f"Bearer {token}"}


def _answer(response: httpx2.Response) -> Any:
    if not response.is_success:
        raise _FailureAnswer(response)
    if response.status_code == httpx2.codes.NO_CONTENT:
        return {}
    try:
        return response.json()
    except ValueError:
        raise ToolError(
            f"expected JSON from {response.url}, got {response.text[:80]!r}: is GITHUB_API_URL right?"
        ) from None


def _kind(method: str, error: httpx2.HTTPError | _FailureAnswer) -> type[ToolError]:
    """Whether a failure leaves open if a write happened."""
    if method == "GET" or isinstance(error, _NOTHING_SENT):
        return ToolError
    if isinstance(error, _FailureAnswer) and not error.response.is_server_error:
        return ToolError
    return Unsure


def _unanswered(method: str, url: httpx2.URL, error: httpx2.HTTPError) -> str:
    what = f"GitHub at {url.scheme}://{url.netloc.decode()} gave no answer ({type(error).__name__})"
    if isinstance(error, _NOTHING_SENT):
        return f"{what}: it could not be reached and nothing was sent; try again later"
    return f"{what}: {_afterwards(method)}"


def _afterwards(method: str) -> str:
    if method == "GET":
        return "nothing was changed; try again later"
    return "whether the write happened is unknown; read the issue before you repeat it"


def _explain(method: str, response: httpx2.Response) -> str:
    status = response.status_code
    return f"GitHub answered {status} ({_said(response)}): {_what_to_do(method, status, response)}"


def _what_to_do(method: str, status: int, response: httpx2.Response) -> str:
    if status == httpx2.codes.TOO_MANY_REQUESTS or _limited(response):
        return f"the rate limit is used up and nothing was changed; {_wait(response.headers)}"
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return _afterwards(method)
    if response.is_redirect:
        return "it has moved and nothing was changed; use the repository's present owner and name"
    return _ADVICE.get(status, "nothing was changed; mend the arguments")


_ADVICE: Final[Mapping[int, str]] = {
    400: "nothing was changed; mend the arguments",
    401: "the token is not accepted; the operator must set a valid GITHUB_TOKEN",
    403: "the token may not do this; it needs the permission Issues: read and write for this repository",
    404: "there is no such thing, or the token cannot see it; check owner, repo and issue_number",
    410: "it was deleted, or issues are switched off in this repository",
    422: "nothing was changed; mend the arguments that GitHub names",
}


def _limited(response: httpx2.Response) -> bool:
    # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: a 403 may be a limit too
    if response.status_code != httpx2.codes.FORBIDDEN:
        return False
    headers = response.headers
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in response.text.lower()
    )


def _wait(headers: httpx2.Headers) -> str:
    seconds, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if seconds.isdecimal():
        return f"try again in {seconds} seconds"
    if reset.isdecimal() and len(reset) <= len("9999999999"):
        return f"try again after {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "try again in a minute"


def _said(response: httpx2.Response) -> str:
    """GitHub's own words: the message, then each field it names."""
    try:
        said = response.json()
    except ValueError:
        return response.reason_phrase or "no reason given"
    if not isinstance(said, dict):
        return response.reason_phrase or "no reason given"
    errors = said.get("errors")
    named = [_fault(error) for error in errors] if isinstance(errors, list) else []
    return "; ".join([str(said.get("message", "no message")), *named])[:_SAID]


def _fault(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    fault = " ".join(str(error[key]) for key in ("resource", "field", "code") if error.get(key))
    message = error.get("message")
    return f"{fault}: {message}" if message else fault
