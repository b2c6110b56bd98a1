"""A CRD source on a real API server in the test's own process, with limits and a clock of the test's."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from financehub_scheduler.core.state import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.watch.source import CrdSource


async def connect(monkeypatch: pytest.MonkeyPatch, kubeconfig: Path) -> KubeApi:
    """A connection of its own; whatever logs in from now on does so with this kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    return KubeApi(await Connection.load())


@contextlib.asynccontextmanager
async def followed(source: CrdSource, apply: Callable[[Changes], None] = lambda _: None) -> AsyncIterator[None]:
    """Take its changes over as a scheduler does, once the first list is there and for as long as the block lasts."""
    complete = asyncio.Event()

    async def follow() -> None:
        async for changes in source.changes():
            apply(changes)
            if changes.complete:
                complete.set()

    following = asyncio.create_task(follow())
    try:
        await asyncio.wait_for(complete.wait(), 20)
        yield
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def soon(look: Callable[[], object], what: str, within: float = 20.0) -> None:
    """Poll until `look` answers with something true, while the loop goes on."""
    limit = time.monotonic() + within
    while not look():
        assert time.monotonic() < limit, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)
