"""The helpers that dramatiq's tests import from their own package; the source distribution does not contain them.

The runner copies this file next to those tests as their `common.py`.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import Worker

#: Only tests of RabbitMQ use it, and the runner does not select their module.
RABBITMQ_CREDENTIALS = None

skip_on_windows = pytest.mark.skipif(platform.system() == "Windows", reason="FinanceHub does not run on Windows")
skip_on_pypy = pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="FinanceHub runs on CPython")


@contextmanager
def worker(*args: Any, **kwargs: Any) -> Iterator[Worker]:
    """Run a worker in threads of this process."""
    running = Worker(*args, **kwargs)
    running.start()
    try:
        yield running
    finally:
        running.stop()
