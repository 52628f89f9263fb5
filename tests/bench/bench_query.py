"""How long one question takes on the demo centre, warm, in wall-clock and processor
milliseconds. Prints; fails nothing.

With QA_HOME set to a centre that has data, that one is asked; else the demo centre is
made in a temporary folder first.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sqlalchemy as sa

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.people import Membership, Team

AIM, AIM_WITH_PERCENTILES = 30, 60
REPEATS = 15
HEADLINE = ("received", "answered", "answer_rate", "abandon_rate", "service_level", "csat")
EXECUTIVE = Viewer("bench", Role.EXECUTIVE)


def questions(
    last_day: date,
) -> dict[str, tuple[Viewer, tuple[str, ...], tuple[str, ...], Filters]]:
    """Name → viewer, KPIs, cuts and filters: each KPI over everything, and what the
    pages ask.
    """
    everything, month = Filters(), Filters(Period(last_day.replace(day=1), last_day))
    asked = {kpi.key: (Viewer.SYSTEM, (kpi.key,), (), everything) for kpi in kpis.ALL}
    asked["headline of six"] = (Viewer.SYSTEM, HEADLINE, (), everything)
    asked["headline of six, last month"] = (Viewer.SYSTEM, HEADLINE, (), month)
    asked["two by week"] = (Viewer.SYSTEM, ("received", "answer_rate"), ("week",), everything)
    asked["first contact by week and queue"] = (
        Viewer.SYSTEM,
        ("first_contact_resolution",),
        ("week", "queue"),
        everything,
    )
    asked["score, resolution, csat and handle time by advisor"] = (
        Viewer.SYSTEM,
        ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time"),
        ("advisor",),
        everything,
    )
    asked["scores by queue"] = (Viewer.SYSTEM, ("evaluation_score",), ("queue",), everything)
    asked["costs by campaign"] = (
        Viewer.SYSTEM,
        ("cost_per_contact", "cost_per_answered"),
        ("campaign",),
        everything,
    )
    asked["answer rate by weekday and hour"] = (
        Viewer.SYSTEM,
        ("answer_rate",),
        ("weekday", "hour"),
        everything,
    )
    for title, viewer in find_viewers().items():
        asked[f"{title}: headline of six"] = (viewer, HEADLINE, (), everything)
        asked[f"{title}: two by week"] = (viewer, ("received", "csat"), ("week",), everything)
        asked[f"{title}: scores by queue"] = (viewer, ("evaluation_score",), ("queue",), everything)
    asked["executive: csat and nps by month"] = (EXECUTIVE, ("csat", "nps"), ("month",), everything)
    asked["executive: csat by queue"] = (EXECUTIVE, ("csat",), ("queue",), everything)
    return asked


def find_viewers() -> dict[str, Viewer]:
    """A viewer of each scope: the teams of the demo, one of them for a year, one advisor."""
    with store.reading() as session:
        teams = tuple(session.scalars(sa.select(Team.name).order_by(Team.name)))
        advisor = session.scalar(sa.select(sa.func.min(Membership.advisor_id)))
    year = TeamSpan(teams[0], date(2025, 1, 1), date(2026, 1, 1))
    return {
        "manager": Viewer("bench", Role.MANAGER, managed_teams=teams[1:]),
        "team lead": Viewer("bench", Role.TEAM_LEAD, led_teams=(year, TeamSpan(teams[-1]))),
        "advisor": Viewer("bench", Role.ADVISOR, advisor_id=advisor),
    }


def main() -> None:
    store.migrate()
    if lake.span() is None:
        from qa_core.cli import demo

        demo.build(Viewer.SYSTEM)
    print(f"{query.count_contacts(Viewer.SYSTEM):,} contacts")
    medians = {False: [], True: []}
    print(f"{'question':55s} {'median':>8s} {'least':>8s} {'cpu':>8s}")
    for name, (viewer, keys, by, where) in questions(query.data_span(Viewer.SYSTEM)[1]).items():
        walls, processors = [], []
        for _ in range(REPEATS + 1):
            wall, processor = time.perf_counter(), time.process_time()
            query.measure(viewer, keys, by, where)
            walls.append((time.perf_counter() - wall) * 1000)
            processors.append((time.process_time() - processor) * 1000)
        median = statistics.median(walls[1:])
        medians[any(kpis.BY_KEY[key].has_percentiles for key in keys)].append(median)
        print(
            f"{name:55s} {median:8.1f} {min(walls[1:]):8.1f} "
            f"{statistics.median(processors[1:]):8.1f}"
        )
    print(f"median question {statistics.median(medians[False]):.1f} ms (aim {AIM})")
    print(
        f"with percentiles {statistics.median(medians[True]):.1f} ms (aim {AIM_WITH_PERCENTILES})"
    )


if __name__ == "__main__":
    if os.environ.get("QA_HOME"):
        main()
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["QA_HOME"] = folder
            main()
