"""Buckets that share a limit, as the tests of several folders make them."""

import functools
import inspect
import itertools
from contextlib import asynccontextmanager

import pytest

from deepidv_async import RateLimit
from deepidv_async.limits.redis import RedisTokenBucket

_NAMES = itertools.count()


@asynccontextmanager
async def buckets(server):
    """Make buckets as processes do: each with a connection of its own, of one name by default."""
    clients, made = [], []
    own = f"test-{next(_NAMES)}"

    def make(rate=200, burst=20, *, name=own, per_day=None, hold=0.5, initial=None, **options):
        clients.append(server.connect())
        options.setdefault("patience", 5)  # a busy machine is no outage
        limit = RateLimit(rate, burst, per_day=per_day, hold=hold, initial=initial)
        made.append(RedisTokenBucket(clients[-1], limit, name=name, **options))
        return made[-1]

    make.name = own
    try:
        yield make
    finally:
        for bucket in made:
            await bucket.aclose()
        for client in clients:
            await client.aclose()


def with_buckets(test):
    """Give a test `make`, and close its buckets before anybody looks for tasks that are left."""
    asked = set(inspect.signature(test).parameters)

    @pytest.mark.asyncio
    @functools.wraps(test)
    async def run(*, server, **given):
        if "server" in asked:
            given["server"] = server
        async with buckets(server) as make:
            await test(make, **given)

    # pytest gives the fixtures that it reads here.
    names = {"server", *asked} - {"make"}
    run.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in sorted(names)]
    )
    return run
