"""Pauses of schedules: one entry of a Redis hash each, which people and other programs can change.

A schedule is paused exactly if it has an entry, even a damaged one, because a run that somebody wanted to prevent must
not start. The scheduler's script that enqueues runs looks for the entry itself (`enqueue.lua`). ADR 0079 has the
reasons.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import redis

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.text import one_line
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import repaired
from financehub_shared.redis.lua import lua_key_function
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import LUA_SCHEDULE_RECORD
from financehub_shared.redis.text import LATEST_TIME, decode

#: Largest number of characters of a reason: one sentence, which fits into a row of a table.
REASON_CHARACTERS = 200
#: Largest number of characters of the name of a user. Longer names are truncated.
_USER_CHARACTERS = 200
#: Largest entry that is parsed. Ours have at most 2.5 kB, with every character escaped.
_ENTRY_BYTES = 10_000

#: Adds the entries of schedules that have none. KEYS: paused schedules, buffered runs, then the record of each
#: schedule. ARGV: the new entry, then the uid of each schedule. Returns [the uids that are no longer registered, the
#: uids that are now paused]. It changes nothing if any schedule is no longer registered. It drops the buffered runs of
#: a paused schedule, as suspending one does.
_PAUSE = (
    LUA_SCHEDULE_RECORD
    + lua_key_function("buffered_key", keys.schedule_buffered)
    + """
