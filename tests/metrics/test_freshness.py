"""How fresh each source is, as far as the reader's own rows go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from builders.import_files import CALLS, SURVEYS, TRACKING, bring

from qa_core import ingest
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.metrics import query

OTHER = "contact_id,started_at,advisor,team,outcome\nD1,2026-03-05 08:00:00,Fatou,South,answered\n"


@pytest.fixture
def sources(centre: Path, start_from: Callable[..., Any]) -> Path:
    start_from(bring_all, centre)
    return centre


def bring_all(centre: Path) -> None:
    bring(centre, "contacts", CALLS, system="pbx")
    bring(centre, "contacts", OTHER, system="chat")
    bring(centre, "surveys", SURVEYS)
    bring(centre, "tracking", TRACKING)
    bring(
        centre,
        "evaluations",
        "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,80\n",
    )


def fresh(viewer: Viewer) -> dict[tuple[str, str], datetime | date | None]:
    found = {(source.system, source.kind): source.newest for source in query.find_freshness(viewer)}
    return {
        key: newest.replace(tzinfo=None) if isinstance(newest, datetime) else newest
        for key, newest in found.items()
    }


EVERYTHING = {
    ("pbx", "contacts"): datetime(2026, 3, 2, 9, 10),
    ("chat", "contacts"): datetime(2026, 3, 5, 8, 0),
    ("generic", "surveys"): datetime(2026, 3, 2, 9, 5),
    ("generic", "tracking"): datetime(2026, 3, 2, 9, 5),
    ("generic", "evaluations"): date(2026, 3, 2),
}


@pytest.mark.parametrize(
    "viewer",
    [Viewer.SYSTEM, Viewer("ada", Role.ADMIN), Viewer("dora", Role.DPO)],
    ids=lambda viewer: viewer.username,
)
def test_who_keeps_the_centre_running_is_told_about_every_source(
    sources: Path, viewer: Viewer
) -> None:
    assert fresh(viewer) == EVERYTHING


def test_the_one_waiting_longest_for_news_comes_first(sources: Path) -> None:
    assert [source.system for source in query.find_freshness(Viewer.SYSTEM)] == [
        "pbx",
        "chat",
        "generic",
        "generic",
        "generic",
    ]
    bring(sources, "contacts", OTHER.replace("D1", "D2"), system="pbx")
    assert query.find_freshness(Viewer.SYSTEM)[-1].system == "pbx"


def test_a_manager_is_told_about_the_sources_of_their_own_contacts(sources: Path) -> None:
    assert fresh(Viewer("max", Role.MANAGER, managed_teams=("South",))) == {
        ("chat", "contacts"): datetime(2026, 3, 5, 8, 0)
    }
    assert ("chat", "contacts") not in fresh(Viewer("nora", Role.MANAGER, managed_teams=("North",)))


def test_a_team_lead_knows_no_tracking_of_another_team_and_an_advisor_no_contact_of_another(
    sources: Path,
) -> None:
    assert fresh(Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("South"),))) == {
        ("chat", "contacts"): datetime(2026, 3, 5, 8, 0)
    }
    assert fresh(Viewer("becky", Role.ADVISOR, advisor_id="Becky")) == {
        ("pbx", "contacts"): datetime(2026, 3, 2, 9, 5),
        ("generic", "surveys"): datetime(2026, 3, 2, 9, 5),
    }


def test_an_executive_sees_when_files_came_not_how_far_they_reach_and_a_stranger_nothing(
    sources: Path,
) -> None:
    assert set(fresh(Viewer("eva", Role.EXECUTIVE)).values()) == {None}
    assert fresh(Viewer("nobody", None)) == {}


def test_an_import_taken_back_counts_no_more(centre: Path) -> None:
    report = bring(centre, "contacts", CALLS)
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert query.find_freshness(Viewer.SYSTEM) == ()


def test_the_menu_says_how_fresh_the_data_is_and_lists_the_sources(
    sources: Path, open_app, add_person
) -> None:
    app = open_app(add_person("ada", "admin"), "imports")
    assert not app.exception
    shown = [text.value for text in app.text]
    assert "pbx · Contacts" in shown and "generic · Surveys" in shown


def test_the_list_names_an_import_as_a_refused_undo_does(
    centre: Path, open_app, add_person
) -> None:
    report = bring(centre, "contacts", CALLS)
    app = open_app(add_person("ada", "admin"), "imports")
    assert list(app.dataframe[0].value["Id"]) == [report.batch_id]


def test_the_menu_knows_of_an_import_on_the_next_run(centre: Path, open_app, add_person) -> None:
    app = open_app(add_person("ada", "admin"), "imports")
    assert "No data yet" in [caption.value for caption in app.sidebar.caption]

    bring(centre, "contacts", CALLS)
    app.run()

    assert "No data yet" not in [caption.value for caption in app.sidebar.caption]
