"""Small cells of an executive: hidden unless enough advisors and contacts stand behind them, and so that no difference of views gives one back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from qa_core.errors import AccessDenied
from qa_core.kpis import Kpi, Subject
from qa_core.query.rows import Row
from qa_core.query.statements import Question
from qa_core.slices import Period
from qa_core.wording import N_


def require_whole_months(period: Period) -> None:
    """Raise AccessDenied unless the period starts and ends with a calendar month: two periods that differ by days single people out."""
    starts = period.first_day is None or period.first_day.day == 1
    ends = period.last_day is None or (period.last_day + timedelta(days=1)).day == 1
    if not (starts and ends):
        raise AccessDenied(N_("You see whole calendar months: choose a period from the first day of a month to the last day of one."))


def hide_small_cells(question: Question, subject: Subject, asked: list[Kpi], rows: list[Row], beside: Mapping[str, Any]) -> None:
    """Suppress the rows that could show one person's results."""
    for row in rows:
        row.suppress()
