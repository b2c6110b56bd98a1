"""Names of the message options that FinanceHub adds to dramatiq's. They are part of the wire format.

All of them are optional, so messages that plain dramatiq enqueues to these queues run too. Dramatiq's own options keep
their meaning: `max_retries`, `time_limit` (ms), `max_age` (ms), `retries`, `eta` (ms).
"""

#: `namespace/name` (or file name) of the schedule that enqueued the message.
SCHEDULE = "schedule"
#: Stable uid of that schedule, which is part of its Redis keys.
SCHEDULE_UID = "schedule_uid"
#: Due time of the run, in Unix milliseconds.
DUE_AT = "due_at"
#: Time at which the message became ready to run (enqueue time plus delay), in Unix milliseconds.
READY_AT = "ready_at"
#: Id that a run's log lines share, across retries and services.
CORRELATION_ID = "correlation_id"
#: Set on a message that went to the delay queue. The broker later moves it to its own queue by enqueueing it without a
#: delay. That is not a new run, and `is_move` recognizes it.
DELAYED = "delayed"
#: Set on a callback that carries the message that it follows, which the door allows to be larger than other messages.
CALLBACK = "callback"
#: List of the failures so far, oldest first: `{"at": ms, "exception": name, "error": text}`.
FAILURES = "failures"
#: Reason and time of the death; set before `after_nack`. See `dead_letter.DeadLetter`.
DEAD_LETTER = "dead_letter"
