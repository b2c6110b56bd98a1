"""The texts of warnings about legal but suspicious specs, which `kubectl apply` and the scheduler both print.

The words in braces are values of the spec.
"""

OVERLAP = (
    "spec.concurrencyPolicy: Allow, and a run may take {limit} s, longer than the time to the next run; slow runs pile "
    "up. Forbid skips them instead"
)
NO_DEADLINE = (
    "spec.startingDeadlineSeconds: is not set; after an outage, late runs fetch prices that the next run fetches anyway"
)
CATCH_UP = (
    "spec.catchUp: All under concurrencyPolicy {policy}: most of the runs that catch up overlap and are skipped or "
    "replaced; set concurrencyPolicy Allow or BufferAll to run all of them"
)
EITHER_DAY = (
    "spec.schedule: {line} is due on its days of the month and also on its weekdays; write dayMatch: All if both must "
    "match, or dayMatch: Any if this is intended"
)
#: The same for a line that `dayMatch: All` does not allow.
EITHER_DAY_ONLY = (
    "spec.schedule: {line} is due on its days of the month and also on its weekdays; write dayMatch: Any if this is "
    "intended, or * in one of the two fields"
)
NO_BOTH_DAYS = (
    "spec.dayMatch: All has no effect, because no line restricts both the day of month and the weekday; restrict both, "
    "or remove dayMatch"
)
LONG_STEP = (
    "spec.schedule: {line} has a step that is longer than its field, so only the first value of the field matches; for "
    "an interval, write @every, such as @every 90m"
)
SECONDS = (
    "spec.schedule: {line} runs more than once a minute on the queue {queue}, where it delays slow tasks; use the "
    "queue high or a queue of your own"
)
