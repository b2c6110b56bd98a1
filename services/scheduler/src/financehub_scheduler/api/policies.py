"""What a schedule does when its last run is not over."""

from enum import StrEnum


class ConcurrencyPolicy(StrEnum):
    """`spec.concurrencyPolicy`; a run counts as not over while it is queued, running or waiting for a retry."""

    ALLOW = "Allow"
    FORBID = "Forbid"  # skip the new run
    REPLACE = "Replace"  # drop the old run if it is still queued; a running one is left to end
    BUFFER_ONE = "BufferOne"  # let one run wait, skip the others
