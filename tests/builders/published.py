"""Small centres as executives see them: rated contacts by queue, landed and published."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from builders.centres import close_month, contact, land
from qa_core.access.roles import Role, Viewer
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period

EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
MAY = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))


def of_queue(queue: str, advisors: int, each: int, month: int = 5) -> list[dict[str, Any]]:
    """`each` rated contacts of so many advisors in that queue."""
    return [
        contact(
            f"2026-{month:02d}-{4 + position % 20:02d} 10:00",
            queue=queue,
            advisor_id=f"a{advisor}",
            csat=1.0 + position % 5,
            csat_scale="1-5",
        )
        for advisor in range(advisors)
        for position in range(each)
    ]


def land_all(*groups: list[dict[str, Any]]) -> None:
    """Land these contacts, and make their last month one that is over."""
    rows = list(itertools.chain.from_iterable(groups))
    land([{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)])
    close_month(max(row["month"] for row in rows))


def land_two_queues() -> None:
    """Land two large queues: tests that begin with them start from one centre."""
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 20))


def shown(kpi: str, *by: str, where: Filters = Filters()) -> dict[Any, str]:
    frame = query.measure(EXECUTIVE, (kpi,), by, where)
    return {
        (tuple(row[name] for name in by) if len(by) > 1 else row[by[0]] if by else None): row[
            "status"
        ]
        for row in frame.to_dict("records")
    }
