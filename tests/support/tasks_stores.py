"""Every task store, opened empty, and the drafts and callbacks that tests give them."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.store import Callback, Draft
from mcp_servers.tasks.wire import said

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@contextmanager
def memory(_path, _postgres):
    yield MemoryStore()


@contextmanager
def sqlite(path, _postgres):
    store = SqlStore.open_at(f"sqlite:///{path / 'tasks.db'}")
    try:
        yield store
    finally:
        store.close()


@contextmanager
def in_postgres(_path, postgres):
    with postgres.database() as url:
        store = SqlStore.open_at(url)
        try:
            yield store
        finally:
            store.close()


STORES = {"memory": memory, "sqlite": sqlite, "postgres": in_postgres}


def draft(number=1, *, key=None, principal="", digest="d", tool="refund", ttl=timedelta(hours=1)):
    return Draft(
        id=f"id-{number}",
        token=f"token-{number}",
        principal=principal,
        tool=tool,
        digest=digest,
        idempotency=key,
        ttl=ttl,
        poll=timedelta(seconds=5),
    )


def callback(id_="c1", *keys, told=None):
    return Callback(id=id_, keys=keys or ("refund:1",), told=told or said("done"))
