"""Processor time of 200 scopes that ask for the figures of a week, one after another in one
process: 150 leads, some of a team taken over within a month, and 50 managers. Then the first
answers of a lead and a manager, each in a process of its own, with the sums kept by others.
Prints; fails nothing.

With QA_HOME set to a demo centre, that one is asked; else one is made in a temporary folder.
Without the argument `keep`, its sums are deleted first.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench_pages import centre

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage.lake import month_sums
from qa_core.ui.views.performance import overview

KPIS = (*overview.FIRST, *overview.SECOND)
ADVISOR_KPIS = ("first_contact_resolution", "csat", "answered", "average_handle_time")


def find_teams() -> list[str]:
    return [team for team, _n in query.find_values(Viewer.SYSTEM, "team", Filters()) if team]


def make_viewers(teams: list[str]) -> list[Viewer]:
    chance = random.Random(7)
    _first, last = query.data_span(Viewer.SYSTEM)
    viewers = []
    for number in range(150):
        start = last - timedelta(chance.randrange(300)) if chance.random() < 0.3 else None
        spans = tuple(TeamSpan(team, start) for team in chance.sample(teams, min(2, len(teams))))
        viewers.append(Viewer(f"lead{number}", Role.TEAM_LEAD, led_teams=spans))
    for number in range(50):
        some = tuple(chance.sample(teams, max(1, len(teams) // 3)))
        viewers.append(Viewer(f"manager{number}", Role.MANAGER, managed_teams=some))
    return viewers


def ask_week(viewer: Viewer) -> None:
    """The figures of the last week beside the week before, and the last 13 weeks."""
    _first, last = query.data_span(Viewer.SYSTEM)
    week, before = (Period(last - timedelta(n + 6), last - timedelta(n)) for n in (0, 7))
    query.measure(viewer, KPIS, (), Filters(week), before)
    quarter = Filters(Period(last - timedelta(90), last))
    query.measure(viewer, KPIS, ("week",), quarter, has_percentiles=False)


def ask_first(viewer: Viewer, first: bool) -> None:
    """28 days, all months, and the table of advisors of both; prints the processor time."""
    _first, last = query.data_span(Viewer.SYSTEM)
    month = Period(last - timedelta(27), last)
    periods = {"28 days": month, "all months": Period()}
    kind = "first for everybody" if first else "sums kept by others"
    for title, period in periods.items():
        before = period.previous() if period.is_bounded else None
        for name, kpis, by in (("figures", KPIS, ()), ("advisors", ADVISOR_KPIS, ("advisor",))):
            spent = time.process_time()
            query.measure(viewer, kpis, by, Filters(period), before, None, "advisor" not in by)
            spent = time.process_time() - spent
            print(f"{viewer.role:10s} {kind:20s} {title:10s} {name:8s} {spent:6.2f} s", flush=True)


def main() -> None:
    with centre():
        teams = find_teams()
        if len(sys.argv) > 2:
            viewers = make_viewers(teams)
            ask_first(viewers[int(sys.argv[2])], sys.argv[1] == "first")
            return
        if sys.argv[1:] != ["keep"]:
            month_sums.forget()
        here = [sys.executable, __file__]
        # Managers come from place 150 on.
        for kind, place in (("first", 150), ("other", 151), ("other", 0), ("other", 1)):
            subprocess.run([*here, kind, str(place)], check=True, env=dict(os.environ))
        viewers = make_viewers(teams)
        began = time.process_time()
        for number, viewer in enumerate(viewers):
            ask_week(viewer)
            if number in (0, 1, 9, 149, 199):
                spent = time.process_time() - began
                print(f"{number + 1:4d} scopes: {spent:6.1f} s of processor", flush=True)
        size = sum(path.stat().st_size for path in month_sums.folder().rglob("*"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"sums: {size / 1e6:.0f} MB; memory at most: {peak:.0f} MB; {len(teams)} teams")


if __name__ == "__main__":
    main()
