"""Defaults of settings that other modules use too, which therefore need no settings library."""

#: Days for which intraday prices are kept.
HISTORY_DAYS = 7
#: A worker without a heartbeat for this long is dead. This is dramatiq's default.
HEARTBEAT_TIMEOUT_SECONDS = 60
#: Largest size of a message in bytes, without the history of its failures.
MESSAGE_BYTES = 65_536
#: Days for which the run records of finished runs are kept.
RUN_DAYS = 7

BREAKER_WINDOW_SECONDS = 600
BREAKER_MINIMUM_CALLS = 5
BREAKER_FAILURE_RATIO = 0.5
BREAKER_OPEN_SECONDS = 30
BREAKER_OPEN_MAX_SECONDS = 600
BREAKER_PROBE_SECONDS = 30
BREAKER_SLOW_SECONDS = 20
