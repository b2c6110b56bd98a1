"""The run record: the field names of the hash `keys.run(message_id)`.

The scheduler writes the record of an enqueued run and the workers write its attempts. The overlap check, the CLI and
the status writer read it. All of them take the field names from here. `monitor.run_records` parses the hash.
"""

from enum import StrEnum

from financehub_shared.redis.lua import lua_field_names


class RunField(StrEnum):
    """Fields of the hash `keys.run(message_id)`."""

    STATE = "state"
    TASK = "task"
    QUEUE = "queue"
    SCHEDULE = "schedule"
    SCHEDULE_UID = "schedule_uid"
    DUE_AT = "due_at"
    ENQUEUED_AT = "enqueued_at"
    CORRELATION_ID = "correlation_id"
    #: JSON, see `monitor.run_arguments`.
    ARGUMENTS = "arguments"
    # About the newest attempt.
    REDIS_ID = "redis_id"
    ATTEMPT = "attempt"
    WORKER = "worker"
    STARTED_AT = "started_at"
    FINISHED_AT = "finished_at"
    DURATION = "duration"
    ERROR = "error"
    SUMMARY = "summary"
    #: Ids of the last attempts whose end is recorded, one per line. The worker follows the id of an attempt that its
    #: shutdown interrupted.
    DONE = "done"


#: Lua table of the field names.
LUA_RUN_RECORD = lua_field_names("run_field", RunField)
