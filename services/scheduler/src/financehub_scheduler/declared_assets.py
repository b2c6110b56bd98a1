"""Writes a file's declared assets to the store, and caches all assets of the store.

A schedule's arguments may name assets, and the scheduler refuses a schedule that names an unknown one.
"""

from collections.abc import Mapping
from pathlib import Path

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.errors import CorruptDataError, InvalidArgumentsError, StoreUnavailableError
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import AssetsFileError, load_assets
from financehub_shared.market.protocols import Store

log = structlog.get_logger(__name__)

#: A changed assets file, or a new asset in the store, takes effect within about this time.
ASSETS_SECONDS = 2.0


class DeclaredAssets:
    """Keeps the store's declared assets in sync with a file, and caches the assets in the store.

    Args:
        store: The store that has the assets.
        file: YAML file of the declared assets, possibly mounted from a ConfigMap; None if there is none.
    """

    def __init__(self, store: Store, file: Path | None) -> None:
        self._store = store
        self._file = file
        self._reconciled: tuple[int, int, int] | None = None
        self._known: Mapping[str, Asset] | None = None
        self._failing = False

    @property
    def known(self) -> bool:
        """Whether the store has been read since the declared assets were written."""
        return self._known is not None

    def step(self) -> bool:
        """Write the declared assets if the file has changed, then read the store. This blocks, so call it in a thread.

        A failure changes nothing and is logged once. A later step tries again.

        Returns:
            Whether the store's assets have changed since the last step.
        """
        try:
            if self._file is not None:
                self._reconcile(self._file)
            known = {asset.symbol: asset for asset in self._store.assets(active_only=False)}
        except (StoreUnavailableError, CorruptDataError) as error:
            if not self._failing:
                log.warning("assets_read_failed", error=str(error))
            self._failing = True
            return False
        changed = known != self._known
        self._known, self._failing = known, False
        return changed

    def argument_problem(self, schedule: Schedule) -> str:
        """Return why a schedule's arguments do not fit the known assets, naming the argument; empty if they fit."""
        if not schedule.symbols:
            return ""
        if self._known is None:
            return "the assets in the store could not be read yet"
        named = [self._known[symbol] for symbol in schedule.symbols if symbol in self._known]
        try:
            select_assets(schedule.task, schedule.symbols, named)
        except InvalidArgumentsError as error:
            return str(error)
        return ""

    def _reconcile(self, file: Path) -> None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)  # `load_assets` reports the problem, once
        if stamp == self._reconciled:
            return
        try:
            written, removed = self._store.reconcile_assets(load_assets(file))
        except AssetsFileError as error:
            # An invalid file does not change the assets.
            for problem in error.problems:
                log.error("assets_refused", problem=problem)  # noqa: TRY400 — a traceback would not add anything
        else:
            log.info("assets_reconciled", file=str(file), written=written, removed=removed)
        self._reconciled = stamp
