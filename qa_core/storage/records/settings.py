"""Table of the dated values of settings."""

from datetime import date, datetime

from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Numbered, now


class SettingValue(Numbered, holds=data.NOBODY):
    """Value of a setting from that day (null: always). The newest entry for a day wins."""

    name: Mapped[data.Code] = mapped_column(index=True)
    value: Mapped[data.Wording]
    valid_from: Mapped[date | None]
    set_by: Mapped[data.Username]
    set_at: Mapped[datetime] = mapped_column(default=now)
