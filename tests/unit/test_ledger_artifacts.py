"""Artifacts are named by their content and kept once."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.ledger import artifacts
from orchestrator.ledger.artifacts import Artifact
from tests.support.builders import AT, ledger_at


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with ledger_at(tmp_path_factory.mktemp("artifacts")) as database:
        yield database


@settings(max_examples=30, deadline=None)
@given(body=st.binary(max_size=2000))
def test_bytes_come_back_as_they_were(ledger, body):
    async def journey():
        digest = await ledger.write(artifacts.put, body, "text/plain", AT)
        return digest, await ledger.read(artifacts.get, digest)

    digest, found = asyncio.run(journey())
    assert digest == artifacts.digest_of(body)
    assert found == Artifact(digest=digest, media_type="text/plain", body=body)


async def test_the_same_bytes_are_the_same_artifact(ledger):
    puts = [ledger.write(artifacts.put, b"same", "text/plain", AT + n) for n in range(10)]

    assert len(set(await asyncio.gather(*puts))) == 1


async def test_an_artifact_that_is_not_there_is_none(ledger):
    assert await ledger.read(artifacts.get, "") is None
