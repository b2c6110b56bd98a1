"""A web process of a benchmark."""

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

from support.redis_server import free_port

#: Starts the process without the packages that the image does not have, and that libraries import if they are there.
_AS_IN_THE_IMAGE = """
import sys
sys.modules |= dict.fromkeys(("rich", "pygments", "cryptography", "attr", "greenlet"))
from financehub_web.__main__ import main
main()
"""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576


class WebProcess:
    """A web process on its own ports.

    Args:
        redis_url: URL of its Redis.
    """

    def __init__(self, redis_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            **os.environ,
            "REDIS_URL": redis_url,
            "FINANCEHUB_WEB_HOST": "127.0.0.1",
            "FINANCEHUB_WEB_PORT": str(self.port),
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
            "FINANCEHUB_HTTP_PORT": str(free_port()),
            "FINANCEHUB_WEB_REQUESTS_PER_SECOND": "100000",
        }
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_IN_THE_IMAGE], env=environment, stdout=subprocess.DEVNULL
        )
        while not self._is_ready():
            time.sleep(0.005)
        #: Seconds until it answered, and those of them in which its main thread did not wait for a processor.
        self.ready_seconds = time.perf_counter() - began
        self.start_seconds = self.ready_seconds - self.waited_seconds()[str(self._process.pid)]

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the web process ended with exit code {self._process.returncode}; its log is above")
        try:
            return self.get("/api/v1/queues")[0] == 200
        except OSError:
            return False

    def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of one request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    @property
    def rss_mb(self) -> float:
        """Resident memory in MB."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="utf-8").split()[1]) * _PAGE_MB

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def waited_seconds(self) -> dict[str, float]:
        """Return thread → time for which it could run, but the system gave the processor to another one."""
        folders = Path(f"/proc/{self._process.pid}/task").iterdir()
        return {folder.name: _waited_seconds(folder / "schedstat") for folder in folders}

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def own_waited_seconds() -> float:
    """Return the time for which this thread could run, but the system gave the processor to other processes."""
    return _waited_seconds(Path("/proc/thread-self/schedstat"))


def _waited_seconds(file: Path) -> float:
    try:
        return int(file.read_text(encoding="utf-8").split()[1]) / 1e9
    except OSError:  # the thread has ended
        return 0.0
