"""The command of `make history`: one history after the other until the time is over, and a report.

python -m history --minutes 30
python -m history --planted                     each planted bug, until it is found
python -m history --seed 7 --sentinel --keep    one history again
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from history.final_state import summary
from history.planted import BUGS
from history.run import Outcome, Setup, run_history

_LINES = 20
#: Bug → rules of which one must find it, and the faults that can show it. With all faults, it takes longer.
_PLANTED: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "ack-at-fetch": ({"lost"}, ("worker killed",)),
    "reclaim-loses": ({"lost"}, ("worker killed",)),
    "reclaim-too-early": (
        {"run twice", "run after the end"},
        ("worker stopped for a moment", "worker gets no replies"),
    ),
    "no-recovery-pause": ({"run twice", "run after the end"}, ("Redis stopped", "Redis cut off")),
    "janitor-sleeps": ({"lost", "left"}, ("worker killed",)),
    "janitor-is-slow": ({"late round"}, ("worker killed",)),
    "losses-not-counted": ({"attempts"}, ("worker killed",)),
    "nack-without-letter": ({"dead letter"}, ("worker killed",)),
    "lost-fetch-stays": ({"lost", "left", "late redelivery"}, ("worker gets no replies", "connections reset")),
    "check-does-not-wait": (
        {"run twice", "run after the end"},
        ("connections reset", "worker gets no replies", "Redis stopped"),
    ),
    "follow-up-is-dropped": ({"lost"}, ("worker killed",)),
    "follow-up-before-ack": ({"doubled retry", "doubled callback"}, ("worker killed", "worker gets no replies")),
    "move-before-ack": ({"doubled move"}, ("worker killed", "worker gets no replies")),
    "interrupted-is-acked": ({"lost"}, ("worker terminated",)),
    "one-retry-more": ({"attempts", "dead letter"}, ("worker killed",)),
    "counted-twice": ({"counter"}, ("worker gets no replies", "worker stopped beyond the timeout")),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m history", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="run histories for this time")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the faults of one history")
    parser.add_argument("--seed", type=int, default=None, help="first seed (default: from the clock)")
    parser.add_argument("--rate", type=float, default=40.0, help="messages per second of each producer")
    parser.add_argument("--pause", type=float, default=3.0, help="mean seconds between two faults")
    parser.add_argument("--sentinel", action="store_true", help="only with Sentinels")
    parser.add_argument("--single", action="store_true", help="only with one server")
    parser.add_argument("--server", default=None, help="6.2, 7.0 or valkey")
    parser.add_argument("--only", action="append", default=[], help="only this fault; can be repeated")
    parser.add_argument("--bug", default="", help="plant this bug")
    parser.add_argument("--planted", action="store_true", help="plant each bug, and expect that each is found")
    parser.add_argument("--keep", action="store_true", help="keep all events and logs")
    return parser.parse_args()


def _report(outcome: Outcome) -> None:
    verdict = outcome.verdict
    lines = [outcome.setup.describe(), f"  faults: {summary(outcome.faults)}", f"  {summary(verdict.counts)}"]
    if verdict.redeliveries:
        longest = max(verdict.redeliveries)
        lines.append(f"  redelivered after a death: {len(verdict.redeliveries)}, at most {longest:.1f} s later")
    if verdict.pauses:
        lines.append(f"  pauses between two rounds of a janitor: at most {max(verdict.pauses):.1f} s")
    if verdict.excused:
        lines.append(f"  lost by design: {summary(verdict.excused)}")
    rules = Counter(violation.rule for violation in verdict.violations)
    lines.append(f"  findings: {summary(rules) or 'none'}")
    lines += [f"    {violation}" for violation in verdict.violations[:_LINES]]
    if outcome.folder:
        lines.append(f"  events and logs: {outcome.folder}")
    _print("\n".join(lines))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the histories and return the exit code."""
    arguments = _arguments()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    common = Setup(
        seed,
        arguments.seconds,
        rate=arguments.rate,
        pause=arguments.pause,
        only=tuple(arguments.only),
        server=arguments.server,
        bug=arguments.bug,
    )
    if arguments.planted:
        return _run_planted(common)
    end = time.monotonic() + arguments.minutes * 60
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    excused: Counter[str] = Counter()
    number = findings = 0
    while number == 0 or time.monotonic() < end:
        sentinel = arguments.sentinel or (not arguments.single and number % 2 == 1)
        # The seed decides, so that one history can be run again.
        setup = replace(common, seed=seed + number, sentinel=sentinel, always=(seed + number) % 4 < 2)
        outcome = run_history(setup, keep=arguments.keep)
        _report(outcome)
        totals += outcome.verdict.counts
        faults += outcome.faults
        excused += outcome.verdict.excused
        findings += len(outcome.verdict.violations)
        number += 1
    _print(f"\n{number} histories: {summary(totals)}\nfaults {faults.total():,}: {summary(faults)}")
    _print(f"lost by design: {summary(excused) or 'nothing'}\nfindings: {findings}")
    return int(findings > 0)


def _run_planted(common: Setup) -> int:
    """Run a history with each planted bug, and return 1 if one is not found."""
    missed = []
    for name in [common.bug] if common.bug else BUGS:
        begin = time.monotonic()
        setup = replace(common, bug=name, only=_PLANTED[name][1], pause=min(common.pause, 4.0))
        outcome = run_history(setup)
        rules = Counter(violation.rule for violation in outcome.verdict.violations)
        is_found = bool(_PLANTED[name][0] & rules.keys())
        _print(
            f"{name}: {'found' if is_found else 'NOT FOUND'} after {time.monotonic() - begin:.0f} s and "
            f"{outcome.verdict.counts['messages confirmed']:,} messages: {summary(rules) or 'no findings'}"
        )
        if not is_found:
            missed.append(name)
    _print(f"not found: {', '.join(missed) or 'none'}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.exit(main())
