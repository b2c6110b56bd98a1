"""Tests of the standard metrics of several processes together."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from financehub_shared.metrics.process_group import ProcessGroupCollector


@pytest.fixture
def other() -> Iterator["subprocess.Popen[bytes]"]:
    """Another process, which does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def values(collector: ProcessGroupCollector | ProcessCollector) -> dict[str, float]:
    """Return the value of each series."""
    return {sample.name: sample.value for family in collector.collect() for sample in family.samples}


def of_process(pid: int) -> dict[str, float]:
    """Return the values of one process."""
    return values(ProcessCollector(pid=lambda: pid, registry=CollectorRegistry()))


def test_metrics_of_two_processes_are_sums(other: "subprocess.Popen[bytes]") -> None:
    """What the processes use is added. The start is that of the older one, and the limit is the smaller one."""
    found, own, theirs = values(ProcessGroupCollector([other.pid])), of_process(os.getpid()), of_process(other.pid)
    assert found.keys() == own.keys()
    used = own["process_resident_memory_bytes"] + theirs["process_resident_memory_bytes"]
    assert found["process_resident_memory_bytes"] == pytest.approx(used, rel=0.2)
    assert found["process_resident_memory_bytes"] > own["process_resident_memory_bytes"]
    assert found["process_open_fds"] > own["process_open_fds"] - 1
    assert found["process_start_time_seconds"] == own["process_start_time_seconds"]
    assert found["process_max_fds"] == min(own["process_max_fds"], theirs["process_max_fds"])


def test_metrics_without_others_are_those_of_the_process() -> None:
    """A process that has no companion reports itself."""
    found, own = values(ProcessGroupCollector()), of_process(os.getpid())
    assert found.keys() == own.keys()
    assert found["process_start_time_seconds"] == own["process_start_time_seconds"]


def test_process_that_has_ended_is_left_out(other: "subprocess.Popen[bytes]") -> None:
    """A scrape shortly after the death of a process shows the others, and does not fail."""
    collector = ProcessGroupCollector([other.pid])
    other.kill()
    other.wait()
    assert values(collector)["process_start_time_seconds"] == of_process(os.getpid())["process_start_time_seconds"]


_PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 1: pass"], check=True)
print("ended", flush=True)
input()
"""


def test_time_of_children_that_have_ended_is_kept() -> None:
    """A companion continues with the time of its predecessor, because Prometheus reads a lower value as a restart."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ended\n"
        own = of_process(os.getpid())["process_cpu_seconds_total"]
        theirs = of_process(parent.pid)["process_cpu_seconds_total"]
        found = values(ProcessGroupCollector([parent.pid]))["process_cpu_seconds_total"]
        parent.kill()
    # The kernel counts in ticks of 10 ms.
    assert found >= own + theirs + 0.9
