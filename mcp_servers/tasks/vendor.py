"""A vendor's HTTP API: one call, its answer or its failure in words; it knows no vendor, no tool and no task.

A failure says what to do next. A write that may have happened all the same is `Unsure`, so that its task waits
for the webhook instead of claiming that nothing happened.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from mcp.server.mcpserver.exceptions import ToolError

from mcp_servers.tasks.desk import Unsure

TIMEOUT: Final = 30.0
"""Seconds for one call, connecting included."""
SAID: Final = 600
"""Characters of the vendor's own words that a failure repeats."""

_READS: Final = frozenset({"GET", "HEAD"})
_NOTHING_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
_ADVICE: Final[Mapping[int, str]] = {
    401: "its credential is not accepted; the operator must set a valid one",
    403: "its credential may not do this; the operator must give it the permission",
    404: "there is no such thing; check the ids",
    409: "it conflicts with what is there; read it again",
    429: "it is asked too often and nothing was changed; wait a minute",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """An API as one credential sees it. `name` stands in failures, `setting` is where the credential comes from."""

    client: httpx2.AsyncClient
    name: str
    setting: str
    credential: str | None = field(repr=False)
    header: str = "Authorization"
    scheme: str = "Bearer "

    async def get(self, path: str, **params: str | int) -> Any:
        """Read. Raises ToolError."""
        return await self.send("GET", path, params=params)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call; the answer's JSON. Raises ToolError, and `Unsure` for a write that may have happened."""
        request = self.client.build_request(
            method, path, params=params, json=json, data=form, headers=self._headers(headers or {})
        )
        try:
            response = await self.client.send(request)
        except httpx2.HTTPError as error:
            raise self._unanswered(method, error) from None
        if not response.is_success:
            raise self._refused(method, response)
        try:
            return response.json() if response.content else {}
        except ValueError:
            raise self._unsure(
                method, f"{self.name} answered with something else than JSON"
            ) from None

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        if not self.credential:
            raise ToolError(
                f"this server has no credential: set {self.setting} in its environment and start it again"
            )
        # A header library that meets a line break would quote the credential in its complaint.
        if not re.fullmatch(r"[\x21-\x7e]+", self.credential):
            raise ToolError(f"{self.setting} holds a space or a line break: set it anew")
        return {self.header: f"{self.scheme}{self.credential}", **headers}

    def _unanswered(self, method: str, error: httpx2.HTTPError) -> ToolError:
        what = f"{self.name} gave no answer ({type(error).__name__})"
        if isinstance(error, _NOTHING_SENT):
            return ToolError(
                f"{what}: it could not be reached and nothing was sent; try again later"
            )
        return self._unsure(method, what)

    def _refused(self, method: str, response: httpx2.Response) -> ToolError:
        status = response.status_code
        what = self._redacted(f"{self.name} answered {status} ({_words(response)})")
        if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return self._unsure(method, what)
        return ToolError(
            f"{what}: {_ADVICE.get(status, 'nothing was changed; mend the arguments')}"
        )

    def _unsure(self, method: str, what: str) -> ToolError:
        if method in _READS:
            return ToolError(f"{what}: nothing was changed; try again later")
        return Unsure(f"{what}: whether it happened is unknown; look before you repeat it")

    def _redacted(self, text: str) -> str:
        return text.replace(self.credential, "[credential]") if self.credential else text


@asynccontextmanager
async def connect(
    base_url: str,
    credential: str | None,
    *,
    name: str,
    setting: str,
    header: str = "Authorization",
    scheme: str = "Bearer ",
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Vendor]:
    """The API at an address, with its connections pooled until the block ends."""
    async with httpx2.AsyncClient(
        base_url=base_url, headers=dict(headers or {}), timeout=TIMEOUT
    ) as client:
        yield Vendor(
            client=client,
            name=name,
            setting=setting,
            credential=credential,
            header=header,
            scheme=scheme,
        )


def _words(response: httpx2.Response) -> str:
    """The vendor's own words, wherever the usual places for them are."""
    try:
        said = response.json()
    except ValueError:
        return response.reason_phrase or "no reason given"
    for place in ("error", "errors", "message", "detail"):
        inside = said.get(place) if isinstance(said, dict) else None
        if isinstance(inside, dict) and isinstance(inside.get("message"), str):
            return str(inside["message"])[:SAID]
        if inside:
            return str(inside)[:SAID]
    return response.reason_phrase or "no reason given"
