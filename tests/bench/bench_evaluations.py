"""A hundred thousand evaluations (or as many as said) of twenty criteria: first read,
read after one more, heat map, pages. Prints; fails nothing.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.metrics import query
from qa_core.metrics.kpi import evaluation_table
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.quality.evaluations import drafts, finalise
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer, ScorecardVersion
from qa_core.storage.records.people import Advisor, Team

EVALUATIONS, ADVISORS, EVALUATORS, CRITERIA = (
    int(sys.argv[1]) if len(sys.argv) > 1 else 100_000,
    300,
    20,
    20,
)
AIM_SCRIPT = 0.3


def seed() -> int:
    """Fill the records; returns the grid."""
    chance = random.Random(7)
    sections = [
        {
            "name": f"Part {part}",
            "weight": 25,
            "criterion": [
                {"key": f"c{part * 5 + place:02}", "points": 3, "levels": [0, 1, 2, 3]}
                for place in range(5)
            ],
        }
        for part in range(4)
    ]
    with store.writing() as session:
        session.add_all(Team(name=f"T{number}") for number in range(20))
        session.add_all(
            Advisor(advisor_id=f"A{number:03}", name=f"Advisor {number}")
            for number in range(ADVISORS)
        )
        grid = ScorecardVersion(
            key="long",
            title="Long",
            content={"title": "Long", "section": sections},
            published_at=now(),
        )
        session.add(grid)
        session.flush()
        evaluations, given, moment = [], [], now() - timedelta(days=300)
        for number in range(1, EVALUATIONS + 1):
            moment += timedelta(seconds=250)
            advisor = chance.randrange(ADVISORS)
            points = [min(3, int(chance.random() * 5)) for _ in range(CRITERIA)]
            evaluations.append(
                {
                    "id": number,
                    "source_system": "generic",
                    "contact_id": f"k{number}",
                    "advisor_id": f"A{advisor:03}",
                    "team": f"T{advisor % 20}",
                    "local_day": moment.date(),
                    "evaluator": f"E{chance.randrange(EVALUATORS)}",
                    "evaluated_at": moment,
                    "submitted_at": moment,
                    "grid_id": grid.id,
                    "grid_name": "Long",
                    "score": 100 * sum(points) / 60,
                    "calculated_score": 100 * sum(points) / 60,
                    "outcome": "pass",
                    "comment": "Listens well, could sum up at the end.",
                    "state": "published",
                    "kind": "scored",
                    "purpose": "evaluation",
                    "published_at": moment,
                    "changed_at": moment,
                    "version": 3,
                }
            )
            given += [
                {
                    "evaluation_id": number,
                    "criterion": f"c{place:02}",
                    "section": f"Part {place // 5}",
                    "earned": float(mark),
                    "possible": 3.0,
                    "applied_weight": 0.05,
                    "applicable": True,
                }
                for place, mark in enumerate(points)
            ]
            if number % 1_000 == 0:
                session.execute(sa.insert(Evaluation), evaluations)
                session.execute(sa.insert(EvaluationAnswer), given)
                evaluations, given = [], []
        return grid.id


def measure(title: str, ask: Callable[[], object], times: int = 5) -> None:
    """Print the median of several runs: on the clock, and of the processor alone, which
    other work on the machine does not lengthen.
    """
    spent, busy = [], []
    for _ in range(times):
        began, processor = time.perf_counter(), time.process_time()
        ask()
        spent.append(time.perf_counter() - began)
        busy.append(time.process_time() - processor)
    print(
        f"  {1000 * sorted(spent)[times // 2]:7.0f} ms {1000 * sorted(busy)[times // 2]:7.0f} "
        f"ms  {title}",
        flush=True,
    )


def load() -> int:
    with store.reading() as session:
        return evaluation_table.load(session).num_rows


def count() -> None:
    with store.reading() as session:
        evaluation_table.change_counter(session)


def add_one(grid_id: int) -> None:
    """One more evaluation, made as the page makes it."""
    with store.writing() as session:
        made = drafts.open_draft(
            session,
            Viewer.SYSTEM,
            kind="scored",
            grid_id=grid_id,
            evaluator="E1",
            purpose="evaluation",
            local_day=environment.today(),
            advisor_id="A001",
            team="T1",
            contact_id=f"n{time.time_ns()}",
            source_system="generic",
        )
        finalise.apply_scores(
            made,
            drafts.get_scorecard(session, made),
            {f"c{place:02}": 2 for place in range(CRITERIA)},
        )
        made.draft, made.state, made.submitted_at = None, "published", now()


def change_one() -> None:
    """One evaluation of long ago, corrected."""
    with store.writing() as session:
        session.get_one(Evaluation, EVALUATIONS // 2).version += 1


def show_pages(folder: str) -> None:
    """The scripts of the pages, each as its second run of a session."""
    import streamlit
    from builders import centres, listening_centre
    from builders.drafts import SERVICE, draw, viewer_of
    from builders.visitors import PASSWORD, Visitor
    from streamlit.testing.v1 import AppTest
    from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

    from qa_core.access import accounts, passwords, sessions
    from qa_core.ui.frame import menu
    from qa_core.ui.server import browser

    passwords.ROUNDS = 4
    centres.land(
        [centres.contact("2026-03-02 09:00", "a", advisor_id="A001", team="T1", talk_seconds=120.0)]
    )
    accounts.add(Viewer.SYSTEM, "E1", "evaluator", password=PASSWORD)
    accounts.add(Viewer.SYSTEM, "mona", "manager", password=PASSWORD, sees_unassigned=True)
    listening_centre.open_gates()
    listening_centre.accredit("e1")
    with store.writing() as session:
        session.execute(
            sa.update(Evaluation).where(Evaluation.evaluator == "E1").values(evaluator="e1")
        )
        content = tomllib.loads(SERVICE.read_text(encoding="utf-8"))
        session.add(
            ScorecardVersion(
                key="customer-service",
                title="Customer service",
                content=content,
                published_at=now(),
            )
        )
    evaluation_id = drafts.start(viewer_of("e1"), draw("e1", advisor_id="A001"))

    def open_page(username: str, page: str, said: dict[str, str]) -> Callable[[], object]:
        cookies = {"_streamlit_xsrf": generate_xsrf_token_string(b"0123456789abcdef")}
        cookies[browser.COOKIE] = sessions.sign_in(
            username,
            PASSWORD,
            browser.build(cookies, {"host": "localhost"}, "127.0.0.1"),
            one_time_days=7,
        )
        streamlit.runtime.context._get_client_context = lambda: Visitor(cookies=cookies)
        app = AppTest.from_file(
            str(environment.PROJECT / "qa_core/ui/front_door.py"), default_timeout=300
        ).run()
        app.switch_page(menu.find_page(page).path).run()
        for name, value in said.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app.run

    print(f"pages (aim: under {AIM_SCRIPT * 1000:.0f} ms)")
    measure("Evaluate, the list", open_page("e1", "evaluate", {}))
    measure("Evaluate, a grid", open_page("e1", "evaluate", {"id": str(evaluation_id)}))
    measure("Scores", open_page("e1", "scores", {}))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QA_HOME"] = folder
        store.migrate()
        began = time.perf_counter()
        grid_id = seed()
        print(
            f"{EVALUATIONS:,} evaluations of {CRITERIA} criteria, seeded in "
            f"{time.perf_counter() - began:.0f} s"
        )
        from builders import centres

        centres.land(
            [centres.contact(datetime.combine(date(2026, 3, 1), datetime.min.time()), "first")]
        )
        measure("first load", load, 1)
        measure("state of the evaluations", count)
        measure("load, nothing new", load)
        for title, change in (
            ("one more", lambda: add_one(grid_id)),
            ("one corrected", change_one),
        ):
            for _ in range(2):
                change()
                measure(f"load after {title}", load, 1)
        measure("mean score", lambda: query.measure(Viewer.SYSTEM, ("evaluation_score",)))
        measure(
            "heat map, advisor by criterion",
            lambda: query.measure(
                Viewer.SYSTEM, ("evaluation_score",), ("advisor", "criterion"), Filters()
            ),
            3,
        )
        show_pages(folder)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
