"""A token for a server that wants OAuth client credentials: fetched when it is asked for, kept in memory only.

The SDK knows the discovery and its dangers, but as an authentication of its own it sends one request at a time and
keeps the others waiting for its answer. So it is asked for the token, and the requests go beside it.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Final

import httpx2
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from typing_extensions import override

from orchestrator.servers import HttpServer, OAuth

WANTING: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class _Memory(TokenStorage):
    """The SDK's place for tokens, in this process only."""

    def __init__(self) -> None:
        self.token: OAuthToken | None = None

    @override
    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    @override
    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    @override
    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    @override
    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        pass


class _Provider(ClientCredentialsOAuthProvider):
    """The SDK's, with the scope that was configured: by itself it asks for what the server says it wants."""

    def __init__(self, server: HttpServer, oauth: OAuth, storage: TokenStorage) -> None:
        super().__init__(
            server_url=server.url,
            storage=storage,
            client_id=oauth.client_id,
            client_secret=oauth.client_secret.reveal(),
            scope=oauth.scope,
            issuer=oauth.issuer,
        )
        self._scope = oauth.scope

    @override
    async def _perform_authorization(self) -> httpx2.Request:
        if self._scope is not None:
            self.context.client_metadata.scope = self._scope
        return await super()._perform_authorization()


class Credentials(httpx2.Auth):
    """One server's; the connections that follow each other share it, and so the token."""

    def __init__(self, server: HttpServer, oauth: OAuth) -> None:
        self._kept = _Memory()
        self._fetching = asyncio.Lock()
        self._provider = _Provider(server, oauth, self._kept)

    @property
    def secrets(self) -> Mapping[str, str]:
        """The token, as something that nobody may read in an answer; value to what it is called."""
        token = self._kept.token
        return {} if token is None else {token.access_token: "oauth token"}

    @override
    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        shown = self._show(request)
        response = yield request
        if response.status_code not in WANTING:
            return
        await response.aread()
        async with self._fetching:
            if self._held == shown:
                # Another request may have fetched one while this one was on its way.
                flow = self._fetch(request, response)
                try:
                    asked = await anext(flow)
                    while asked is not request:
                        asked = await flow.asend((yield asked))
                finally:
                    await flow.aclose()
        if self._held not in {shown, None}:
            self._show(request)
            yield request

    async def _fetch(
        self, request: httpx2.Request, refused: httpx2.Response
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The SDK's flow from where our own request was refused to where it would be sent again."""
        flow = self._provider.async_auth_flow(request)
        try:
            asked = await anext(flow)
            while asked is not request:
                asked = await flow.asend((yield asked))
            asked = await _next(flow, refused, request)
            while asked is not request:
                asked = await _next(flow, (yield asked), request)
        finally:
            await flow.aclose()
        yield request

    @property
    def _held(self) -> str | None:
        return None if self._kept.token is None else self._kept.token.access_token

    def _show(self, request: httpx2.Request) -> str | None:
        if self._held is not None:
            request.headers["Authorization"] = f"Bearer {self._held}"
        return self._held


async def _next(
    flow: AsyncGenerator[httpx2.Request, httpx2.Response],
    response: httpx2.Response,
    request: httpx2.Request,
) -> httpx2.Request:
    try:
        return await flow.asend(response)
    except StopAsyncIteration:
        # A refusal that no token mends, such as 403 for another reason: the request isn't sent again.
        return request
