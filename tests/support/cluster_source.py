"""A ClusterSource for a real API server in the test's own process. The test sets its limits and its clock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource


async def connect_with(monkeypatch: pytest.MonkeyPatch, kubeconfig: Path) -> KubeApi:
    """Return an API server client. Every later login of the process uses this kubeconfig too."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    return KubeApi(await Connection.load())


@contextlib.asynccontextmanager
async def following(source: ClusterSource, apply: Callable[[Changes], None] = lambda _: None) -> AsyncIterator[None]:
    """Apply a source's changes as a scheduler does. The block begins when the first list is complete.

    Args:
        source: The source.
        apply: Receives all changes until the block ends.
    """
    complete = asyncio.Event()

    async def follow() -> None:
        async for changes in source.changes():
            apply(changes)
            if changes.complete:
                complete.set()

    task = asyncio.create_task(follow())
    try:
        await asyncio.wait_for(complete.wait(), 60)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
