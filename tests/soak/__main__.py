"""The command of `make soak`: builds the images, starts the cluster if it is not running, and runs a soak in it.

python -m soak --minutes 60 --plot
python -m soak --planted                        a short soak with planted bugs, all of which must be found
python -m soak --minutes 3 --only "Redis process killed" --seed 7 --keep
python -m soak --minutes 60 --rate 8            for a small machine: 1,600 schedules, and 28,800 due times that count
python -m soak --report build/soak              makes the report again from the files of an ended soak

Ctrl-C or SIGTERM ends the faults, and the checks at the end follow. The second one leaves those out too. The report is
made in both cases.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from e2e.preparation import prepared
from soak.interrupts import interrupt_on_signals, run_forwarding
from soak.judgment import make_report
from soak.load import Load, rate
from soak.planted import BUGS, not_found
from soak.report import Outcome, summary
from soak.run import Setup, run_soak
from test_cluster.images.engine import EngineError
from test_cluster.node.node import NodeError
from test_cluster.node.processes import StartError
from test_cluster.targets import NodeTarget

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "build" / "soak"
_IMAGES = _ROOT / "docs" / "images"
#: The variable is set for the process that runs inside the network of the cluster.
_INSIDE = "SOAK_INSIDE"
#: A planted leak must show in processes that faults do not end.
_PLANTED_MINUTES = 6.0


def _arguments() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__, formatter_class=raw)
    parser.add_argument("--minutes", type=float, default=5.0, help="duration of the faults")
    parser.add_argument(
        "--rate", type=rate, default=Load().rate, help="messages per second (default: 50; see docs/correctness.md)"
    )
    parser.add_argument("--report", type=Path, metavar="DIRECTORY", help="only make the report from these files")
    parser.add_argument("--interval", type=float, default=20.0, help="seconds between the begins of two faults")
    parser.add_argument("--seed", type=int, default=None, help="decides the faults (default: from the clock)")
    parser.add_argument("--only", action="append", default=[], help="only this fault; can be repeated")
    parser.add_argument("--planted", action="store_true", help="plant bugs, and expect that all of them are found")
    parser.add_argument("--plot", action="store_true", help="copy the charts to docs/images")
    parser.add_argument("--keep", action="store_true", help="keep the release")
    parser.add_argument("--attach", action="store_true", help="use the release that an earlier soak has kept")
    return parser.parse_args()


def _main() -> int | str:
    arguments = _arguments()
    if arguments.report is not None:
        return _conclude(arguments, make_report(arguments.report), arguments.report)
    if os.environ.get(_INSIDE):
        return _run(arguments)
    target = NodeTarget()
    try:
        with prepared(target) as environment:
            command = [sys.executable, "-m", "soak", *sys.argv[1:]]
            return run_forwarding(target.inside(command), {**environment, _INSIDE: "1"})
    except (EngineError, NodeError, StartError, FileNotFoundError, subprocess.CalledProcessError) as error:
        return f"soak: {error}"


def _run(arguments: argparse.Namespace) -> int:
    setup = Setup(
        minutes=max(arguments.minutes, _PLANTED_MINUTES) if arguments.planted else arguments.minutes,
        seed=int(time.time()) if arguments.seed is None else arguments.seed,
        load=Load(arguments.rate),
        interval=arguments.interval,
        only=tuple(arguments.only),
        bugs=",".join(BUGS) if arguments.planted else "",
        keep=arguments.keep,
        attach=arguments.attach,
    )
    interrupt_on_signals()
    begin = time.monotonic()
    _print(f"soak: {setup.describe()}")
    outcome = run_soak(setup, _FOLDER, lambda line: _print(f"soak: {time.monotonic() - begin:5.0f} s: {line}"))
    return _conclude(arguments, outcome, _FOLDER)


def _conclude(arguments: argparse.Namespace, outcome: Outcome, folder: Path) -> int:
    _print(summary(outcome))
    _print(f"Samples and charts are in {folder}.")
    if arguments.plot:
        for chart in folder.glob("soak-*.svg"):
            shutil.copy(chart, _IMAGES / chart.name)
    return _judge_planted(outcome) if arguments.planted else int(bool(outcome.all_findings))


def _judge_planted(outcome: Outcome) -> int:
    missed = not_found(outcome)
    _print(f"planted bugs that were not found: {', '.join(missed) or 'none'}")
    return int(bool(missed))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(_main())
