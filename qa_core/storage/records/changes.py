"""Marks of change: a value per subject of the records that differs after any change of it,
so that what is kept of it is known to be out of date.
"""

import functools
import secrets

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base

QUIET = frozenset(
    {"change_mark", "login_session", "second_factor", "sign_in_throttle", "due_work", "rule_day"}
    | {"saved_view", "delivery", "source_window"}
)
"""Tables that are written often and that no figure and no list of a page is made from."""


class ChangeMark(Base, holds=data.NOBODY):
    """Random text, new after each transaction that wrote to a table of the subject: it never
    recurs, not even with an older copy of the records.
    """

    subject: Mapped[data.Code] = mapped_column(primary_key=True)
    mark: Mapped[data.Code]


def find_marks(session: orm.Session) -> dict[str, str]:
    """Read the mark of each subject; one that was never written has none."""
    return dict(session.execute(sa.select(ChangeMark.subject, ChangeMark.mark)).all())


def watch(session_class: type[orm.Session]) -> None:
    """Change the mark of a subject in every transaction of these sessions that writes to it."""

    @sa.event.listens_for(session_class, "before_flush")
    def _flush(session: orm.Session, *_: object) -> None:
        for row in (*session.new, *session.dirty, *session.deleted):
            _change(session, row.__tablename__)

    @sa.event.listens_for(session_class, "do_orm_execute")
    def _execute(state: orm.ORMExecuteState) -> None:
        if state.is_insert or state.is_update or state.is_delete:
            _change(state.session, state.statement.table.name)


@functools.cache
def _find_subjects() -> dict[str, str]:
    """Name the subject of each table: the module that declares it."""
    return {
        mapper.local_table.name: mapper.class_.__module__.rpartition(".")[2]
        for mapper in Base.registry.mappers
        if mapper.local_table.name not in QUIET
    }


def _change(session: orm.Session, table: str) -> None:
    subject = _find_subjects().get(table)
    changed = session.info.setdefault("changed", set())
    if subject is None or subject in changed:
        return
    changed.add(subject)
    mark = {"mark": secrets.token_hex(8)}
    update = sa.update(ChangeMark).where(ChangeMark.subject == subject).values(mark)
    if not session.execute(update).rowcount:
        session.execute(sa.insert(ChangeMark).values(subject=subject, **mark))
