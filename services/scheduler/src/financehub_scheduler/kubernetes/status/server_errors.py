"""Tells a resource that the API server cannot process from an API server that fails.

The API server answers both with HTTP 500: a stored object that does not fit the schema of the CRD ("failed to create
typed live object"), and an etcd that does not answer. Only the text differs, and it is not part of the API. What counts
is therefore which resources fail: an API server that fails does so for all of them.
"""

from financehub_shared.core.clock import Clock

#: If this number of resources fail for the first time in a row, the API server itself fails.
RESOURCES_OF_AN_OUTAGE = 3
#: Pause for a resource after its first and after each further failure. It costs a request a minute until somebody
#: corrects the stored object.
FIRST_PAUSE_SECONDS = 5.0
PAUSE_SECONDS = 60.0
#: A resource whose time passed this long ago without another attempt no longer exists.
_FORGET_SECONDS = 3_600.0


class ServerErrors:
    """The resources whose last status was answered with HTTP 500.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Uid → monotonic time at which it may be tried again.
        self._retry_at: dict[str, float] = {}
        #: Uids that have failed for the first time since the last success of any resource.
        self._in_a_row: set[str] = set()

    def is_known(self, uid: str) -> bool:
        """Whether the last status of this resource failed."""
        return uid in self._retry_at

    def failed(self, uid: str) -> float | None:
        """Record a failure.

        Args:
            uid: Uid of the resource.

        Returns:
            Monotonic time in seconds at which to try this resource again, or None if the API server itself fails.
        """
        now = self._clock.monotonic()
        self._retry_at = {each: at for each, at in self._retry_at.items() if now < at + _FORGET_SECONDS}
        failed_before = self.is_known(uid)
        if not failed_before:
            self._in_a_row.add(uid)
        self._retry_at[uid] = now + (PAUSE_SECONDS if failed_before else FIRST_PAUSE_SECONDS)
        is_outage = not failed_before and len(self._in_a_row) >= RESOURCES_OF_AN_OUTAGE
        return None if is_outage else self._retry_at[uid]

    def succeeded(self, uid: str) -> None:
        """Record that a status was written."""
        self._in_a_row.clear()
        self._retry_at.pop(uid, None)