local gone, paused = {}, {}
redis.call('HLEN', KEYS[1])
redis.call('HLEN', KEYS[2])
for i = 3, #KEYS do
  if not is_registered(KEYS[i]) then gone[#gone + 1] = ARGV[i - 1] end
end
if #gone > 0 then return {gone, paused} end
for i = 2, #ARGV do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[1]) == 1 then
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('DEL', buffered_key(ARGV[i]))
    paused[#paused + 1] = ARGV[i]
  end
end
return {gone, paused}
"""
)
#: Deletes the entries of schedules. KEYS: paused schedules, failures in a row, then the record of each schedule. ARGV:
#: the uid of each. Returns the uids that were paused. Their due times until now are not caught up, and their failures
#: in a row do not count any more, as after a change of the spec.
_RESUME = (
    LUA_SCHEDULE_RECORD
    + """
local time, resumed, registered = redis.call('TIME'), {}, {}
redis.call('HLEN', KEYS[1])
redis.call('HLEN', KEYS[2])
for i, uid in ipairs(ARGV) do registered[i] = is_registered(KEYS[i + 2]) end
for i, uid in ipairs(ARGV) do
  if redis.call('HDEL', KEYS[1], uid) == 1 then
    redis.call('HDEL', KEYS[2], uid)
    if registered[i] then
      redis.call('HSET', KEYS[i + 2], schedule_field.changed_at, string.format('%.3f', time[1] + time[2] / 1000000))
    end
    resumed[#resumed + 1] = uid
  end
end
return resumed
"""
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a schedule is paused.

    Args:
        by: Name of the user; empty if the entry is damaged.
        reason: The user's reason, on one line; empty if the entry is damaged.
        at: Time in Unix seconds; None if the entry is damaged.
        problem: What is wrong with the entry and what to do; empty if nothing is.
        failures: Number of runs in a row that failed, if FinanceHub paused the schedule because of them
            (`spec.pauseAfterFailures`); 0 if a user did.
    """

    by: str = ""
    reason: str = ""
    at: float | None = None
    problem: str = ""
    failures: int = 0

    def __str__(self) -> str:
        if self.failures and not self.problem:
            return f"paused after failures: {self.reason}"
        return self.problem or f"paused by {self.by}: {self.reason}"

    def to_json(self) -> str:
        """Return the entry as it is stored."""
        failures = {"failures": self.failures} if self.failures else {}
        return json.dumps({"by": self.by, "reason": self.reason, "at": self.at} | failures)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Parse an entry. A damaged one is a pause with a problem, and never an error."""
        try:
            return cls._parse(raw)
        except DAMAGED as error:
            why = one_line(str(error))[:_USER_CHARACTERS]
            remedy = "resume the schedule, and pause it again"
            return cls(problem=f"it is paused, but its entry in {keys.SCHEDULES_PAUSED} is damaged ({why}); {remedy}")

    @classmethod
    def _parse(cls, raw: bytes) -> Self:
        if len(raw) > _ENTRY_BYTES:
            raise ValueError(f"it has more than {_ENTRY_BYTES:,} bytes")
        fields = json.loads(raw)
        if not isinstance(fields, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 — the type of a value, and not of an argument
        by, reason, at = (fields.get(name) for name in ("by", "reason", "at"))
        if not isinstance(by, str) or not 0 < len(by) <= _USER_CHARACTERS:
            raise ValueError(f"by is not a text of 1 to {_USER_CHARACTERS} characters")
        if not isinstance(reason, str) or not 0 < len(reason) <= REASON_CHARACTERS:
            raise ValueError(f"reason is not a text of 1 to {REASON_CHARACTERS} characters")
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= LATEST_TIME:
            raise ValueError("at is not a time in Unix seconds")
        failures = fields.get("failures", 0)
        if isinstance(failures, bool) or not isinstance(failures, int) or failures < 0:
            raise ValueError("failures is not a number of runs")
        # escapes make a text longer, and the entry must be readable after it is written again
        by, reason = one_line(by)[:_USER_CHARACTERS], one_line(reason)[:REASON_CHARACTERS]
        return cls(by, reason, float(at), failures=failures)


def new_pause(by: str, reason: str, at: float) -> Pause:
    """Return a pause whose texts are on one line each.

    Args:
        by: Name of the user.
        reason: The user's reason.
        at: The current time in Unix seconds.

    Raises:
        InvalidArgumentsError: The reason is empty or too long.
    """
    return Pause(one_line(by)[:_USER_CHARACTERS] or "unknown", check_reason(reason), at)


def check_reason(reason: str) -> str:
    """Return the reason of a pause on one line.

    Args:
        reason: The user's reason.

    Raises:
        InvalidArgumentsError: The reason is empty or too long.
    """
    line = one_line(reason)
    if not line:
        raise InvalidArgumentsError("pause", "reason", "say why, so that others know when the schedule may be resumed")
    if len(line) > REASON_CHARACTERS:
        problem = f"it has {len(line):,} characters; write at most {REASON_CHARACTERS}"
        raise InvalidArgumentsError("pause", "reason", problem)
    return line


def add_pauses(client: "redis.Redis", uids: Sequence[str], pause: Pause) -> tuple[list[str], list[str]]:
    """Pause the schedules that are not paused yet, all in one step. From then on, no due run of them is enqueued.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        uids: Uids of the schedules.
        pause: Who pauses them, why and when.

    Returns:
        The uids that are no longer registered, and the uids that are now paused. If the first list is not empty,
        nothing was changed.
    """
    names = [keys.SCHEDULES_PAUSED, keys.SCHEDULES_BUFFERED, *map(keys.schedule, uids)]
    values = [*names, pause.to_json(), *uids]
    gone, paused = repaired(client, lambda: schedule_types(uids), lambda: client.eval(_PAUSE, len(names), *values))
    return [decode(uid) for uid in gone], [decode(uid) for uid in paused]


def remove_pauses(client: "redis.Redis", uids: Sequence[str]) -> list[str]:
    """Resume the schedules that are paused, all in one step, and return their uids. Nothing is caught up.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        uids: Uids of the schedules.
    """
    names = [keys.SCHEDULES_PAUSED, keys.SCHEDULES_FAILING, *map(keys.schedule, uids)]
    values = [*names, *uids]
    resumed = repaired(client, lambda: schedule_types(uids), lambda: client.eval(_RESUME, len(names), *values))
    return [decode(uid) for uid in resumed]
