"""Takes a sample of the whole release every five seconds."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import redis

from soak import redis_view
from soak.patience import PASSING
from soak.processes import find_processes, measure
from soak.samples import ProcessSample, Sample
from soak.site import METRICS_PORT, TIERS, WITH_METRICS, Pod, Site

INTERVAL_SECONDS = 5.0
_SCRAPE_SECONDS = 3.0
_SCRAPERS = 4
#: The label that only series of single schedules have.
_OF_SCHEDULE = 'scheduledtask="'


class Sampler:
    """Takes samples and appends them to a file.

    Args:
        site: The release.
        file: File of the samples.
        clock: Returns the time in Unix seconds.
    """

    def __init__(self, site: Site, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._file = file
        self._clock = clock
        self._http = httpx.Client(trust_env=False, timeout=_SCRAPE_SECONDS)

    def run(self, stop: threading.Event) -> None:
        """Take samples until a stop is requested.

        Args:
            stop: Requests the stop.
        """
        pause = 0.0
        while not stop.wait(pause):
            begin = time.monotonic()
            # An answer that cannot be read costs this sample, but not the later ones.
            with contextlib.suppress(*PASSING):
                line = f"{self.sample().to_json()}\n"
                with self._file.open("a", encoding="utf-8") as output:
                    output.write(line)
            pause = max(0.5, INTERVAL_SECONDS - (time.monotonic() - begin))

    def sample(self) -> Sample:
        """Take one sample."""
        at = self._clock()
        self._site.refresh()
        pods = self._site.known()
        processes = self._processes(pods)
        figures, kinds, queues = self._redis()
        return Sample(at, processes, self._series(pods), figures, kinds, queues)

    def _processes(self, pods: Mapping[str, Pod]) -> tuple[ProcessSample, ...]:
        found = []
        for process in find_processes():
            pod = pods.get(process.pod_uid)
            # Init containers and what `kubectl exec` starts end soon, so they have no lifetime to look at.
            if pod is not None and process.container in pod.containers:
                found.append(measure(process, pod.component, pod.name))
        return tuple(filter(None, found))

    def _series(self, pods: Mapping[str, Pod]) -> dict[str, int]:
        """Return the number of metric series of each pod that answers, without those of single schedules.

        A scheduler creates 18 series for each schedule that it runs, for the first 200 schedules. When its share
        changes, it runs others, so their number rises to 3,600 in the course of an hour.
        """
        scraped = [pod for pod in pods.values() if pod.component in WITH_METRICS and pod.ready]
        with ThreadPoolExecutor(_SCRAPERS) as executor:
            counts = dict(zip(scraped, executor.map(self._count_series, scraped), strict=True))
        return {pod.name: count for pod, count in counts.items() if count}

    def _count_series(self, pod: Pod) -> int:
        try:
            text = self._http.get(f"http://{pod.address}:{METRICS_PORT}/metrics").raise_for_status().text
        except httpx.HTTPError:
            return 0
        return sum(bool(line) and not line.startswith("#") and _OF_SCHEDULE not in line for line in text.splitlines())

    def _redis(self) -> tuple[dict[str, int], dict[str, int], dict[str, dict[str, int]]]:
        try:
            if server := self._site.redis():
                return redis_view.figures(server), dict(redis_view.kinds(server)), redis_view.queues(server, TIERS)
        except redis.RedisError:
            # A fault: this sample has no figures of Redis.
            pass
        return {}, {}, {}
