"""Get a few bytes from an address that was pinned before; it follows nothing, and knows no sender."""

import asyncio
from typing import Final

import httpx2

from orchestrator.doorbell.proofs import Fetch

LIMIT: Final = 64 * 1024
PATIENCE: Final = 5.0
"""Seconds for the whole of it."""

AT_ONCE: Final = 2
"""Whoever asks while so many are under way is told to come again."""


def fetching() -> Fetch:
    """A way to get the bytes at exactly one address; it raises `OSError` for anything but a small 200."""
    under_way = 0

    async def fetch(url: str) -> bytes:
        nonlocal under_way
        if under_way >= AT_ONCE:
            raise OSError("enough is being fetched already")
        under_way += 1
        try:
            return await _fetched(url)
        finally:
            under_way -= 1

    return fetch


async def _fetched(url: str) -> bytes:
    try:
        async with (
            asyncio.timeout(PATIENCE),
            httpx2.AsyncClient(follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url) as answer,
        ):
            return await _small(answer)
    except httpx2.HTTPError as error:
        raise OSError(type(error).__name__) from None


async def _small(answer: httpx2.Response) -> bytes:
    if answer.status_code != httpx2.codes.OK:
        raise OSError(f"expected 200, {answer.status_code} came")
    found = bytearray()
    async for chunk in answer.aiter_bytes():
        found += chunk
        if len(found) > LIMIT:
            raise OSError(f"expected at most {LIMIT} bytes, more came")
    return bytes(found)
