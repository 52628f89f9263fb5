"""Tables of alert rules and of the alerts that they raised."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Numbered, now, reference

FiredFor = data.declare(str, data.IDENTIFIER, data.ADVISOR, data.ACCOUNT)


class AlertRule(Numbered, holds=data.NOBODY):
    """Alert rule of a KPI: for the whole centre, one value of a dimension, or
    (`dimension_value` null) each of its values. Ended, not deleted.
    """

    kpi: Mapped[data.Code]
    kind: Mapped[data.Code]
    """threshold · control · target"""
    grain: Mapped[data.Code]
    """day · week · month"""
    dimension: Mapped[data.Code | None]
    dimension_value: Mapped[data.Member | None]
    side: Mapped[data.Code | None]
    """above · below, of a threshold"""
    threshold: Mapped[float | None]
    periods: Mapped[int] = mapped_column(default=1)
    clear_after: Mapped[int] = mapped_column(default=2)
    created_by: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_by: Mapped[data.Username | None]
    ended_at: Mapped[datetime | None]


class AlertEvent(Numbered, holds=data.NOBODY):
    """Alert of a rule on a slice: from the first firing period to the last before it is clear."""

    __table_args__ = (sa.Index("ix_alert_event_state", "state"),)

    rule_id: Mapped[int] = reference("alert_rule.id", "CASCADE", index=True)
    dimension_value: Mapped[FiredFor | None]
    first_day: Mapped[date]
    """First day of the first period that fired."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """End of the last period that fired; the numbers are of that one."""
    fired: Mapped[data.Code]
    """threshold · beyond_limit · two_of_three · run · target"""
    side: Mapped[int]
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[float | None]
    reference: Mapped[float | None]
    """Threshold, limit, usual level or target that the value is compared with."""
    first_seen: Mapped[datetime] = mapped_column(default=now)
    last_seen: Mapped[datetime] = mapped_column(default=now)
    state: Mapped[data.Code] = mapped_column(default="open")
    """open · acknowledged · closed"""
    acknowledged_by: Mapped[data.Username | None]
    acknowledged_at: Mapped[datetime | None]
    closed_by: Mapped[data.Username | None]
    closed_at: Mapped[datetime | None]
