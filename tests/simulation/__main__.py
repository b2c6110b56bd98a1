"""Runs seeds in several processes: `python -m simulation --seeds 1000`, or `--first 17 --seeds 1` to see one again.

A failing seed is shortened, and printed as a scenario that can be pasted into a test.
"""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import as_completed

from simulation import planted
from simulation.players import play_seed, players, shorten

#: Seconds between two lines of progress, so that a long run that is interrupted has still shown something.
_PROGRESS_SECONDS = 60.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1_000, help="number of seeds")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="number of processes")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failure")
    parser.add_argument("--short", action="store_true", help="do not shorten failing scenarios")
    parser.add_argument(
        "--extended",
        action="store_true",
        help="also draw failovers to a replica that is behind, late views of the source, expired tombstones and "
        "annotations",
    )
    parser.add_argument("--bug", choices=planted.BUGS, help="plant this bug first")
    parser.add_argument(
        "--all-planted",
        action="store_true",
        help="instead, look for each planted bug in up to so many seeds, with --extended where it needs that, and "
        "print the table of docs/correctness.md; fails if one is not found",
    )
    return parser.parse_args()


def _seeds(arguments: argparse.Namespace) -> range:
    return range(arguments.first, arguments.first + arguments.seeds)


def _find_planted(arguments: argparse.Namespace) -> int:
    """Look for each planted bug, and print how many seeds that takes."""
    missing = []
    _print("| planted bug | seeds |\n|---|---|")
    for name, bug in planted.BUGS.items():
        with players(arguments.processes, name, extended=bug.is_extended) as pool:
            played = enumerate(pool.map(play_seed, _seeds(arguments)), start=1)
            found = next((number for number, (_, result) in played if result.failure), None)
            pool.shutdown(cancel_futures=True)
        if found is None:
            missing.append(name)
        _print(f"| {bug.what[0].lower()}{bug.what[1:-1]} (`{name}`) | {found or 'not found'} |")
    if missing:
        _print(f"not found: {', '.join(missing)}")
    return 1 if missing else 0


def main() -> int:
    """Run the program."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets must not depend on the process.
        command = [sys.executable, "-m", "simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606 - this program again
    arguments = _arguments()
    if arguments.all_planted:
        return _find_planted(arguments)
    began, steps, done, failed, seen = time.monotonic(), 0, 0, list[int](), Counter[str]()
    shown = began
    with players(arguments.processes, arguments.bug, extended=arguments.extended) as pool:
        for future in as_completed([pool.submit(play_seed, seed) for seed in _seeds(arguments)]):
            seed, result = future.result()
            steps, done = steps + result.steps, done + 1
            seen.update(result.seen)
            if time.monotonic() - shown > _PROGRESS_SECONDS:
                shown = time.monotonic()
                _print(f"{done:,} seeds, {steps:,} steps, {len(failed)} failures, {shown - began:.0f} s")
            if result.failure:
                failed.append(seed)
                _print(f"seed {seed} fails: {result.failure[-1500:]}")
                if not arguments.keep_going:
                    # Waits for the seeds that have begun. The end of `with` would undo a cancellation that has not.
                    pool.shutdown(cancel_futures=True)
                    break
    seconds = time.monotonic() - began
    _print(f"{done:,} seeds, {steps:,} steps, {len(failed)} failures, {seconds:.0f} s")
    _print(", ".join(f"{name} {count:,}" for name, count in sorted(seen.items())))
    if failed and not arguments.short:
        with players(1, arguments.bug, extended=arguments.extended) as pool:
            _print(f"seed {failed[0]}, shortened:\n{pool.submit(shorten, failed[0]).result()}")
    return 1 if failed else 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
