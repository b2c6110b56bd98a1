"""Names of the message options that FinanceHub adds to dramatiq's: the contract on the wire.

All are optional, so that a plain dramatiq can enqueue to these queues and be served.
Dramatiq's own that are used as they are: `max_retries`, `time_limit` (ms), `max_age` (ms), `retries`, `eta` (ms).
"""

#: `namespace/name` (or file name) of the schedule that enqueued the message.
SCHEDULE = "schedule"
#: Stable uid of that schedule; key of its Redis records.
SCHEDULE_UID = "schedule_uid"
#: When the run was due, Unix milliseconds.
DUE_AT = "due_at"
#: When the message became ready to run (enqueue time + delay), Unix milliseconds.
READY_AT = "ready_at"
#: Ties the log lines of one run together, over retries and services.
CORRELATION_ID = "correlation_id"
#: Set on a message that went to the delay queue. The broker later moves it to its own queue by an enqueue without a
#: delay, which is no new run: `is_move` tells.
DELAYED = "delayed"
#: List of what failed so far, oldest first: `{"at": ms, "exception": name, "error": text}`.
FAILURES = "failures"
#: Why and when the message was given up; set before `after_nack`: see `dead_letter.DeadLetter`.
DEAD_LETTER = "dead_letter"
