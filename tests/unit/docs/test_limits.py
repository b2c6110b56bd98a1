"""Tests that docs/limits.md states the limits of the code, and that each limit is hit by a test."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from financehub_scheduler.catch_up import MAX_CATCH_UP
from financehub_scheduler.core.reporter import MAX_LABELS
from financehub_scheduler.kubernetes.watch.resource import MAX_PROBLEM_CHARACTERS
from financehub_scheduler.link.reports import MAX_EVENTS
from financehub_scheduler.redis.members import MAX_MEMBERS
from financehub_scheduler.sources.file_content import MAX_REFUSED
from financehub_shared.broker.consumer import HELD_BYTES
from financehub_shared.broker.dead_letter_queue import MOST_SEARCHED as MOST_LETTERS_SEARCHED
from financehub_shared.broker.door import MAX_READ_BYTES
from financehub_shared.broker.redis_broker import MAX_ENTRY_BYTES
from financehub_shared.core.settings import Settings, variables
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.health.connection import READ_SECONDS
from financehub_shared.health.connection_loop import MAX_ASKING, MAX_IDLE
from financehub_shared.health.http_messages import MAX_HEAD_BYTES
from financehub_shared.health.lane import MAX_WAITING
from financehub_shared.market.assets_file import MAX_ASSETS, MAX_FILE_BYTES
from financehub_shared.market.protocols import QUARANTINE_LIMIT
from financehub_shared.metrics.label_limit import MAX_VALUES
from financehub_shared.monitor.record_writer import RUNS_KEPT
from financehub_shared.monitor.run_arguments import MAX_ARGUMENT_BYTES
from financehub_shared.monitor.run_listing import MOST_SEARCHED
from financehub_shared.operations.schedules import MAX_SCHEDULES
from financehub_shared.providers.rss.provider import FEED_BYTES_MAX
from financehub_shared.recurrence.search import MAX_STEPS
from financehub_shared.schedules.pauses import REASON_CHARACTERS
from financehub_shared.schedules.requests import (
    BACKFILL_QUEUE_DEPTH,
    MAX_BACKFILL_RUNS,
    MAX_BACKFILLS,
    MAX_TRIGGERS,
)
from financehub_shared.spec.documents import MAX_MISTAKES
from financehub_shared.spec.entries import MAX_BYTES
from financehub_shared.spec.nodes import MAX_DEPTH, MAX_NODES
from financehub_shared.spec.scheduled_task import MAX_TRIGGER, ScheduledTask
from financehub_web.access.gate import WRONG_TOKENS
from financehub_web.api.parameters import MOST_RECORDS
from financehub_web.api.quote_feed import MOST_OF_CLIENT, MOST_STREAMS
from financehub_web.app import MOST_CONNECTIONS
from financehub_web.console.forms import MOST_BYTES, MOST_VALUES
from financehub_web.http.deadline import REQUEST_SECONDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
#: Row → the cells after its name.
ROWS = {row: cells.split(" | ") for row, cells in re.findall(r"^\| ([QRP]\d+): [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)}
DEFAULTS = Settings()

#: Row → the number that its default cell contains.
NUMBERS: Mapping[str, str] = {
    "Q2": f"{DEFAULTS.max_backlog:,}",
    "Q5": f"{DEFAULTS.max_message_bytes // 1_024} kB",
    "Q9": f"{MAX_TRIGGER:,}",
    "Q10": f"{MAX_TRIGGERS:,}",
    "Q11": f"{MAX_BACKFILLS:,}",
    "Q12": f"{MAX_BACKFILL_RUNS:,}",
    "Q13": f"{BACKFILL_QUEUE_DEPTH:,}",
    "Q14": f"{MAX_CATCH_UP:,}",
    "Q17": f"{REASON_CHARACTERS:,} characters",
    "Q19": f"{DEFAULTS.max_backlog:,}",
    "Q18": f"{MAX_SCHEDULES:,}",
    "Q20": f"{MAX_BYTES // 1_000_000} MB",
    "Q21": f"{MAX_NODES:,} values, {MAX_DEPTH} levels",
    "Q22": f"{MAX_REFUSED}, of which {MAX_MISTAKES} of one document",
    "Q24": f"{MAX_STEPS:,}",
    "Q25": f"{MAX_MEMBERS}",
    "R1": f"{DEFAULTS.max_dead_letters:,}",
    "R2": f"{DEFAULTS.dead_letter_retention_days} days",
    "R3": f"{RUNS_KEPT:,}",
    "R4": f"{DEFAULTS.run_retention_days} days",
    "R6": f"{TaskSummary.MISSING_SHOWN}, and {TaskSummary.MISSING_CHARACTERS:,} characters",
    "R13": f"{TaskSummary.CHARACTERS:,} characters",
    "R15": f"{MAX_ARGUMENT_BYTES:,} bytes",
    "R7": f"{QUARANTINE_LIMIT:,}",
    "R8": f"{MAX_ASSETS:,}",
    "R9": f"{MAX_FILE_BYTES // 1_048_576} MiB",
    "R11": f"{MAX_ENTRY_BYTES // 1_000_000} MB",
    "R12": f"{MAX_READ_BYTES // 1_000_000} MB",
    "R14": f"{DEFAULTS.history_retention_days} days",
    "P1": f"{MAX_LABELS:,}",
    "P2": f"{MAX_VALUES:,}",
    "P3": f"{DEFAULTS.max_response_bytes // 1_000_000} MB",
    "P4": f"{FEED_BYTES_MAX // 1_000_000} MB",
    "P5": f"{MAX_IDLE} without a whole request, {MAX_ASKING} with one",
    "P6": f"{MAX_HEAD_BYTES // 1_024} kB within {READ_SECONDS:.0f} s",
    "P7": f"{MAX_WAITING} different ones",
    "P8": f"{HELD_BYTES // 1_000_000} MB",
    "P9": f"{DEFAULTS.web_requests_per_second:.0f} per second",
    "P10": str(MOST_STREAMS),
    "P14": str(MOST_OF_CLIENT),
    "P11": f"{MOST_RECORDS:,}",
    "P12": f"{WRONG_TOKENS} per minute",
    "P13": f"{MOST_BYTES // 1_000} kB and {MOST_VALUES:,} values",
    "P15": f"within {REQUEST_SECONDS:.0f} s",
    "P16": f"{MOST_SEARCHED:,}",
    "P17": f"newest {MOST_LETTERS_SEARCHED:,}",
    "P18": str(MOST_CONNECTIONS),
    "P19": f"{MAX_EVENTS:,}",
    "P20": f"{MAX_PROBLEM_CHARACTERS:,}",
}

#: Row → the test that hits the limit: file below `tests/` and name.
TESTS: Mapping[str, tuple[str, str]] = {
    "Q1": ("integration/operator/test_quota.py", "test_quota_refuses_the_next_resource_and_the_scheduler_goes_on"),
    "Q2": ("integration/scheduler/test_backlog.py", "test_schedule_whose_queue_nobody_serves_stops_at_the_limit"),
    "Q3": ("integration/scheduler/test_backlog.py", "test_other_policies_have_no_list"),
    "Q19": ("integration/scheduler/test_buffer_all.py", "test_waiting_runs_are_bounded_and_further_ones_are_skipped"),
    "Q20": ("unit/scheduler/sources/test_odd_entries.py", "test_look_at_an_odd_entry_refuses_it_and_reads_the_others"),
    "Q21": ("unit/shared/spec/test_documents.py", "test_parse_of_exploding_aliases_is_refused"),
    "Q22": ("unit/scheduler/sources/test_odd_entries.py", "test_look_at_thousands_of_mistakes_reports_the_first_ones"),
    "Q23": ("integration/operator/test_invalid_specs.py", "test_api_server_with_invalid_spec_names_field_and_fix"),
    "Q24": (
        "unit/shared/recurrence/test_search.py",
        "test_search_that_ends_at_its_limit_says_so_and_until_when_nothing_is_due",
    ),
    "Q25": ("integration/scheduler/test_sharing.py", "test_members_beyond_the_limit_are_not_returned"),
    "Q4": ("integration/scheduler/test_enqueuer.py", "test_submit_with_full_queue_skips_the_run"),
    "Q5": ("unit/shared/broker/test_door.py", "test_size_limit_counts_everything_but_the_history"),
    "Q6": ("integration/operator/test_invalid_specs.py", "test_api_server_with_invalid_spec_names_field_and_fix"),
    "Q7": ("integration/operator/test_invalid_specs.py", "test_api_server_with_invalid_spec_names_field_and_fix"),
    "Q8": ("integration/operator/test_invalid_specs.py", "test_file_source_with_invalid_spec_refuses_it"),
    "Q9": ("integration/operator/test_invalid_specs.py", "test_file_source_with_invalid_spec_refuses_it"),
    "Q10": ("integration/broker/test_limits.py", "test_trigger_beyond_the_limit_is_refused"),
    "Q11": ("integration/broker/test_limits.py", "test_backfill_beyond_the_limit_is_refused"),
    "Q12": ("integration/scheduler/test_on_demand.py", "test_backfill_of_an_excessive_range_is_refused"),
    "Q13": ("integration/scheduler/test_on_demand.py", "test_backfill_with_full_queue_waits"),
    "Q16": (
        "integration/scheduler/test_on_demand.py",
        "test_backfill_annotations_of_a_schedule_run_one_after_another",
    ),
    "Q14": ("unit/scheduler/test_catch_up.py", "test_plan_after_a_long_outage_runs_at_most_a_hundred"),
    "Q17": ("integration/scheduler/test_pauses.py", "test_pausing_with_a_wrong_request_changes_nothing"),
    "Q18": ("integration/scheduler/test_pauses.py", "test_pausing_with_a_wrong_request_changes_nothing"),
    "Q15": ("unit/shared/health/test_checks.py", "test_evaluate_returns_status_and_reason"),
    "R1": ("integration/broker/test_limits.py", "test_janitor_deletes_the_oldest_dead_letters_beyond_the_limit"),
    "R2": ("integration/broker/test_dead_letters.py", "test_drop_older_deletes_what_its_dry_run_counted"),
    "R3": ("integration/broker/test_limits.py", "test_task_keeps_the_newest_run_records"),
    "R4": ("integration/observability/test_recorder.py", "test_drop_older_with_expired_records_deletes_them"),
    "R5": ("integration/scheduler/test_enqueuer.py", "test_record_enqueued_runs_keeps_the_newest_ten_runs"),
    "R6": (
        "unit/shared/core/test_task_summary.py",
        "test_as_dict_with_many_long_reasons_is_bounded_and_keeps_the_first",
    ),
    "R13": (
        "integration/observability/test_recorder.py",
        "test_record_of_a_success_survives_any_summary",
    ),
    "R15": (
        "unit/shared/monitor/test_run_arguments.py",
        "test_arguments_at_the_limit_are_stored_and_longer_ones_are_not",
    ),
    "R7": ("support/store_contract.py", "test_put_quarantined_beyond_the_limit_keeps_the_last_of_each_kind"),
    "R8": (
        "unit/shared/market/test_assets_file.py",
        "test_file_at_the_limit_of_assets_is_read_and_beyond_it_refused",
    ),
    "R9": ("unit/shared/market/test_assets_file.py", "test_file_beyond_the_largest_size_is_refused"),
    "R10": ("integration/scheduler/test_backlog.py", "test_records_of_skipped_runs_are_kept_for_an_hour"),
    "R11": ("integration/broker/test_door.py", "test_entry_that_is_too_large_to_read_is_kept_in_redis"),
    "R12": ("integration/broker/test_door.py", "test_statistics_and_listings_read_the_beginning_of_a_huge_entry"),
    "R14": ("support/history_contract.py", "test_drop_older_drops_whole_days_of_prices"),
    "P1": ("integration/scheduler/test_series.py", "test_schedules_beyond_the_limit_share_their_series"),
    "P2": ("unit/shared/metrics/test_label_limit.py", "test_names_in_messages_never_create_more_series_than_the_limit"),
    "P3": ("unit/shared/providers/transport/test_http.py", "test_client_with_an_endless_body_stops_at_the_limit"),
    "P4": ("unit/shared/providers/rss/test_provider.py", "test_feed_over_two_megabytes_is_malformed"),
    "P5": (
        "unit/shared/health/test_connection_limits.py",
        "test_server_with_too_many_connections_closes_the_oldest",
    ),
    "P6": (
        "unit/shared/health/test_http_messages.py",
        "test_parse_request_with_something_else_refuses_it_before_its_end",
    ),
    "P7": ("unit/shared/health/test_lane.py", "test_lane_with_too_many_results_refuses_more"),
    "P8": ("integration/broker/test_queue_scripts.py", "test_consumer_holds_a_limited_number_of_bytes"),
    "P16": (
        "integration/observability/test_run_listing.py",
        "test_find_runs_with_a_rare_match_searches_a_limited_number_of_runs",
    ),
    "P17": (
        "integration/broker/test_dead_letters.py",
        "test_search_looks_at_a_limited_number_of_letters_of_each_queue",
    ),
    "P9": ("integration/web/test_api.py", "test_client_that_sends_too_many_requests_gets_429"),
    "P10": ("integration/web/test_stream.py", "test_streams_beyond_the_limit_get_503"),
    "P14": ("integration/web/test_stream.py", "test_streams_of_one_client_beyond_its_limit_get_429"),
    "P11": ("integration/web/test_api.py", "test_mistake_of_the_client_is_explained"),
    "P12": ("unit/web/access/test_gate.py", "test_wrong_tokens_are_limited_and_right_ones_wait_too"),
    "P13": ("integration/web/test_actions.py", "test_large_form_is_refused"),
    "P15": ("integration/web/test_deadline.py", "test_connection_without_a_complete_request_is_closed"),
    "P18": ("integration/web/test_deadline.py", "test_connections_beyond_the_limit_get_503"),
    "P19": ("unit/scheduler/link/test_mirror.py", "test_events_beyond_the_limit_are_dropped_and_counted"),
    "P20": (
        "unit/scheduler/kubernetes/watch/test_resource.py",
        "test_parse_resource_with_a_long_mistake_has_a_short_problem",
    ),
}


@pytest.mark.parametrize("row", NUMBERS)
def test_default_of_a_limit_is_that_of_the_code(row: str):
    """A changed constant or setting also changes the document."""
    assert ROWS[row][0].endswith(NUMBERS[row]) or ROWS[row][0].startswith(NUMBERS[row]), (row, ROWS[row][0])


def test_settings_of_the_page_exist():
    """Each variable that the page names is a setting."""
    named = set(re.findall(r"`(FINANCEHUB_\w+)`", PAGE))
    assert named
    assert named <= variables().keys()


def test_lengths_of_the_resource_are_those_of_the_model():
    """The numbers of Q6 to Q8 and of Q23 come from the model of the resource."""
    schema = ScheduledTask.model_json_schema()["$defs"]
    spec, metadata = schema["ScheduledTaskSpec"]["properties"], schema["Metadata"]["properties"]
    assert ROWS["Q6"][0] == f"{spec['args']['maxItems']} each"
    assert spec["args"]["maxItems"] == spec["kwargs"]["maxProperties"]
    (schedules,) = [each for each in spec["schedules"]["anyOf"] if each["type"] == "array"]
    assert ROWS["Q7"][0] == str(schedules["maxItems"])
    dates = next(each for each in schema["Exclusion"]["properties"]["dates"]["anyOf"] if each["type"] == "array")
    assert ROWS["Q23"][0] == f"{spec['exclude']['maxItems']}, and {dates['maxItems']} each"
    (queue,) = [each for each in spec["queue"]["anyOf"] if each["type"] == "string"]
    lengths = (metadata["name"]["maxLength"], spec["task"]["maxLength"], queue["maxLength"])
    assert ROWS["Q8"][0] == "{} characters for a schedule, {} for a task, {} for a queue".format(*lengths)


def test_each_limit_is_hit_by_a_test():
    """Each row has a test, which exists."""
    assert TESTS.keys() == ROWS.keys()
    for row, (file, name) in TESTS.items():
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), row
