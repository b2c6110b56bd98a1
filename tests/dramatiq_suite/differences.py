"""The tests of dramatiq that FinanceHub's broker does not pass, each with the reason. docs/dramatiq.md explains them.

If a test in `DIFFERENCES` passes, the run fails, so the list is complete and current.
"""

from collections.abc import Mapping

_INTERNALS = "reads an attribute of StubBroker that no other broker has"
_OWN_SERVER = "connects to a server on dramatiq's default port"
_UNDECLARED = "only StubBroker refuses queues that the process has not declared; RedisBroker accepts them, and so do we"
_LATE = "a run that is only late is skipped, not dead-lettered, and the age counts from the time at which it was due"
_MAINTENANCE = "the janitor of the schedulers does this, and no command to a queue triggers it"
_ACKS = "reads an attribute of RedisBroker's consumer; tests/integration/broker/test_fixes.py tests lost replies"

#: Tests of StubBroker or of a particular server rather than of a feature.
NOT_APPLICABLE: Mapping[str, str] = {
    "test_redis_broker_can_connect_via_url": _OWN_SERVER,
    "test_redis_broker_can_connect_via_client": _OWN_SERVER,
    "test_stub_broker_raises_queue_error_when_consuming_undeclared_queues": _UNDECLARED,
    "test_stub_broker_raises_queue_error_when_enqueueing_messages_on_undeclared_queues": _UNDECLARED,
    "test_stub_broker_raises_queue_error_when_joining_on_undeclared_queues": _UNDECLARED,
    "test_stub_broker_can_be_flushed": _INTERNALS,
    "test_stub_broker_respects_prefetch": _INTERNALS,
    "test_actors_can_be_sent_messages": _INTERNALS,
    "test_worker_handles_non_numeric_eta_and_logs_warning": _INTERNALS,
    "test_worker_handles_none_eta": _INTERNALS,
    "test_workers_process_messages_in_order": "expects messages within 5 ms, but Redis is polled",
    "test_messages_belonging_to_missing_actors_are_rejected": "expects the sent object itself in the dead letters",
    "test_pickle_encoder": "messages are plain JSON; a process with another encoder ends at its start",
}

#: Tests of features that differ on purpose.
DIFFERENCES: Mapping[str, str] = {
    "test_actors_can_be_assigned_message_age_limits": _LATE,
    "test_actor_messages_can_be_assigned_message_age_limits": _LATE,
    "test_age_limit_skipped_messages_store_consistent_exceptions": _LATE,
    "test_redis_unacked_messages_can_be_requeued": _MAINTENANCE,
    "test_redis_dead_lettered_messages_are_cleaned_up": _MAINTENANCE,
    "test_redis_consumer_ack_can_retry_on_connection_error": _ACKS,
    "test_redis_consumer_nack_can_retry_on_connection_error": _ACKS,
}
