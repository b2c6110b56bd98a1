"""Failovers are found in the logs of Sentinels."""

import time

from history.failovers import failovers

LOG = """
29616:X 01 Dec 2026 05:08:48.854 # +sdown master financehub 10.99.0.11 6379
29616:X 01 Dec 2026 05:08:49.037 # -sdown master financehub 10.99.0.11 6379
29614:X 01 Dec 2026 05:08:50.241 # +switch-master financehub 10.99.0.11 6379 10.99.0.12 6379
29614:X 01 Dec 2026 05:09:00.523 * +convert-to-slave slave 10.99.0.11:6379 10.99.0.11 6379 @ financehub 10.99.0.12 6379
"""
OTHER = "29616:X 01 Dec 2026 05:08:54.688 # +switch-master financehub 10.99.0.11 6379 10.99.0.12 6379\n"


def unix(text: str) -> float:
    """Return the Unix time of a time of that day."""
    return time.mktime(time.strptime(f"01 Dec 2026 {text}", "%d %b %Y %H:%M:%S"))


def test_failover_lasts_from_the_doubt_about_the_master_until_it_is_a_replica() -> None:
    """Several Sentinels log the same failover, which counts once."""
    ((begin, end),) = failovers([LOG, OTHER])
    assert unix("05:08:43") < begin < unix("05:08:47")
    assert unix("05:09:00") < end < unix("05:09:01")


def test_failover_without_an_end_lasts_for_some_time() -> None:
    """If no Sentinel has seen the old master as a replica, it may have confirmed writes for a while."""
    ((begin, end),) = failovers([LOG.replace("+convert-to-slave", "+slave")])
    assert end > unix("05:09:10") > begin


def test_log_without_a_failover_has_none() -> None:
    """A doubt alone changes nothing."""
    assert failovers([LOG.replace("+switch-master", "-odown")]) == []
