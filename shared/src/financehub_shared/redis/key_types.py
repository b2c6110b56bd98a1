"""Keys of another type: another program, or a mistake in `redis-cli`, replaced a key of ours.

A reader skips such a key and reports it with a `WrongKeyLog`. A writer that cannot work without the key sets it aside:
it renames it, so that nothing is lost, and writes again. ADR 0072 gives the reasons.
"""

import shlex
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import redis

from financehub_shared.core.durations import HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.core.left_out import note_left_out
from financehub_shared.core.log import get_logger
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.text import decode, escaped_text

log = get_logger(__name__)

#: Key → its type in Redis, as the command TYPE names it.
KeyTypes = Mapping[str, str]

#: Prefix of the names of keys that were set aside.
ASIDE = "financehub:set-aside:"
#: Set of the names of the keys that were set aside, so that they can be counted.
ASIDE_NAMES = "financehub:set-aside"
#: Values of one key that are kept. A program that writes a wrong key again and again must not fill Redis, so further
#: values replace the last one.
ASIDE_KEPT = 10
#: Renames the keys that have another type. KEYS: the keys. ARGV: their types. Returns each renamed key and its name.
#: One step finds and renames a key: another process may have set it aside and written it again in the meantime, and
#: that new value must stay. An earlier value that was set aside stays too.
_SET_ASIDE = f"""
local moved = {{}}
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= ARGV[i] then
    local name, number = '{ASIDE}' .. key, 1
    while number < {ASIDE_KEPT} and redis.call('EXISTS', name) == 1 do
      number = number + 1
      name = '{ASIDE}' .. key .. ':' .. number
    end
    redis.call('RENAME', key, name)
    redis.pcall('SADD', '{ASIDE_NAMES}', name)
    table.insert(moved, key)
    table.insert(moved, name)
  end
end
return moved
"""
#: Returns the number of keys that were set aside and still exist. KEYS: the set of their names.
COUNT_ASIDE = """
local names, count = redis.pcall('SMEMBERS', KEYS[1]), 0
if names.err then return 0 end
for _, name in ipairs(names) do
  if redis.call('EXISTS', name) == 1 then count = count + 1 else redis.call('SREM', KEYS[1], name) end
end
return count
"""
#: Length of a name that log lines show as a whole. Our own keys consist of a prefix and a name of up to 512 characters.
_SHOWN_CHARACTERS = 600
#: Number of keys that are remembered as reported.
_REMEMBERED = 10_000


def wrong_keys(client: "redis.Redis", types: KeyTypes) -> list[str]:
    """Return the keys that exist with another type."""
    pipeline = client.pipeline(transaction=False)
    for key in types:
        pipeline.type(key)
    found: Any = pipeline.execute() if types else []
    return [
        key for (key, type_), reply in zip(types.items(), found, strict=True) if reply.decode() not in {type_, "none"}
    ]


def set_aside_wrong_keys(client: "redis.Redis", types: KeyTypes) -> bool:
    """Rename the keys that exist with another type, and return whether there were any.

    Args:
        client: Client of the Redis that has the keys.
        types: The keys and their types.
    """
    return _log_set_aside(types, client.eval(_SET_ASIDE, len(types), *types, *types.values()) if types else [])


async def aset_aside_wrong_keys(client: "redis.asyncio.Redis", types: KeyTypes) -> bool:
    """Do the same as `set_aside_wrong_keys` without blocking the event loop."""
    if not types:
        return False
    reply: Any = client.eval(_SET_ASIDE, len(types), *types, *types.values())
    return _log_set_aside(types, await reply)


def repaired(client: "redis.Redis", types: Callable[[], KeyTypes], call: Callable[[], Any]) -> Any:
    """Call a function that writes. If a key has another type, set the key aside and call it again.

    Args:
        client: Client of the Redis that has the keys.
        types: Returns the keys that the function uses.
        call: The function. A script must check the types of its keys before its first write, because Redis does not
            undo the writes of a script that fails.
    """
    try:
        return call()
    except redis.ResponseError as error:
        if not is_wrong_type(error):
            raise
        set_aside_wrong_keys(client, types())  # unless another process was faster
        return call()


