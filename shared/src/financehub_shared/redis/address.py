"""The addresses that the clients of this process connect to, and when an address has to be looked up again.

An address is a name: a host name, a Kubernetes Service, a Unix socket or a name that Sentinels resolve. The server
behind it changes when another server becomes the master. A connection that learns this tells the address, and every
other connection of the process to the same address is then reopened before its next command. This includes clients that
only read, which would otherwise read old data from the former master forever, because a replica answers reads.
"""

import threading
import time

from financehub_shared.core.redis_url import RedisUrl

#: Seconds between two questions to the Sentinels. If they promote a replica while the old master works, the writes
#: that it accepts until its clients notice are lost.
ASK_SECONDS = 1.0


class Address:
    """One address. All methods are thread-safe.

    Args:
        place: The address for messages.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._lookups = 0
        self._ask_at = 0.0

    @property
    def lookups(self) -> int:
        """Number of times that the address had to be looked up again. A connection with another number is outdated."""
        return self._lookups

    def look_up_again(self, lookups: int) -> None:
        """Report that the server behind the address is not the master.

        Args:
            lookups: The number when the reporting connection was opened. The report of an outdated connection is not
                news and has no effect.
        """
        with self._lock:
            if self._lookups == lookups:
                self._lookups += 1

    def needs_question(self) -> bool:
        """Whether a connection has to ask the Sentinels for the master, which it then does for the whole process."""
        if time.monotonic() < self._ask_at:
            return False
        with self._lock:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            self._ask_at = now + ASK_SECONDS
            return True


_addresses: dict[tuple[object, ...], Address] = {}
_lock = threading.Lock()


def address_of(url: RedisUrl) -> Address:
    """Return the address of a URL, which all clients of the process share whatever their users and databases are."""
    with _lock:
        return _addresses.setdefault((url.hosts, url.path, url.service), Address(url.place))
