"""Loads the scheduler's Lua scripts, each prefixed with a prelude that defines all key and hash field names."""

from importlib.resources import files

from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.lua import lua_key_function, lua_table
from financehub_shared.redis.run_record import LUA_RUN_RECORD
from financehub_shared.redis.schedule_record import DEACTIVATED, DELETED, LUA_SCHEDULE_RECORD

#: Lua function name → the Python function that builds the same key from an id.
KEY_FUNCTIONS = {
    "run_key": keys.run,
    "schedule_key": keys.schedule,
    "recent_runs_key": keys.schedule_recent,
    "backlog_key": keys.schedule_backlog,
    "buffered_key": keys.schedule_buffered,
    "schedule_backfills_key": keys.schedule_backfills,
    "backfill_key": keys.backfill,
    "queue_key": queue_keys.ready,
    "messages_key": queue_keys.messages,
}
#: Fields of the Lua table `keys`.
_KEYS = {
    "schedules": keys.SCHEDULES,
    "names": keys.SCHEDULE_NAMES,
    "high_water_marks": keys.HIGH_WATER_MARKS,
    "buffered": keys.SCHEDULES_BUFFERED,
    "next_runs": keys.SCHEDULE_NEXT_RUNS,
    "triggers": keys.SCHEDULE_TRIGGERS,
    "changed": keys.SCHEDULES_CHANGED,
    "failing": keys.SCHEDULES_FAILING,
    "paused": keys.SCHEDULES_PAUSED,
    "schedulers": keys.SCHEDULERS,
}
_PRELUDE = (
    lua_table("keys", _KEYS)
    + "".join(lua_key_function(name, key) for name, key in KEY_FUNCTIONS.items())
    + LUA_SCHEDULE_RECORD
    + LUA_RUN_RECORD
    + lua_table("fingerprints", {"deleted": DELETED, "deactivated": DEACTIVATED})
)


#: Scripts that consist of several files, one per concern. Each file uses what the earlier ones define.
_PARTS = {
    "enqueue": ("enqueue", *(f"enqueue_{part}" for part in ("queues", "admission", "kinds", "marks", "batch"))),
}


def load_script(name: str) -> bytes:
    """Return the source of a script: the prelude, what all scripts share, and `lua/<name>.lua` with its parts.

    Args:
        name: Name of the script.
    """
    lua = files(__package__).joinpath("lua")
    parts = ("times", "buffer", *_PARTS.get(name, (name,)))
    return _PRELUDE.encode() + b"".join(lua.joinpath(f"{part}.lua").read_bytes() for part in parts)
