"""A report is made from the files alone, whatever part of the soak was done when its program ended."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soak.accounts import Disturbance, ScheduleCounts, due_times, run_id
from soak.inflicted import Inflicted
from soak.interrupts import run_forwarding
from soak.journal import JOURNAL, Journal, read_journal
from soak.judgment import judged_minutes, make_report
from soak.load import LEAST_RATE, PERIOD_SECONDS, Load, offset_of, rate
from soak.recorder import ATTEMPTS_FILE
from soak.samples import SAMPLES_FILE, Sample

_UID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
_CORRECTNESS = Path(__file__).parents[3] / "docs" / "correctness.md"
_FROM, _TO = 1_700_000_000.0, 1_700_003_600.0
_KILL = Inflicted(
    "worker pod killed", "research-a", _FROM + 60, _FROM + 61, _FROM + 75,
    Disturbance("worker pod killed", _FROM + 60, _FROM + 75, repeats=True, pods=frozenset({"research-a"})),
)  # fmt: skip


def write_soak(folder: Path, *, ended: bool = True, baseline: bool = True) -> None:
    """Write the files of a soak in which all went well, up to some step."""
    journal = Journal(folder, lambda: _FROM)
    journal.setup("60 minutes", 60)
    if baseline:
        journal.baseline([ScheduleCounts(_UID, _FROM, 4)])
    journal.begin()
    journal.fault(_KILL.name, _KILL.begin, repeats=True, fails=False, everywhere=False)
    journal.hit(["research-a"])
    journal.recovered(_KILL)
    dues = due_times(_FROM, _TO, PERIOD_SECONDS)
    lines = [f"{due + offset_of(_UID):.3f} t{due} {run_id(_UID, due)} research-a\n" for due in dues]
    (folder / ATTEMPTS_FILE).write_text("".join(lines), encoding="utf-8")
    samples = [Sample(_FROM + 5 * number, redis={"clients": 60}).to_json() for number in range(720)]
    (folder / SAMPLES_FILE).write_text("".join(f"{each}\n" for each in samples), encoding="utf-8")
    if ended:
        journal.letters(2)
        journal.end([ScheduleCounts(_UID, dues[-1], 4 + len(dues))], _TO)


def test_report_of_a_complete_soak_needs_only_its_files(tmp_path: Path) -> None:
    """The balance, the faults, the slopes and the charts are all made, and they are the same the second time."""
    write_soak(tmp_path)
    outcome = make_report(tmp_path)
    assert outcome.all_findings == []
    assert (outcome.counts["due times"], outcome.counts["runs"], outcome.counts["dead letters"]) == (18, 18, 2)
    assert outcome.inflicted == [_KILL]
    assert [row.figure for row in outcome.rows] == ["clients"]
    first = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert make_report(tmp_path) == outcome
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == first
    assert {each.name for each in tmp_path.glob("soak-*.svg")} == {"soak-processes.svg", "soak-load.svg"}


@pytest.mark.parametrize(
    ("baseline", "missing"), [(True, "the counters at the end"), (False, "the counters before the faults")]
)
def test_report_of_a_killed_soak_has_slopes_faults_and_the_gap(tmp_path: Path, baseline: bool, missing: str) -> None:
    """What is not known is the only finding, and the last lines of all files may be cut off."""
    write_soak(tmp_path, ended=False, baseline=baseline)
    for name in (JOURNAL, ATTEMPTS_FILE, SAMPLES_FILE):
        with (tmp_path / name).open("a", encoding="utf-8") as output:
            output.write('{"event":"fau')
    outcome = make_report(tmp_path)
    assert [each for each in outcome.findings if missing in each] == outcome.findings
    assert len(outcome.findings) == 1
    assert outcome.counts["attempts"] == 18
    assert outcome.rows
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["faults"]


def test_fault_during_which_the_program_was_killed_is_a_finding(tmp_path: Path) -> None:
    """It excuses the pods that it had hit, until the end."""
    write_soak(tmp_path, ended=False)
    journal = Journal(tmp_path)
    journal.fault("tier scaled up and down", _FROM + 90, repeats=True, fails=False, everywhere=False)
    journal.hit(["research-b"])
    outcome = make_report(tmp_path)
    assert "tier scaled up and down was not over when the soak was ended" in outcome.findings
    assert outcome.inflicted[-1].disturbance.pods == {"research-b"}


def test_check_that_breaks_does_not_take_the_other_parts_of_the_report(tmp_path: Path) -> None:
    """A balance that cannot be made is a finding beside the slopes, and slopes without a rule are one beside it."""
    write_soak(tmp_path)
    unknown = Sample(_TO, redis={"a figure without a tolerance": 1}).to_json()
    with (tmp_path / SAMPLES_FILE).open("a", encoding="utf-8") as output:
        output.write(f"{unknown}\n")
    outcome = make_report(tmp_path)
    assert [each.partition(":")[0] for each in outcome.findings] == ["growth"]
    assert outcome.counts["runs"] == 18
    write_soak(tmp_path)
    Journal(tmp_path).end([ScheduleCounts("no uid", 0, 0)] * 2, _TO)
    Journal(tmp_path).baseline([ScheduleCounts("no uid", 0, 0)])
    outcome = make_report(tmp_path)
    assert [each.partition(":")[0] for each in outcome.findings] == ["balance"]
    assert outcome.rows


def test_findings_and_counters_survive_their_file(tmp_path: Path) -> None:
    """Lines that contain line breaks are still one event."""
    journal = Journal(tmp_path, lambda: _FROM)
    journal.finding("a\nb")
    journal.end([ScheduleCounts(_UID, 1.5, 2, 3, 4)], None)
    recorded = read_journal(tmp_path)
    assert (recorded.findings, recorded.stopped_at) == (["a\nb"], None)
    assert recorded.after == [ScheduleCounts(_UID, 1.5, 2, 3, 4)]


def test_soak_that_was_ended_early_is_judged_by_its_real_duration(tmp_path: Path) -> None:
    """A gain that is allowed once shows as a higher rate in a shorter time."""
    write_soak(tmp_path, ended=False)
    recorded = read_journal(tmp_path)
    assert judged_minutes(recorded, [Sample(_FROM + 600)]) == 10
    assert judged_minutes(recorded, [Sample(_FROM + 9_000)]) == 60
    assert judged_minutes(recorded, []) == 60


def test_command_makes_a_report_from_a_directory(tmp_path: Path) -> None:
    """`python -m soak --report` needs no cluster, and its exit code says whether something was found."""
    write_soak(tmp_path)
    command = [sys.executable, "-m", "soak", "--report", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    good = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert "Findings: none" in good.stdout
    Journal(tmp_path).finding("lost: one run")
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 1


def test_signals_of_the_starter_interrupt_the_soak_and_its_exit_code_is_returned() -> None:
    """The process that has started the soak waits for the report instead of killing it."""
    script = (
        "import os, signal, sys, time\n"
        "from soak.interrupts import interrupt_on_signals\n"
        "interrupt_on_signals()\n"
        "try:\n"
        f"    os.kill({os.getpid()}, signal.SIGTERM)\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(7)\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert run_forwarding([sys.executable, "-c", script], environment) == 7
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("value", "schedules", "dues"), [("50", 10_000, 180_000), ("8", 1_600, 28_800), ("1", 200, 3_600)]
)
def test_lower_rate_has_fewer_schedules_and_due_times(value: str, schedules: int, dues: int) -> None:
    """docs/correctness.md has these numbers for an hour."""
    load = Load(rate(value))
    assert (load.schedules, load.due_times(60)) == (schedules, dues)
    assert f"| `--rate {value}` | {schedules:,} | {dues:,} |" in _CORRECTNESS.read_text(encoding="utf-8")


@pytest.mark.parametrize("value", ["0", "-1", "0.5", "nan"])
def test_rate_that_shows_no_recovery_is_refused(value: str) -> None:
    """With less than one message per second, none may be due after a fault."""
    with pytest.raises(argparse.ArgumentTypeError, match=f"less than {LEAST_RATE:g}"):
        rate(value)


def test_signal_before_the_program_has_started_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal between the first step of the start and its last one neither gets lost nor ends the starter."""
    start = subprocess.Popen

    def start_after_signal(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        signal.raise_signal(signal.SIGTERM)
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", start_after_signal)
    assert run_forwarding(["sleep", "30"], os.environ) == -signal.SIGINT
