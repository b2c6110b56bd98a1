"""The metric catalogue as a scrape shows it, and what of a scrape has moved."""

from prometheus_client.parser import text_string_to_metric_families

#: name as scraped → (type, labels)
CATALOGUE = {
    "financehub_message_wait_seconds": ("histogram", {"queue", "actor"}),
    "financehub_message_duration_seconds": ("histogram", {"queue", "actor", "outcome"}),
    "financehub_messages": ("counter", {"queue", "actor", "outcome"}),
    "financehub_message_failures": ("counter", {"actor", "exception"}),
    "financehub_messages_enqueued": ("counter", {"queue", "actor"}),
    "financehub_message_retries": ("counter", {"queue", "actor"}),
    "financehub_messages_dead_lettered": ("counter", {"queue", "actor", "reason"}),
    "financehub_worker_slots": ("gauge", {"queue"}),
    "financehub_worker_slots_busy": ("gauge", {"queue"}),
    "financehub_longest_running_message_seconds": ("gauge", {"actor"}),
    "financehub_worker_draining": ("gauge", set()),
    "financehub_queue_messages": ("gauge", {"queue", "state"}),
    "financehub_queue_oldest_message_age_seconds": ("gauge", {"queue"}),
    "financehub_queue_orphaned_messages": ("gauge", {"queue"}),
    "financehub_queue_reclaimed": ("counter", {"queue"}),
    "financehub_schedule_lag_seconds": ("histogram", {"scheduledtask"}),
    "financehub_schedule_missed": ("counter", {"scheduledtask"}),
    "financehub_schedule_skipped": ("counter", {"scheduledtask"}),
    "financehub_schedule_next_run_timestamp_seconds": ("gauge", {"scheduledtask"}),
    "financehub_data_last_success_timestamp_seconds": ("gauge", {"provider", "dataset"}),
    "financehub_provider_requests": ("counter", {"provider", "outcome"}),
    "financehub_provider_request_duration_seconds": ("histogram", {"provider", "outcome"}),
    "financehub_circuit_breaker_state": ("gauge", {"provider", "state"}),
    "financehub_circuit_breaker_transitions": ("counter", {"provider", "state"}),
    "financehub_build_info": ("gauge", {"version", "tier"}),
}


def moved(scrape: str) -> set[str]:
    """Names of the metrics with a sample above 0; of a histogram its count decides."""
    return {
        family.name
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
        if sample.value > 0 and (family.type != "histogram" or sample.name.endswith("_count"))
    }
