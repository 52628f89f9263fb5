"""Contacts whose file gives a day and no time of day: on their day, and at no hour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders.import_files import bring, find_contacts

from qa_core.access.roles import Viewer
from qa_core.centre.rules import opening_hours
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.upkeep import after_import

CONTACTS = """contact_id,started_at,outcome,wait_seconds
C1,2026-03-20 09:10:00,answered,10
C2,2026-03-20 00:10:00,answered,20
C3,2026-03-20,answered,30
C4,2026-03-21,abandoned,40
C5,2026-03-21,answered,50
"""


def count(by: str, *where: tuple[str, Any]) -> dict[Any, int]:
    filters = Filters(values=tuple((name, (value,)) for name, value in where))
    frame = query.measure(Viewer.SYSTEM, ("received",), (by,), filters)
    return {row["by"][by]: row["n"] for row in query.to_json(frame, (by,))}


def test_a_contact_without_a_time_of_day_is_in_its_day_and_in_no_hour(centre: Path) -> None:
    report = bring(centre, "contacts", CONTACTS)
    [days] = [fact for fact in report.as_json()["reading"]["facts"] if fact["fact"] == "days"]
    assert days["counts"]["time_missing"] == 3
    assert count("half_hour") == {"00:00": 1, "09:00": 1, None: 3}
    assert count("hour") == {0: 1, 9: 1, None: 3}
    assert count("day") == {"2026-03-20": 3, "2026-03-21": 2}
    assert count("weekday") == {5: 3, 6: 2}
    assert count("day", ("hour", 0)) == {"2026-03-20": 1}
    assert count("day", ("half_hour", None)) == {"2026-03-20": 1, "2026-03-21": 2}


def test_a_later_file_with_the_time_gives_the_contact_its_hour(centre: Path) -> None:
    bring(centre, "contacts", CONTACTS)
    bring(centre, "contacts", "contact_id,started_at,outcome\nC3,2026-03-20 11:40:00,answered\n")
    assert count("half_hour") == {"00:00": 1, "09:00": 1, "11:30": 1, None: 2}


def test_moments_all_at_midnight_are_days_alone(centre: Path) -> None:
    rows = [f"C{row},2026-03-{row + 1:02d} 00:00:00,answered" for row in range(20)]
    text = "\n".join(["contact_id,started_at,outcome", *rows])
    bring(centre, "contacts", text)
    assert count("hour") == {None: 20}
    other = f"{text}\nC20,2026-03-21 08:30:00,answered\n".replace("C", "D")
    bring(centre, "contacts", other, system="other")
    assert count("hour") == {0: 20, 8: 1, None: 20}


def test_opening_hours_and_hours_of_selling_say_nothing_of_a_day_alone(centre: Path) -> None:
    sold = """contact_id,started_at,team,site,direction,outcome,purpose_of_call
C1,2026-03-20,Nord,Lille,inbound,abandoned,
C2,2026-03-20 00:10:00,Nord,Lille,inbound,abandoned,
C3,2026-03-20,Nord,Lille,outbound,answered,sales
C4,2026-03-20 00:20:00,Nord,Lille,outbound,answered,sales
"""
    bring(centre, "contacts", sold)
    hours = opening_hours.parse_hours(["mon-fri=09:00-18:00"])
    opening_hours.set_opening(Viewer.SYSTEM, "Lille", hours, calendar="none")
    after_import.do_due()
    expected = [
        ("C1", "abandoned", None),
        ("C2", "closed", True),
        ("C3", "answered", None),
        ("C4", "answered", True),
    ]
    assert find_contacts("outcome", "outside_sales_hours") == expected
    bring(centre, "contacts", sold.replace("C", "D"), system="later")
    later = find_contacts("outcome", "outside_sales_hours", where="source_system = 'later'")
    assert [row[1:] for row in later] == [row[1:] for row in expected]
