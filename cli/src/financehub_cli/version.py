"""The version of the command line."""

from importlib.metadata import version


def version_line() -> str:
    """Return the line that `financehub --version` prints."""
    return f"financehub {version('financehub-cli')}"
