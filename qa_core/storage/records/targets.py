"""Tables of targets, and of the notes that charts show beside them."""

from datetime import date, datetime

from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Numbered, now


class Target(Numbered, holds=data.NOBODY):
    """Target of a KPI, for the whole centre or one value of one dimension, in a period."""

    kpi: Mapped[data.Code] = mapped_column(index=True)
    dimension: Mapped[data.Code | None]
    dimension_value: Mapped[data.Member | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    value: Mapped[float]
    set_by: Mapped[data.Username]
    set_at: Mapped[datetime] = mapped_column(default=now)


class Annotation(Numbered, holds=data.Stored((), "notes", "ends_on")):
    """Note on what happened at the centre, a site, team or queue, on a day or days (inclusive)."""

    title: Mapped[data.FreeText]
    dimension: Mapped[data.Code | None]
    dimension_value: Mapped[data.Member | None]
    starts_on: Mapped[date] = mapped_column(index=True)
    ends_on: Mapped[date]
    author: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)
