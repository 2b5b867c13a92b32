"""One POST to exactly an address that was judged, inside deadlines; it knows no event and no rule.

Every one is a fresh connection: resolve, judge every address, connect to one of them under the host's own name, and
take the status as the answer. It follows no redirect, uses no proxy, keeps no cookie, and reads 2 KB of the words.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx2

from orchestrator.rules.addresses import refused

MAX_ADDRESSES: Final = 4
CONNECT: Final = 3.0
"""Seconds for one address, so that one that is mute leaves time for the next."""

WORDS: Final = 2048
WORDS_PATIENCE: Final = 1.0
"""Seconds for the answer's body: its status has said everything that matters."""

CLOSING: Final = 1.0
RESOLVERS: Final = 4
PORTS: Final = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises `OSError`."""


class Failed(Exception):
    """There is no answer: the text says what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent. `private` allows addresses of one's own network; `patience` is for everything up to the status."""

    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    private: bool
    patience: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `retry_after` as it stood there, `words` the first of the body."""

    status: int
    retry_after: str | None
    words: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """The way out: how names are resolved, and whose certificates count."""

    resolve: Resolve
    tls: ssl.SSLContext

    async def post(self, wanted: Post) -> Answer:
        """The answer. Raises `Failed`."""
        try:
            url = httpx2.URL(wanted.url)
        except httpx2.InvalidURL as error:
            raise Failed(f"expected an address: {error}") from None
        deadline = asyncio.get_running_loop().time() + wanted.patience.total_seconds()
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses(url, private=wanted.private)
            return await self._first(addresses, url, wanted, deadline)
        except TimeoutError:
            seconds = wanted.patience.total_seconds()
            raise Failed(f"no answer within {seconds:g}s") from None
        except httpx2.HTTPError as failed:
            raise Failed(str(failed) or type(failed).__name__) from None

    async def _addresses(self, url: httpx2.URL, *, private: bool) -> list[str]:
        try:
            found = list(dict.fromkeys(await self.resolve(_host(url), _port(url))))
        except (OSError, UnicodeError) as error:
            raise Failed(f"its name can't be resolved: {error}") from None
        for address in found:
            # One that leads inside condemns them all: whoever owns the name doesn't get to choose.
            because = refused(address, private=private)
            if because is not None:
                raise Failed(f"refused: {because}; nothing was sent")
        if not found:
            raise Failed("its name has no address")
        return found[:MAX_ADDRESSES]

    async def _first(
        self, addresses: Sequence[str], url: httpx2.URL, wanted: Post, deadline: float
    ) -> Answer:
        """The answer of the first address that can be connected to."""
        *others, last = addresses
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                # Nothing was sent where connecting failed: another address may be tried.
                return await self._posted(address, url, wanted, deadline)
        return await self._posted(last, url, wanted, deadline)

    async def _posted(self, address: str, url: httpx2.URL, wanted: Post, deadline: float) -> Answer:
        # A client of its own: a kept connection would serve whatever other name lives at this address,
        # with a certificate that was checked for this one.
        client = httpx2.AsyncClient(
            verify=self.tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(wanted.patience.total_seconds(), connect=CONNECT),
        )
        try:
            async with asyncio.timeout_at(deadline):
                answer = await client.send(_request(client, address, url, wanted), stream=True)
            return Answer(
                status=answer.status_code,
                retry_after=answer.headers.get("retry-after"),
                words=await _words(answer),
            )
        finally:
            with suppress(TimeoutError, httpx2.HTTPError):
                async with asyncio.timeout(CLOSING):
                    await client.aclose()


def resolving() -> Resolve:
    """The system's resolver, in threads of its own: a mute one must not hold up anybody else's."""
    threads = ThreadPoolExecutor(RESOLVERS, "resolve")

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(place[0]) for *_, place in found]

    return resolve


def _request(
    client: httpx2.AsyncClient, address: str, url: httpx2.URL, wanted: Post
) -> httpx2.Request:
    return client.build_request(
        "POST",
        url.copy_with(host=address),
        content=wanted.body,
        headers=[*wanted.headers, ("host", url.netloc.decode("ascii"))],
        extensions={"sni_hostname": _host(url).rstrip(".")},
    )


async def _words(answer: httpx2.Response) -> bytes:
    found = bytearray()
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(WORDS_PATIENCE):
            async for chunk in answer.aiter_raw():
                found += chunk
                if len(found) >= WORDS:
                    break
    return bytes(found[:WORDS])


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii")


def _port(url: httpx2.URL) -> int:
    return url.port or PORTS[url.scheme]
