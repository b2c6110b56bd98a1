"""Tests of the prelude of the scheduler's Lua scripts, run by a real Redis."""

import pytest
import redis

from financehub_scheduler.redis import lua_scripts
from financehub_shared.redis.lua import lua_key_function, lua_table
from financehub_shared.redis.schedule_record import LUA_SCHEDULE_RECORD, BackfillField, ScheduleField


@pytest.mark.parametrize("name", lua_scripts.KEY_FUNCTIONS)
def test_lua_key_function_builds_the_same_key_as_python(redis_client: "redis.Redis", name: str) -> None:
    """A script and the Python function build the same key from an id."""
    key = lua_scripts.KEY_FUNCTIONS[name]
    script = lua_key_function(name, key) + f"return {name}(ARGV[1])"
    assert redis_client.eval(script, 0, "an-id.%s") == key("an-id.%s").encode()


def test_lua_table_with_reserved_words_and_quotes_has_the_values(redis_client: "redis.Redis") -> None:
    """A table may have keys that are reserved words of Lua, and values with quotes."""
    script = lua_table("values", {"end": "it's", "path": "a\\b"}) + "return {values['end'], values.path}"
    assert redis_client.eval(script, 0) == [b"it's", b"a\\b"]


@pytest.mark.parametrize("field", [*ScheduleField, *BackfillField])
def test_lua_field_tables_have_the_names_of_python(redis_client: "redis.Redis", field: str) -> None:
    """Every hash field has the same name in Lua as in Python."""
    table = "schedule_field" if isinstance(field, ScheduleField) else "backfill_field"
    assert redis_client.eval(f"{LUA_SCHEDULE_RECORD} return {table}[ARGV[1]]", 0, field) == field.encode()


@pytest.mark.parametrize(
    ("fields", "registered"), [({}, False), ({"fingerprint": "deleted"}, False), ({"fingerprint": "f"}, True)]
)
def test_is_registered_of_a_tombstone_is_false(
    redis_client: "redis.Redis", fields: dict[str, str], registered: bool
) -> None:
    """A schedule is registered if its record has a fingerprint other than a tombstone's."""
    if fields:
        redis_client.hset("record", mapping=dict(fields))
    found = redis_client.eval(f"{LUA_SCHEDULE_RECORD} return is_registered(KEYS[1]) and 1 or 0", 1, "record")
    assert found == int(registered)
