"""Whether a replica has what its master has confirmed.

`master_link_status` of a replica does not say so. The link is up from the end of the synchronization, but the master
may begin to send its writes only after the first acknowledgment of the replica, up to a second later. A master that is
killed meanwhile takes its writes of this second with it.
"""

import re
from typing import Any

import redis

from support.waiting import eventually

#: Longest time in milliseconds for which a master that replicates executes no writes.
_PAUSE_MS = 60_000
#: Longest time in milliseconds for which a master waits for the acknowledgments that it asks for.
_WAIT_MS = 500
_ENTRY = re.compile(r"slave\d+")


def gets_every_write(master: "redis.Redis", host: str, port: int) -> bool:
    """Whether a replica has every write of its master until now, and gets each further one as it happens.

    Args:
        master: Client of the master.
        host: Address of the replica.
        port: Port of the replica.
    """
    # A write that changes no key. The acknowledgment of its offset proves that the master sends its writes.
    master.publish("test:replication", "")
    offset = _offset(master)
    master.wait(int(_info(master)["connected_slaves"]), _WAIT_MS)  # asks every replica for its offset
    return any((entry["ip"], int(entry["port"])) == (host, port) for entry in _with_writes_until(master, offset))


def replicate(master: "redis.Redis") -> None:
    """Execute no more writes, and wait until a replica has every confirmed one and commands of clients wait."""
    master.client_pause(_PAUSE_MS, all=False)
    eventually(lambda: _with_writes_until(master, _offset(master)), "a replica has every write")
    eventually(lambda: master.info("clients")["blocked_clients"], "commands of clients wait")


def _offset(master: "redis.Redis") -> int:
    return int(_info(master)["master_repl_offset"])


def _with_writes_until(master: "redis.Redis", offset: int) -> list[dict[str, Any]]:
    """Return the entries of the replicas that have acknowledged an offset.

    A master counts its writes from its first replica on. Until then its offset is 0, which is also what INFO shows for
    a replica that has not acknowledged anything.
    """
    if not offset:
        return []
    entries = [value for name, value in _info(master).items() if _ENTRY.fullmatch(name)]
    return [entry for entry in entries if entry["state"] == "online" and int(entry["offset"]) >= offset]


def _info(client: "redis.Redis") -> dict[str, Any]:
    found: Any = client.info("replication")
    return dict(found)
