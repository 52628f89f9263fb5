"""Daily deep check: every file of the lake, and every recording against its row."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.compliance import audit_report
from qa_core.compliance.recordings import vault
from qa_core.compliance.rules.measures import STORES_CHECKED
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import data_map, store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Recording

EVERY, OLD = timedelta(days=1), timedelta(days=2)


@dataclass(frozen=True)
class StoreCheck:
    """Numbers of damaged or missing files, of the lake and of recordings, at that moment, and
    of what nothing keeps any more: files without a row, rows without the row they are part of.
    """

    at: datetime
    lake_files: int
    recordings: int
    strays: int = 0

    @property
    def is_well(self) -> bool:
        return not self.lake_files and not self.recordings

    @property
    def result(self) -> str:
        """The result as the audit log records it."""
        damaged = f"damaged: {self.lake_files} of the lake, {self.recordings} recordings"
        return f"{damaged}; {self.strays} without a row"

    @property
    def is_a_day_old(self) -> bool:
        return now() - self.at >= EVERY

    @property
    def is_old(self) -> bool:
        return now() - self.at > OLD


def check() -> StoreCheck:
    """Read every file of the lake and every recording."""
    damaged = {name for name, size in _find_recordings().items() if not vault.is_whole(name, size)}
    # What was deleted meanwhile is missing by right.
    damaged &= _find_recordings().keys() if damaged else set()
    lost = len(lake.find_damage(deep=True))
    return StoreCheck(now(), lost, len(damaged), len(find_strays()) + _count_orphans())


def find_strays() -> list[Path]:
    """Find files of audio that no row names, and files of the lake that no log names. One that
    an import is bringing is named by the next check.
    """
    old = (now() - EVERY).timestamp()
    files = {path for path in vault.folder().rglob("*") if path.is_file()}
    files -= {vault.folder() / name for name in _find_recordings()}
    unnamed = [path for path in sorted(files) if path.exists() and path.stat().st_mtime < old]
    return [*unnamed, *lake.find_strays(old)]


def _count_orphans() -> int:
    """Count the rows whose whole is gone: no period and no erasure reaches them."""
    with store.reading() as session:
        count = 0
        for entry in data_map.find_records().values():
            if entry.stored.part_of:
                part_of = entry.table.c[entry.stored.part_of]
                [key] = part_of.foreign_keys
                orphans = sa.select(sa.func.count()).select_from(entry.table)
                whole = sa.select(key.column)
                orphans = orphans.where(part_of.is_not(None), part_of.not_in(whole))
                count += session.scalar(
                    Unscoped(orphans, "Rows of nobody are counted. Only their number is shown.")
                )
        return count


def is_due() -> bool:
    """Return whether the last check is a day old or found damage, which may be mended by now."""
    return store.is_ready() and _is_due_after(find_last())


def check_daily() -> None:
    """Check the stores where it is due; record a result that is new, or a day after the last."""
    last = find_last() if store.is_ready() else None
    if not store.is_ready() or not _is_due_after(last):
        return
    found = check()
    if last is None or last.is_a_day_old or found.result != last.result:
        with store.writing() as session:
            audit_log.record(session, Viewer.SYSTEM.username, STORES_CHECKED, reason=found.result)


def _is_due_after(last: StoreCheck | None) -> bool:
    return last is None or last.is_a_day_old or not last.is_well or last.strays > 0


def find_last() -> StoreCheck | None:
    """Find the result of the last check; None before the first."""
    for entry in audit_report.find_entries(Viewer.SYSTEM, action=STORES_CHECKED, limit=1):
        return StoreCheck(entry.at, *map(int, re.findall(r"\d+", entry.reason)))
    return None


def _find_recordings() -> dict[str, int]:
    rows = sa.select(Recording.file_name, Recording.clear_bytes)
    with store.reading() as session:
        found = session.execute(
            Unscoped(
                rows.where(Recording.file_name.is_not(None)),
                "Every recording is checked for damage. Only names and sizes of files are read.",
            )
        )
        return dict(map(tuple, found))