async def arepaired(
    client: "redis.asyncio.Redis", types: Callable[[], KeyTypes], call: Callable[[], Awaitable[Any]]
) -> Any:
    """Do the same as `repaired` without blocking the event loop."""
    try:
        return await call()
    except redis.ResponseError as error:
        if not is_wrong_type(error):
            raise
        await aset_aside_wrong_keys(client, types())
        return await call()


def _log_set_aside(types: KeyTypes, moved: Any) -> bool:
    """Log the reply of `_SET_ASIDE`, and return whether it is not empty."""
    for key, name in zip(map(decode, moved[::2]), map(decode, moved[1::2]), strict=True):
        if not _set_aside.add(key):
            continue
        log.error(
            "key_set_aside",
            key=key,
            reason=f"it is not a {types[key]}, so another program wrote it",
            moved_to=name,
            remedy=f"find the program that writes the key, then delete this one: {delete_command(name)}",
        )
    return bool(moved)


def delete_command(key: str) -> str:
    """Return the command that deletes a key, for people who copy it from a log line into a shell.

    Any program may have chosen the name, so it is quoted, or left out if a shell or the log cannot show it.

    Args:
        key: The key. Bytes that are not UTF-8 may be replaced by U+FFFD.
    """
    if len(key) <= _SHOWN_CHARACTERS and key.isprintable() and "\N{REPLACEMENT CHARACTER}" not in key:
        return f"redis-cli DEL {shlex.quote(key)}"
    return "DEL NAME in an interactive redis-cli, with NAME from `redis-cli --no-raw --scan`"


class RecentNames:
    """The names that were logged in the last seconds. It is thread-safe, and its size is bounded.

    Args:
        seconds: Time for which a name is remembered.
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: Name → time at which it was added, oldest first.
        self._names: dict[str, float] = {}

    def add(self, name: str) -> bool:
        """Remember a name, and return whether that is news. If there are too many, none is remembered or news."""
        with self._lock:
            now = self._monotonic()
            while self._names and now - self._names[oldest := next(iter(self._names))] >= self._seconds:
                del self._names[oldest]
            if name in self._names or self.is_full:
                return False
            self._names[name] = now
            return True

    @property
    def is_full(self) -> bool:
        """Whether there are too many names."""
        return len(self._names) >= _REMEMBERED


#: The keys that were set aside in the last minute. A program may write a wrong key again as often as we read it.
_set_aside = RecentNames(MINUTE_SECONDS)


class WrongKeyLog:
    """Logs each key that is left out once an hour, because most keys are read every few seconds.

    If there are too many keys, one line an hour says so, and further keys are not logged.

    Args:
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._logged = RecentNames(HOUR_SECONDS, monotonic)
        self._floods = RecentNames(HOUR_SECONDS, monotonic)

    def __call__(self, key: str | bytes, reason: str, *, remedy: str = "") -> None:
        """Report a key.

        Args:
            key: The key; for an entry of a key, the key, a space and the entry.
            reason: Why it is left out.
            remedy: What to do. By default, to delete the key.
        """
        name = escaped_text(key) if isinstance(key, bytes) else key
        shown = name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"
        note_left_out(f"{shown}: {reason}")
        if not self._logged.add(name):
            if self._logged.is_full and self._floods.add(""):
                text = f"more than {_REMEMBERED:,} keys in an hour are left out; further ones are not logged"
                log.error("keys_ignored", reason=text, remedy="find the program that writes these keys, and stop it")
            return
        log.warning("key_ignored", key=shown, reason=reason, remedy=remedy or delete_command(name))


#: The process's log of keys that are left out. Readers share it, so that each key is logged once per process.
report_wrong_key = WrongKeyLog()


def readable(keys: Iterable[str], replies: Iterable[Any], empty: Any) -> list[Any]:
    """Return the replies of a pipeline that was executed without raising errors, with `empty` for keys of another type.

    Args:
        keys: The key of each command.
        replies: The replies.
        empty: The reply for a key that does not exist.

    Raises:
        redis.RedisError: Redis refused a command for another reason.
    """
    values = []
    for key, reply in zip(keys, replies, strict=True):
        if is_wrong_type(reply):
            report_wrong_key(key, "it has another type than this key of FinanceHub, so another program wrote it")
            values.append(empty)
        elif isinstance(reply, Exception):
            raise reply
        else:
            values.append(reply)
    return values
