"""Weeks and months as reports label them: `2024-03`, `Apr-15`, `S12 2025`, `2025-W12`."""

import re
from datetime import date, timedelta

from qa_core.ingest.columns.timestamps import PIVOT_YEAR, find_month

DAY_MINUTES = 1_440
_MONTH = re.compile(r"^(?P<y>\d{4})[-/. ](?P<m>\d{1,2})$|^(?P<m2>\d{1,2})[-/. ](?P<y2>\d{4})$")
_NAMED = re.compile(r"^(?P<name>[A-Za-zÀ-ÿ]{3,10})\.?[-/. ']*(?P<y>\d{4}|\d{2})$")
_WEEK = re.compile(
    r"^(?:(?P<y>\d{4})[-/ ]?)?(?:week|semaine|sem|wk|kw|w|s)\.? ?(?P<w>\d{1,2})"
    r"(?:[-/ ]+(?P<y2>\d{4}))?$",
    re.IGNORECASE,
)


def parse_period(text: str) -> tuple[date, int] | None:
    """Find the first day of a week or month, and its length in minutes; else None."""
    plain = " ".join(text.split())
    week = _WEEK.match(plain)
    if week:
        year = week["y"] or week["y2"]
        try:
            return date.fromisocalendar(int(year), int(week["w"]), 1), 7 * DAY_MINUTES
        except (TypeError, ValueError):
            return None
    numeric, named = _MONTH.match(plain), _NAMED.match(plain)
    if numeric:
        year, month = int(numeric["y"] or numeric["y2"]), int(numeric["m"] or numeric["m2"])
    elif named:
        year, month = int(named["y"]), find_month(named["name"])
        year += (2000 if year < PIVOT_YEAR else 1900) if year < 100 else 0
    else:
        return None
    if not 1 <= month <= 12:
        return None
    first = date(year, month, 1)
    following = (first + timedelta(days=32)).replace(day=1)
    return first, (following - first).days * DAY_MINUTES
