"""Telephone selling: twelve calls, each breach counted once, on the consumer's clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders.centres import add_people
from builders.import_files import bring, find_contacts
from builders.long_seeds import leave_to_long
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.kpis import selling

HEADER = (
    "contact_id,started_at,direction,outcome,customer,purpose_of_call,prior_consent,sales_refused\n"
)
CALLS = """c1,2026-09-07 11:00,outbound,answered,0612345601,sales,express,
c2,2026-09-08 11:00,outbound,answered,0612345602,sales,running_contract,
c3,2026-09-08 11:10,outbound,answered,0612345603,sales,no,
c4,2026-09-12 11:00,outbound,answered,0612345604,sales,running_contract,
c5,2026-09-09 13:30,outbound,answered,0612345605,sales,express,
c6,2026-09-09 11:00,outbound,answered,+262692345606,sales,running_contract,
c7,2026-11-11 11:00,outbound,answered,0612345607,sales,running_contract,
c8,2026-09-01 10:00,outbound,answered,0612345608,sales,running_contract,
c9,2026-09-02 10:00,outbound,abandoned,0612345608,sales,running_contract,
c10,2026-09-03 19:59,outbound,abandoned,0612345608,sales,running_contract,
c11,2026-09-04 10:00,outbound,abandoned,0612345608,sales,running_contract,yes
c12,2026-09-30 10:00,outbound,answered,0612345608,sales,running_contract,
other,2026-09-12 22:00,outbound,answered,0612345603,service,no,
inbound,2026-09-12 22:00,inbound,answered,0612345603,sales,no,
"""
ROWS = (HEADER + CALLS).splitlines()


def measure(*by: str) -> dict[str, tuple[float, int]]:
    rows = query.measure(Viewer.SYSTEM, [kpi.key for kpi in selling.ALL], by)
    return {row.kpi: (row.numerator, row.n) for row in rows.itertuples()}


def test_each_breach_of_twelve_sales_calls_is_counted_once(centre: Path) -> None:
    bring(centre, "contacts", HEADER + CALLS)

    assert measure() == {
        "sales_without_consent": (1, 12),  # c3
        # c4 on a Saturday, c6 at 13:00 in Réunion, c7 on Armistice Day; c1 and c5 agreed.
        "sales_outside_hours": (3, 10),
        "sales_beyond_four": (1, 12),  # c12, the fifth in 30 days
        "sales_after_refusal": (1, 12),  # c12 again, 26 days after c11
    }
    assert find_contacts("customer_zone", where="contact_id IN ('c1', 'c6')") == [
        ("c1", "Europe/Paris"),
        ("c6", "Indian/Reunion"),
    ]


def test_calls_further_apart_are_no_breach_and_unknown_consumers_are_left_out(
    centre: Path,
) -> None:
    rows = "".join(
        f"d{day},2026-{month:02}-{day:02} 10:30,outbound,answered,0612345608,sales,express,{no}\n"
        for month, day, no in ((6, 1, "yes"), (8, 3, ""), (8, 4, ""), (8, 5, ""), (9, 3, ""))
    )
    hidden = "h1,2026-09-03 10:30,outbound,answered,anonymous,sales,express,\n"
    bring(centre, "contacts", HEADER + rows + hidden)

    found = measure()
    assert found["sales_beyond_four"] == (0, 5) and found["sales_after_refusal"] == (0, 5)
    assert found["sales_without_consent"] == (0, 6)


def test_nothing_is_judged_where_no_file_says_that_calls_are_sales(centre: Path) -> None:
    without = [row.rsplit(",", 3)[0] for row in (HEADER + CALLS).splitlines()]
    ends = ["prior_consent", *["Mrs Brown says yes"] * (len(without) - 1)]
    rows = (f"{row},{end}" for row, end in zip(without, ends, strict=True))
    bring(centre, "contacts", "\n".join(rows))
    assert find_contacts("prior_consent", where="prior_consent IS NOT NULL") == []

    rows = query.measure(Viewer.SYSTEM, [kpi.key for kpi in selling.ALL])
    assert set(rows["status"]) == {"no_data"}


@pytest.mark.parametrize("role", [Role.EXECUTIVE, Role.ADVISOR, Role.DPO])
def test_only_who_leads_teams_sees_them(centre: Path, role: Role) -> None:
    with pytest.raises(AccessDenied):
        query.measure(Viewer("x", role), ["sales_outside_hours"])


def test_traffic_shows_the_breaches_where_calls_are_sales(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    calls = [row + (",team" if not place else ",Nord") for place, row in enumerate(ROWS)]
    bring(centre, "contacts", "\n".join(calls))
    app = open_app(add_person("mona", "manager", sites=("Lille",)), "traffic", period="all")

    assert not app.exception
    assert "Sales calls" in [item.value for item in app.subheader]
    text = " ".join(item.value for item in app.markdown)
    assert "Sales calls outside hours" in text and "Sales calls without proof" in text


HOLIDAYS = "04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11"
"""Public holidays in France from April to November 2026."""


@pytest.mark.parametrize("seed", leave_to_long(range(3), but=[0]))
def test_a_plain_count_finds_the_same_breaches(centre: Path, seed: int) -> None:
    chance = random.Random(seed)
    moments = sorted(
        datetime(2026, 4, 1) + timedelta(minutes=15 * chance.randrange(240 * 96))
        for _call in range(400)
    )
    calls = [
        {
            "at": at,
            "who": chance.choice([f"06123456{n:02}" for n in range(25)] + ["anonymous"]),
            "consent": chance.choice(["express", "running_contract", "no", ""]),
            "refused": chance.random() < 0.05,
        }
        for at in dict.fromkeys(moments)
    ]
    rows = (
        f"r{n},{call['at']:%Y-%m-%d %H:%M},outbound,answered,{call['who']},sales,"
        f"{call['consent']},{'yes' if call['refused'] else ''}\n"
        for n, call in enumerate(calls)
    )
    bring(centre, "contacts", HEADER + "".join(rows))

    def is_outside(at: datetime) -> bool:
        is_day_off = at.weekday() > 4 or f"{at:%m-%d}" in HOLIDAYS.split()
        return is_day_off or not (10 <= at.hour < 13 or 14 <= at.hour < 20)

    timed = [call for call in calls if call["consent"] != "express"]
    known = [call for call in calls if call["who"] != "anonymous"]
    beyond = after = 0
    for call in known:
        earlier = [
            other for other in known if other["who"] == call["who"] and other["at"] < call["at"]
        ]
        beyond += sum(call["at"] - other["at"] <= timedelta(days=30) for other in earlier) >= 4
        after += any(
            other["refused"] and call["at"] - other["at"] <= timedelta(days=60) for other in earlier
        )
    without = sum(call["consent"] in ("no", "") for call in calls)
    found = measure()
    assert found["sales_without_consent"] == (without, len(calls))
    assert found["sales_beyond_four"] == (beyond, len(known))
    assert found["sales_after_refusal"] == (after, len(known))
    # Of a hidden number the zone is the centre's.
    assert found["sales_outside_hours"] == (sum(is_outside(c["at"]) for c in timed), len(timed))
