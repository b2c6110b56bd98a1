"""A real Prometheus beside a real fleet: started, queried through its HTTP API, and stopped by the test."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support import promql
from support.processes import end, launch
from support.promtool import prometheus_path
from support.redis_server import free_port
from support.rules import RULE_FILES

#: Minutes of the chart's rules are seconds in a test: 10m → 10s, 1h → 60s.
TIMES_FASTER = 60
#: Seconds between two scrapes, and after which a scrape is given up: a loaded machine answers late.
SCRAPE_SECONDS = 2
#: The least that remains of a `for`, so that one failed scrape raises no alert.
LEAST_FOR = 5
#: The least that remains of a range or an offset: three scrapes, so that a rate survives a failed one.
LEAST_RANGE = 6

#: Durations in an expression: range selectors, subqueries, and offsets. Thresholds in seconds stay as they are.
_IN_EXPRESSION = re.compile(r"(?<=\[)[\dsmhdw:]+(?=\])|(?<=offset )[\dsmhdw]+")

Sample = tuple[Mapping[str, str], float]


def faster(duration: str, least: int) -> str:
    """A duration divided by `TIMES_FASTER`.

    Args:
        duration: as Prometheus writes it, such as `1h30m`.
        least: the shortest result in seconds, unless the duration is zero.
    """
    seconds = promql.seconds(duration)
    return f"{max(least, round(seconds / TIMES_FASTER))}s" if seconds else "0s"


def faster_rules(text: str) -> str:
    """A rule file with every duration of its expressions and every `for` divided by `TIMES_FASTER`.

    Groups lose their interval, so that the server's own is theirs as well.

    Args:
        text: the file as it is shipped.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = _IN_EXPRESSION.sub(
                lambda found: ":".join(faster(part, LEAST_RANGE) if part else "" for part in found[0].split(":")),
                rule["expr"],
            )
            if "for" in rule:
                rule["for"] = faster(rule["for"], LEAST_FOR)
    return str(yaml.safe_dump(document, sort_keys=False))


class Prometheus:
    """A server with the chart's rules, sped up.

    Args:
        folder: for its configuration, data, and log.
        scrape_seconds: between two scrapes.
    """

    def __init__(self, folder: Path, *, scrape_seconds: int = SCRAPE_SECONDS) -> None:
        found = prometheus_path()
        self._folder = folder / "prometheus"
        self._folder.mkdir()
        self._targets = self._folder / "targets.json"
        self._targets.write_text("[]")
        rules = self._folder / "rules"
        rules.mkdir()
        for file in RULE_FILES:
            (rules / file.name).write_text(faster_rules(file.read_text(encoding="utf-8")))
        config = {
            "global": {
                "scrape_interval": f"{scrape_seconds}s",
                "scrape_timeout": f"{scrape_seconds}s",
                "evaluation_interval": "1s",
            },
            "rule_files": [str(rules / "*.yaml")],
            "scrape_configs": [
                {
                    "job_name": "financehub",
                    "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
                }
            ],
        }
        (self._folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        flags = {
            "config.file": self._folder / "prometheus.yaml",
            "storage.tsdb.path": self._folder / "data",
            "web.listen-address": f"127.0.0.1:{port}",
            # a series of a process that is gone is forgotten as soon as the rules, sped up, need it to be
            "query.lookback-delta": f"{5 * scrape_seconds}s",
        }
        with (self._folder / "prometheus.log").open("ab") as log:
            command = [found, *(f"--{name}={value}" for name, value in flags.items())]
            self._process = launch(command, stdout=log, stderr=log)

    def wait_until_ready(self) -> "Prometheus":
        """Wait until it answers; returns itself."""
        limit = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):  # noqa: S310 — our own http URL
                    return self
            except OSError:
                log = (self._folder / "prometheus.log").read_text()[-2_000:]
                assert self._process.poll() is None, f"prometheus does not start: {log}"
                assert time.monotonic() < limit, f"prometheus does not answer: {log}"
                time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        end(self._process)

    def scrape(self, ports: Mapping[str, int]) -> None:
        """Scrape these processes from now on, and no others.

        Args:
            ports: of each process, by name.
        """
        content = json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports.values()]}])
        unfinished = self._targets.with_suffix(".new")
        unfinished.write_text(content)
        unfinished.replace(self._targets)

    def query(self, expression: str) -> list[Sample]:
        """The current result of an expression: labels and value of each series."""
        answer = self._get("query", query=expression)
        if answer["resultType"] == "scalar":
            return [({}, float(answer["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in answer["result"]]

    def value(self, expression: str) -> float | None:
        """The value of an expression that has one series; None while it has none."""
        samples = self.query(expression)
        assert len(samples) < 2, f"{expression} has {len(samples)} series"
        return samples[0][1] if samples else None

    def query_range(
        self, expression: str, seconds: float, step: float = 1
    ) -> list[tuple[Mapping[str, str], list[float]]]:
        """The result of an expression over the last seconds: labels and values of each series."""
        now = time.time()
        answer = self._get("query_range", query=expression, start=now - seconds, end=now, step=step)
        return [(one["metric"], [float(value) for _, value in one["values"]]) for one in answer["result"]]

    def targets(self) -> dict[str, str]:
        """`up`, `down` or `unknown` of each target, by its address."""
        return {one["labels"]["instance"]: one["health"] for one in self._get("targets")["activeTargets"]}

    def rule_problems(self) -> list[str]:
        """What Prometheus says of rules that it could not evaluate."""
        groups = self._get("rules")["groups"]
        assert groups, "no rules are loaded"
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule.get("lastError")
        ]

    def firing(self) -> set[str]:
        """Alerts that fire now, by name."""
        return {one["labels"]["alertname"] for one in self._firing()}

    def alert(self, name: str) -> list[Mapping[str, Any]]:
        """The firing alerts of one name, with labels and annotations."""
        return [one for one in self._firing() if one["labels"]["alertname"] == name]

    def _firing(self) -> list[Mapping[str, Any]]:
        return [one for one in self._get("alerts")["alerts"] if one["state"] == "firing"]

    def fired(self, seconds: float) -> set[str]:
        """Alerts that fired at any time in the last seconds, by name."""
        expression = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{round(seconds)}s]))'
        return {labels["alertname"] for labels, _ in self.query(expression)}

    def _get(self, path: str, **parameters: object) -> Any:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 — our own http URL
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read()).get("error", error)
            raise AssertionError(f"{path} {parameters.get('query', '')}: {problem}") from None
