"""Writes a file's declared assets to the store, and caches all assets of the store.

A schedule's arguments may name assets, and the scheduler refuses a schedule that names an unknown one.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.errors import InvalidArgumentsError, NewerRecordError, StoreUnavailableError
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import AssetsFileError, load_assets
from financehub_shared.market.declared_set import DeclaredSet, digest_of
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable

log = structlog.get_logger(__name__)

#: A changed assets file, a new asset in the store, or the loss of declared assets takes effect within about this time.
ASSETS_SECONDS = 2.0
#: Steps for which a scheduler waits before it replaces a lost set of declared assets that another scheduler wrote from
#: another file. The other scheduler needs one step, unless it has ended.
_STEPS_FOR_THE_OTHER = 5


class DeclaredAssets:
    """Keeps the store's declared assets in sync with a file, and caches the assets in the store.

    The store keeps a record of the set that was written last. Several schedulers may have different files for a while,
    and the latest write wins. A scheduler writes its assets again only if the store has lost them: the record is
    absent, is older than the scheduler's own write, or promises assets that the store does not have.

    Args:
        store: The store that has the assets.
        file: YAML file of the declared assets, possibly mounted from a ConfigMap; None if there is none.
    """

    def __init__(self, store: Store, file: Path | None) -> None:
        self._store = store
        self._file = file
        self._read_stamp: tuple[int, int, int] | None = None
        #: The assets of the last valid file; None before one was read.
        self._declared: dict[str, Asset] | None = None
        self._digest = ""
        self._is_written = False
        #: The record of declared assets that the store had at the last step.
        self._seen: DeclaredSet | None = None
        self._steps_without_record = 0
        self._known: Mapping[str, Asset] | None = None
        self._unreadable: Unreadable = {}
        self._failing = False

    @property
    def known(self) -> bool:
        """Whether the store has been read since the declared assets were written."""
        return self._known is not None

    def step(self) -> bool:
        """Write the declared assets if the file has changed or the store has lost them, then read the store.

        This blocks, so call it in a thread. A failure changes nothing and is logged once. A later step tries again.

        Returns:
            Whether the store's assets have changed since the last step.
        """
        unreadable: Unreadable = {}
        try:
            if self._file is not None:
                self._read(self._file)
            if self._declared is not None and not self._is_written:
                self._write(self._declared)
            known = self._read_store(unreadable)
            if self._declared is not None and (loss := self._find_loss(self._declared, known, unreadable)):
                log.warning("declared_assets_lost", reason=loss)
                self._write(self._declared)
                unreadable.clear()
                known = self._read_store(unreadable)
        except StoreUnavailableError as error:
            if not self._failing:
                log.warning("assets_read_failed", error=str(error))
            self._failing = True
            return False
        changed = known != self._known or unreadable.keys() != self._unreadable.keys()
        self._known, self._unreadable, self._failing = known, unreadable, False
        return changed

    def argument_problem(self, schedule: Schedule) -> str:
        """Return why a schedule's arguments do not fit the known assets, naming the argument; empty if they fit."""
        if not schedule.symbols:
            return ""
        if self._known is None:
            return "the assets in the store could not be read yet"
        named = [self._known[symbol] for symbol in schedule.symbols if symbol in self._known]
        try:
            select_assets(schedule.task, schedule.symbols, named, self._unreadable)
        except InvalidArgumentsError as error:
            return str(error)
        return ""

    def _read_store(self, unreadable: Unreadable) -> dict[str, Asset]:
        return {asset.symbol: asset for asset in self._store.assets(active_only=False, unreadable=unreadable)}

    def _find_loss(self, declared: Mapping[str, Asset], known: Mapping[str, Asset], unreadable: Unreadable) -> str:
        """Return how the store has lost the declared assets that it should have; empty if it has not."""
        record, seen = self._store.declared_set(), self._seen
        if record is None:
            self._steps_without_record += 1
            was_ours = seen is None or seen.digest == self._digest
            lost = was_ours or self._steps_without_record > _STEPS_FOR_THE_OTHER
            return "the data Redis has no record of declared assets, as after a loss of its data" if lost else ""
        self._steps_without_record = 0
        if record.digest != self._digest:
            if seen and seen.digest == self._digest and record.at < seen.at:
                return "the data Redis has older declared assets, as after an older snapshot was restored"
            self._seen = record  # another scheduler has another file, and wrote it later
            return ""
        self._seen = record
        newer = {symbol for symbol, error in unreadable.items() if isinstance(error, NewerRecordError)}
        wanted = {symbol: asset for symbol, asset in declared.items() if symbol not in newer}
        stored = {symbol: asset for symbol, asset in known.items() if asset.declared}
        differing = sorted({*wanted, *stored} - {name for name in wanted if wanted[name] == stored.get(name)})
        if not differing:
            return ""
        names = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
        return f"declared assets in the data Redis were deleted or changed: {names}"

    def _read(self, file: Path) -> None:
        """Read the file if it has changed. An invalid file does not change the assets."""
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)  # `load_assets` reports the problem, once
        if stamp == self._read_stamp:
            return
        self._read_stamp = stamp
        try:
            declared = load_assets(file)
        except AssetsFileError as error:
            for problem in error.problems:
                log.error("assets_refused", problem=problem)  # noqa: TRY400 — a traceback would not add anything
            return
        self._declared = {asset.symbol: replace(asset, declared=True) for asset in declared}
        self._digest = digest_of(self._declared.values())
        self._is_written = False

    def _write(self, declared: Mapping[str, Asset]) -> None:
        written, removed = self._store.reconcile_assets(list(declared.values()))
        self._is_written = True
        self._seen, self._steps_without_record = self._store.declared_set(), 0
        log.info("assets_reconciled", file=str(self._file), written=written, removed=removed)
