"""Makes the report of a soak from its files alone, at its end or after a program that was ended in its middle."""

from collections.abc import Sequence
from pathlib import Path

from soak.accounts import Attempt, balance, check_repeats
from soak.journal import Recorded, read_journal
from soak.load import LEAST_RATE, PERIOD_SECONDS, offset_of
from soak.patience import guarded
from soak.recorder import ATTEMPTS_FILE, read_attempts
from soak.report import Outcome, write_report
from soak.samples import SAMPLES_FILE, Sample, read_samples
from soak.verdict import Rules


def make_report(folder: Path) -> Outcome:
    """Judge a soak by its files, write its report, and return it.

    Args:
        folder: Folder of the soak.
    """
    recorded = read_journal(folder)
    samples = read_samples(folder / SAMPLES_FILE)
    attempts = list(read_attempts(folder / ATTEMPTS_FILE))
    outcome = Outcome(recorded.title, recorded.begin, recorded.inflicted)
    outcome.findings += [each.problem for each in recorded.inflicted if each.problem]
    outcome.findings += recorded.findings
    guarded("balance", lambda: _balance(recorded, attempts, outcome), outcome.findings.append)
    schedules = len(recorded.before or ())
    rules = Rules(judged_minutes(recorded, samples), schedules / PERIOD_SECONDS or LEAST_RATE)
    outcome.rows = guarded("growth", lambda: rules.judge(samples), outcome.findings.append) or []
    guarded("report", lambda: write_report(outcome, samples, attempts, folder), outcome.findings.append)
    return outcome


def judged_minutes(recorded: Recorded, samples: Sequence[Sample]) -> float:
    """Return the minutes for which a soak is judged: the intended ones, or those until it was ended.

    Args:
        recorded: Its journal.
        samples: Its samples.
    """
    observed = (samples[-1].at - recorded.begin) / 60 if samples else recorded.minutes
    return min(recorded.minutes, max(1.0, observed))


def _balance(recorded: Recorded, attempts: Sequence[Attempt], outcome: Outcome) -> None:
    disturbances = [each.disturbance for each in recorded.inflicted]
    if recorded.before is None or recorded.after is None:
        when = "before the faults" if recorded.before is None else "at the end"
        outcome.findings.append(f"balance: the counters {when} were not read, so only repeated runs were checked")
        account = check_repeats(attempts, disturbances)
    else:
        offsets = {each.uid: offset_of(each.uid) for each in recorded.before}
        account = balance(
            recorded.before,
            recorded.after,
            attempts,
            disturbances,
            period=PERIOD_SECONDS,
            offsets=offsets,
            stopped_at=recorded.stopped_at,
        )
    outcome.counts, outcome.repeated = account.counts, account.repeated
    outcome.findings += account.findings
    outcome.counts["faults"] = len(recorded.inflicted)
    outcome.counts["kinds of faults"] = len({each.name for each in recorded.inflicted})
    if recorded.letters is not None:
        outcome.counts["dead letters"] = recorded.letters
