"""Runs the benchmarks, prints a table and writes build/bench.json."""

import argparse
import importlib
import json
import pkgutil
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import cases, points
from bench.charts import draw
from bench.rows import Row


def main() -> int:
    """Run the benchmarks. Return exit code 0 if every goal is met, 1 if one is missed, 2 for an unknown name."""
    names = [module.name for module in pkgutil.iter_modules(cases.__path__)]
    scale = [name for name in names if name.startswith(points.PREFIX)]
    parser = argparse.ArgumentParser(prog="make bench ONLY=<name>")
    parser.add_argument("--only", default="", help=f"one of: {', '.join(names)}, or scale for {', '.join(scale)}")
    parser.add_argument("--plot", action="store_true", help="store the points of scale_* and draw their charts")
    arguments = parser.parse_args()
    only = arguments.only
    if only and only not in (*names, "scale"):
        parser.error(f"unknown benchmark {only!r}; one of: {', '.join([*names, 'scale'])}")
    # The scale benchmarks take many minutes each, so they run only if they are asked for.
    chosen = scale if only == "scale" else [only] if only else [name for name in names if name not in scale]
    rows: list[Row] = []
    for name in chosen:
        sys.stderr.write(f"bench: {name} …\n")
        case = importlib.import_module(f"bench.cases.{name}")
        found = case.run()
        rows.extend(found)
        if arguments.plot and name in scale:
            points.save(name, found)
            svg = draw(case.CHARTS, points.load(name))
            (points.IMAGES / f"{name.replace('_', '-')}.svg").write_text(svg, encoding="utf-8")
    build = Path(__file__).parents[2] / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    table = Table("name", "value", "unit", "peer", "peer value", "goal", "ok")
    for row in rows:
        peer_value = "" if row.peer_value is None else f"{row.peer_value:,.4g}"
        ok = {None: "", True: "yes", False: "NO"}[row.ok]
        table.add_row(row.name, f"{row.value:,.4g}", row.unit, row.peer, peer_value, row.goal, ok)
    Console(width=140 if not sys.stdout.isatty() else None).print(table)
    return int(any(row.ok is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
