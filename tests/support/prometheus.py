"""Runs a real Prometheus that a test starts, queries through its HTTP API, and stops."""

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

#: Factor by which durations in the chart's rules are shortened in a test: 10m → 10s, 1h → 60s.
SPEEDUP = 60
#: Seconds between two scrapes, and the scrape timeout, because a loaded machine responds late.
SCRAPE_SECONDS = 2
#: Minimum of a shortened `for`, so that one failed scrape does not raise an alert.
MINIMUM_FOR_SECONDS = 5
#: Minimum of a shortened range or offset: three scrapes, so that a rate survives a failed one.
MINIMUM_RANGE_SECONDS = 6

#: Durations in an expression: range selectors, subqueries and offsets. Thresholds in seconds do not change.
_IN_EXPRESSION = re.compile(r"(?<=\[)[\dsmhdw:]+(?=\])|(?<=offset )[\dsmhdw]+")

Sample = tuple[Mapping[str, str], float]


def shorten(duration: str, minimum: int) -> str:
    """Divide a duration by `SPEEDUP`.

    Args:
        duration: Prometheus duration such as `1h30m`.
        minimum: Shortest result in seconds, unless the duration is zero.
    """
    seconds = promql.seconds(duration)
    return f"{max(minimum, round(seconds / SPEEDUP))}s" if seconds else "0s"


def speed_up_rules(text: str) -> str:
    """Divide every duration and every `for` in a rule file by `SPEEDUP`.

    The groups' intervals are removed, so that the server's interval applies.

    Args:
        text: Content of the rule file.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = _IN_EXPRESSION.sub(
                lambda found: ":".join(
                    shorten(part, MINIMUM_RANGE_SECONDS) if part else "" for part in found[0].split(":")
                ),
                rule["expr"],
            )
            if "for" in rule:
                rule["for"] = shorten(rule["for"], MINIMUM_FOR_SECONDS)
    return str(yaml.safe_dump(document, sort_keys=False))


class Prometheus:
    """A Prometheus server with the chart's rules, sped up.

    Args:
        folder: Folder for the configuration, data and log.
        scrape_seconds: Seconds between two scrapes.
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
            (rules / file.name).write_text(speed_up_rules(file.read_text(encoding="utf-8")))
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
            # The series of an exited process must disappear as fast as the sped-up rules require.
            "query.lookback-delta": f"{5 * scrape_seconds}s",
        }
        with (self._folder / "prometheus.log").open("ab") as log:
            command = [found, *(f"--{name}={value}" for name, value in flags.items())]
            self._process = launch(command, stdout=log, stderr=log)

    def wait_until_ready(self) -> "Prometheus":
        """Wait until the server responds, and return self."""
        limit = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):  # noqa: S310 — our own HTTP URL
                    return self
            except OSError:
                log = (self._folder / "prometheus.log").read_text()[-2_000:]
                assert self._process.poll() is None, f"prometheus does not start: {log}"
                assert time.monotonic() < limit, f"prometheus does not answer: {log}"
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server."""
        end(self._process)

    def scrape(self, ports: Mapping[str, int]) -> None:
        """Replace the scraped processes.

        Args:
            ports: Port of each process, by name.
        """
        content = json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports.values()]}])
        unfinished = self._targets.with_suffix(".new")
        unfinished.write_text(content)
        unfinished.replace(self._targets)

    def query(self, expression: str) -> list[Sample]:
        """Return the labels and the current value of each series that an expression yields."""
        answer = self._get("query", query=expression)
        if answer["resultType"] == "scalar":
            return [({}, float(answer["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    def value(self, expression: str) -> float | None:
        """Return the value of an expression with one series, or None if it has no series."""
        samples = self.query(expression)
        assert len(samples) < 2, f"{expression} has {len(samples)} series"
        return samples[0][1] if samples else None

    def query_range(
        self, expression: str, seconds: float, step: float = 1
    ) -> list[tuple[Mapping[str, str], list[float]]]:
        """Return the labels and the values over the last seconds of each series that an expression yields."""
        now = time.time()
        answer = self._get("query_range", query=expression, start=now - seconds, end=now, step=step)
        return [(series["metric"], [float(value) for _, value in series["values"]]) for series in answer["result"]]

    def targets(self) -> dict[str, str]:
        """Return address → health of each target: `up`, `down` or `unknown`."""
        return {target["labels"]["instance"]: target["health"] for target in self._get("targets")["activeTargets"]}

    def rule_problems(self) -> list[str]:
        """Return the errors of the rules that Prometheus could not evaluate."""
        groups = self._get("rules")["groups"]
        assert groups, "no rules are loaded"
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule.get("lastError")
        ]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self._firing()}

    def alert(self, name: str) -> list[Mapping[str, Any]]:
        """Return the firing alerts with this name, with their labels and annotations."""
        return [alert for alert in self._firing() if alert["labels"]["alertname"] == name]

    def _firing(self) -> list[Mapping[str, Any]]:
        return [alert for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"]

    def fired(self, seconds: float) -> set[str]:
        """Return the names of the alerts that fired at any time within the last `seconds`."""
        expression = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{round(seconds)}s]))'
        return {labels["alertname"] for labels, _ in self.query(expression)}

    def _get(self, path: str, **parameters: object) -> Any:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 — our own HTTP URL
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read()).get("error", error)
            raise AssertionError(f"{path} {parameters.get('query', '')}: {problem}") from None
