"""Tests that the run record's field names have one owner."""

from pathlib import Path

import pytest

from financehub_shared.monitor.record_scripts import DECLARE_LOST, RECORD
from financehub_shared.redis.run_record import LUA_RUN_RECORD, RunField
from financehub_shared.redis.schedule_record import LUA_SCHEDULE_RECORD

_LUA = Path(__file__).parents[4] / "services/scheduler/src/financehub_scheduler/redis/lua"
_SCRIPTS = {
    "record": RECORD.replace(LUA_RUN_RECORD, "").replace(LUA_SCHEDULE_RECORD, ""),
    "declare lost": DECLARE_LOST.replace(LUA_RUN_RECORD, "").replace(LUA_SCHEDULE_RECORD, ""),
    **{path.stem: path.read_text(encoding="utf-8") for path in sorted(_LUA.glob("*.lua"))},
}
#: These are also fields of the schedule record or of the task statistics, so scripts may contain their names.
_OTHER_RECORDS = {RunField.TASK, RunField.QUEUE, RunField.SCHEDULE}


@pytest.mark.parametrize("script", list(_SCRIPTS))
def test_lua_script_takes_run_fields_from_their_owner(script: str) -> None:
    """No script of the product contains a literal field name of the run record."""
    spelled_out = [field for field in RunField if f"'{field}'" in _SCRIPTS[script] and field not in _OTHER_RECORDS]
    assert spelled_out == []


def test_lua_prelude_defines_every_run_field() -> None:
    """The scripts' prelude defines every field. An undefined name would be nil, and Redis would refuse the command."""
    assert all(f"['{field}'] = '{field}'" in LUA_RUN_RECORD for field in RunField)
