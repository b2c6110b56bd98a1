"""Builds the images, starts the cluster and loads them into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from e2e import images
from test_cluster.images.engine import engine
from test_cluster.targets import Target


@contextmanager
def prepared(target: Target) -> Iterator[dict[str, str]]:
    """Give the environment of a program that uses a running cluster with all images. The program runs inside of it.

    Args:
        target: A cluster that this machine runs.

    Raises:
        EngineError: An image cannot be built.
        NodeError: The cluster does not start.
    """
    with engine() as source:
        loaded = images.build(source)
        target.up()
        images.load(target, source, loaded)
        # choose_target() would otherwise find the engine that was started for the images, and choose kind.
        environment = {**os.environ, "E2E_TARGET": target.name, **source.environment}
        environment |= {"E2E_TAG": images.TAG, "E2E_NEXT_TAG": images.NEXT_TAG}
        environment |= {"E2E_VALKEY_IMAGE": loaded[-2], "E2E_REDIS_IMAGE": loaded[-1]}
        # The tests of `make cluster` leave the network of the cluster, because people use it from outside.
        environment["E2E_OUTSIDE"] = f"/proc/{os.getpid()}/ns/net"
        yield environment
