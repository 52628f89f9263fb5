"""Deletion by age of what imports keep: people, comments, rows, images and files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.compliance.retention import (
    RowKeeper,
    find_oldest_day,
    make_due,
    read_whole,
    start_of,
    to_day,
)
from qa_core.ingest.watch import folder as watched
from qa_core.storage import lake
from qa_core.storage.facts.personal_data import ACCOUNT, ADVISOR
from qa_core.storage.records import data_map, store
from qa_core.storage.records.imports import BeforeImage, ImportBatch, WaitingRow
from qa_core.storage.records.people import Account, Advisor
from qa_core.storage.records.store import Session
from qa_core.storage.retention import DueData
from qa_core.upkeep import erasure


@dataclass(frozen=True)
class ContactKeeper:
    """Content of contacts that goes while the contact stays."""

    kind: str
    condition: str
    remove: Callable[[date], None]

    def find_due(self, as_of: date) -> DueData | None:
        due = lake.find_due_contacts(self.condition, self._find_oldest_day(as_of))
        with store.reading() as session:
            return due and make_due(session, self.kind, due.count, due.oldest, due.newest)

    def delete_due(self, as_of: date) -> None:
        self.remove(self._find_oldest_day(as_of))

    def _find_oldest_day(self, as_of: date) -> date:
        with store.reading() as session:
            return find_oldest_day(session, self.kind, as_of)


@dataclass(frozen=True)
class BatchRowKeeper:
    """Rows that an import left in the records; they go by the day of the import."""

    kind: str
    table: type[WaitingRow] | type[BeforeImage]

    def find_due(self, as_of: date) -> DueData | None:
        with store.reading() as session:
            moment = ImportBatch.started_at
            due = (
                sa.select(sa.func.count(), sa.func.min(moment), sa.func.max(moment))
                .join_from(self.table, ImportBatch, ImportBatch.id == self.table.batch_id)
                .where(moment < start_of(find_oldest_day(session, self.kind, as_of)))
            )
            count, oldest, newest = read_whole(session, due).one()
            return make_due(session, self.kind, count, to_day(oldest), to_day(newest))

    def delete_due(self, as_of: date) -> None:
        with store.writing() as session:
            before = start_of(find_oldest_day(session, self.kind, as_of))
            old = sa.select(ImportBatch.id).where(ImportBatch.started_at < before)
            session.execute(sa.delete(self.table).where(self.table.batch_id.in_(old)))


@dataclass(frozen=True)
class FileKeeper:
    """Files in a folder of the centre; they go by the day they were last written. Locks stay:
    they say which folders were watched.
    """

    kind: str
    folder: str

    def find_due(self, as_of: date) -> DueData | None:
        start = _find_start(self.kind, as_of)
        days = sorted(_find_day(moment) for _path, moment in self._find_files(start))
        with store.reading() as session:
            return make_due(session, self.kind, len(days), days[0], days[-1]) if days else None

    def delete_due(self, as_of: date) -> None:
        paths = [path for path, _moment in self._find_files(_find_start(self.kind, as_of))]
        if self.kind == "quarantine":
            with store.writing() as session:
                gone = ImportBatch.id.in_([path.stem for path in paths])
                session.execute(sa.update(ImportBatch).where(gone).values(quarantine=None))
        for path in paths:
            path.unlink(missing_ok=True)

    def _find_files(self, start: float) -> Iterator[tuple[Path | str, float]]:
        """Find the files from before that moment (seconds), each with its own."""
        for path in sorted((environment.current().folder / self.folder).rglob("*")):
            is_kept = path.suffix == ".lock" or not path.is_file()
            if not is_kept and (written_at := path.stat().st_mtime) < start:
                yield path, written_at


@dataclass(frozen=True)
class DeliveredKeeper(FileKeeper):
    """Files that were delivered into watched folders; they go by the day they were moved."""

    def delete_due(self, as_of: date) -> None:
        for folder in watched.find_watched():
            watched.delete_delivered(folder, _find_start(self.kind, as_of))

    def _find_files(self, start: float) -> Iterator[tuple[Path | str, float]]:
        for folder in watched.find_watched():
            yield from ((name, at) for _, name, at in watched.walk_delivered(folder, start))


def _find_start(kind: str, as_of: date) -> float:
    """Find the moment (seconds) before which data of that kind is due."""
    with store.reading() as session:
        return start_of(find_oldest_day(session, kind, as_of)).timestamp()


def _find_day(moment: float) -> date:
    return to_day(datetime.fromtimestamp(moment, UTC))


@dataclass(frozen=True)
class PersonKeeper:
    """People who left: they are erased as on request. `find`: their identifiers and days."""

    kind: str
    person: str
    find: Callable[[Session, date], list[tuple[str, datetime]]]

    def find_due(self, as_of: date) -> DueData | None:
        days = sorted(to_day(day) for _identifier, day in self._find(as_of))
        # When the last of their other data went is not known: due from today on.
        return DueData(self.kind, len(days), days[0], days[-1], as_of) if days else None

    def delete_due(self, as_of: date) -> None:
        erasure.erase_held(self.person, *(identifier for identifier, _day in self._find(as_of)))

    def _find(self, as_of: date) -> list[tuple[str, datetime]]:
        with store.reading() as session:
            return self.find(session, as_of)


def _find_closed_accounts(session: Session, as_of: date) -> list[tuple[str, datetime]]:
    # One that was closed past the product has no such moment.
    moment = sa.func.coalesce(Account.closed_at, Account.created_at)
    before = start_of(find_oldest_day(session, "closed_accounts", as_of))
    closed = sa.select(Account.username, moment).where(sa.not_(Account.active), moment < before)
    return read_whole(session, closed.order_by(Account.username)).all()


def _find_leavers(session: Session, as_of: date) -> list[tuple[str, datetime]]:
    """Find advisors whom nothing names that may be kept, but the directory, requests, and what
    applies until it is lifted: there is nothing left that it could apply to.
    """

    def find_due(entry: data_map.StoredTable) -> data_map.Predicate | None:
        if not entry.stored.since:
            return entry.find_parts(find_due)
        moment = getattr(entry.model, entry.stored.since)
        return RowKeeper(entry.stored.kind, ()).is_due(session, moment, as_of)

    before = start_of(find_oldest_day(session, "leavers", as_of))
    mentions = [
        # By its index where there is one: evaluations may be a million.
        sa.exists().where(column == Advisor.advisor_id, stays)
        if column.index
        else Advisor.advisor_id.in_(sa.select(column).where(column.is_not(None), stays))
        for entry in data_map.find_records().values()
        if ADVISOR in entry.stored.whose and entry.stored.kind not in (None, "leavers", "requests")
        for stays in [sa.not_(sa.func.coalesce(find_due(entry), sa.false()))]
        for column, _datum in entry.find_identifiers(ADVISOR)
    ]
    in_use = sa.select(Account.advisor_id).where(Account.active, Account.advisor_id.is_not(None))
    is_kept = sa.or_(*mentions, Advisor.advisor_id.in_(in_use))
    unnamed = sa.select(Advisor.advisor_id, Advisor.created_at).where(
        Advisor.created_at < before, sa.not_(is_kept)
    )
    leavers = read_whole(session, unnamed.order_by(Advisor.advisor_id)).all()
    first_kept = find_oldest_day(session, "contacts", as_of)
    known = lake.find_advisors(first_kept) if leavers else ()
    return [(advisor_id, day) for advisor_id, day in leavers if advisor_id not in known]


KEEPERS = (
    ContactKeeper("contacts", lake.HAS_IDENTITY, lake.remove_identities),
    ContactKeeper("survey_comments", lake.HAS_COMMENT, lake.remove_comments),
    BatchRowKeeper("waiting_rows", WaitingRow),
    BatchRowKeeper("before_images", BeforeImage),
    *(
        (DeliveredKeeper if folder == data_map.DELIVERED else FileKeeper)(stored.kind, folder)
        for folder, stored in data_map.FILES.items()
        if stored.kind not in (None, "recordings", "before_images")
    ),
    PersonKeeper("closed_accounts", ACCOUNT, _find_closed_accounts),
    PersonKeeper("leavers", ADVISOR, _find_leavers),
)
"""Data that this room deletes in its own way; people last, once nothing else names them."""
