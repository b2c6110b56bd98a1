"""The addresses that the clients of this process connect to, and when an address has to be looked up again.

An address is a name: a host name, a Kubernetes Service, a Unix socket or a name that Sentinels resolve. The server
behind it changes when another server becomes the master. A connection that learns this tells the address, and every
other connection of the process to the same address is then reopened before its next command. This includes clients that
only read, which would otherwise read old data from the former master forever, because a replica answers reads.
"""

import threading

from financehub_shared.core.redis_url import RedisUrl


class Address:
    """One address. All methods are thread-safe.

    Args:
        place: The address for messages.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._lookups = 0

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


_addresses: dict[tuple[object, ...], Address] = {}
_lock = threading.Lock()


def address_of(url: RedisUrl) -> Address:
    """Return the address of a URL, which all clients of the process share whatever their users and databases are."""
    with _lock:
        return _addresses.setdefault((url.hosts, url.path, url.service), Address(url.place))
