"""Facts of contacts whose audio is kept or asked for: when, whose, what forbids keeping it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

REQUESTED_IDS = sa.table("wanted", sa.column("contact_id"))

_NOTHING: sa.ColumnElement[str] = sa.cast(sa.null(), sa.Text)


@dataclass(frozen=True)
class RecordedContact:
    """A contact as far as its audio is concerned. `against`: the first rule against the act
    that was asked about; None: nothing.

    `has_notice`: the contact's data says that the caller was informed; where it does
    not, the delivery of the audio may.
    """

    source_system: str
    contact_id: str
    advisor_id: str | None
    team: str | None
    local_start: datetime
    against: str | None
    has_notice: bool


def find_recorded(
    viewer: Viewer,
    contact_ids: Iterable[str],
    around: date | None = None,
    against: sa.ColumnElement[str] = _NOTHING,
    tables: Mapping[str, pa.Table] = {},
    with_restricted: bool = False,
) -> list[RecordedContact]:
    """Find the contacts in the viewer's scope with one of these ids, in whichever
    system; `around` their day, where it is known, reads fewer files. `with_restricted`:
    to decide what is deleted.
    """
    columns = (
        *(
            CONTACTS.c[name]
            for name in ("source_system", "contact_id", "advisor_id", "team", "local_start")
        ),
        against.label("against"),
    )
    statement = sa.select(
        *columns, sa.func.coalesce(CONTACTS.c.notice_played, sa.false()).label("has_notice")
    ).join_from(CONTACTS, REQUESTED_IDS, REQUESTED_IDS.c.contact_id == CONTACTS.c.contact_id)
    months: dict[str, str] = {}
    if around is not None:
        months = {
            "first_month": f"{around - timedelta(days=31):%Y-%m}",
            "last_month": f"{around + timedelta(days=31):%Y-%m}",
        }
    ids = pa.table({"contact_id": pa.array(sorted(set(contact_ids)), pa.string())})
    contacts = engine.current().run(
        Scoped(statement, viewer, with_restricted=with_restricted),
        {"wanted": ids, **tables},
        **months,
    )
    return [
        RecordedContact(
            row.source_system,
            row.contact_id,
            text_or_none(row.advisor_id),
            text_or_none(row.team),
            row.local_start.to_pydatetime(),
            text_or_none(row.against),
            bool(row.has_notice),
        )
        for row in contacts.itertuples(index=False)
    ]


def text_or_none(value: Any) -> str | None:
    """Return a text of a frame, or None for a missing one."""
    return value if isinstance(value, str) else None
