"""Daily deep check: every file of the lake, and every recording against its row."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.compliance import audit_report
from qa_core.compliance.recordings import vault
from qa_core.compliance.rules.measures import STORES_CHECKED
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Recording

EVERY, OLD = timedelta(days=1), timedelta(days=2)


@dataclass(frozen=True)
class StoreCheck:
    """Numbers of damaged or missing files, of the lake and of recordings, at that moment."""

    at: datetime
    lake_files: int
    recordings: int

    @property
    def is_well(self) -> bool:
        return not self.lake_files and not self.recordings

    @property
    def result(self) -> str:
        """The result as the audit log records it."""
        return f"damaged: {self.lake_files} of the lake, {self.recordings} recordings"

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
    return StoreCheck(now(), len(lake.find_damage(deep=True)), len(damaged))


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
    return last is None or last.is_a_day_old or not last.is_well


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
