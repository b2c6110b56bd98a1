"""The release of FinanceHub to which the code of this process belongs."""

from functools import cache
from importlib.metadata import version


@cache
def release_version() -> str:
    """Return the release, such as `1.2.3`."""
    return version("financehub-shared")
