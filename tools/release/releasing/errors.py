"""The error of every module of this package."""


class ReleaseError(Exception):
    """A release cannot be built as it is. The message says what was read, what is wrong, and what to do."""
