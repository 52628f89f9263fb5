"""The sheet for a board: its sentences, its targets, and what it keeps back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, land, land_spend, publish
from builders.shown_texts import text_of
from builders.wires import Wire
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import board, board_pdf, targets
from qa_core.analysis.board import BoardLine
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.compliance import audit_report
from qa_core.metrics import downloads
from qa_core.metrics.kpis.dimensions import add_months

SYSTEM = Viewer.SYSTEM
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
FIRST = date(2025, 4, 1)


def land_months(satisfied: list[int], n: int = 40, advisors: int = 8, **columns: Any) -> None:
    """Land `n` rated contacts a month from April 2025 on, so many of them satisfied, and one
    contact after the last month, so that it is over.
    """
    rows = []
    for number, hits in enumerate(satisfied):
        month = f"{add_months(FIRST, number):%Y-%m}"
        rows += [
            contact(
                f"{month}-{1 + position % 28:02d} 10:{position:02d}",
                f"{month}-{position}",
                advisor_id=f"a{position % advisors}",
                csat=5.0 if position < hits else 2.0,
                csat_scale="1-5",
                wait_seconds=5.0 if position % 4 else 60.0,
                **{"queue": f"Q{position % 2}", "team": "North"} | columns,
            )
            for position in range(n)
        ]
    after = add_months(FIRST, len(satisfied))
    land([*rows, contact(f"{after} 10:00", f"after-{after}", advisor_id="a0", team="North")])


def find_lines(viewer: Viewer = SYSTEM, months: str = "1m") -> dict[str, BoardLine]:
    figures = board.find_figures(viewer, months)
    assert figures is not None
    return {line.kpi.key: line for line in board.build_lines(figures)}


def test_a_month_below_the_usual_range_is_said_aloud_and_so_is_the_return(centre: Path) -> None:
    land_months([32] * 8 + [14])

    csat = find_lines()["csat"]
    assert csat.sentence.text == "Customer satisfaction: below the limit for 1 month"
    assert csat.sentence.severity == "attention"
    assert csat.value == "35.0\u202f%" and "based on 40 contacts" in csat.basis
    assert len(csat.series.points) == 13

    land_months([32] * 12 + [14, 32])

    back = find_lines()["csat"].sentence
    assert back.text == "Customer satisfaction: back within its usual range"


def test_two_of_three_months_near_a_limit_are_not_called_a_return(centre: Path) -> None:
    # Two standard deviations below 32 of 40 are 26.9, three are 24.4.
    land_months([32] * 11 + [26, 26])

    near = find_lines()["csat"].sentence

    assert near.text == "Customer satisfaction: near its lower limit"
    assert near.severity == "attention"


def test_a_target_is_met_missed_or_within_the_interval(centre: Path) -> None:
    land_months([32])
    said = {}
    for target in ("50%", "80%", "85%", "99%"):
        targets.set_target(SYSTEM, "csat", target)
        found = find_lines()["csat"].target
        said[target] = found.text.replace("\u202f", " ").replace("\xa0", " "), found.severity

    assert said == {
        "50%": ("Target 50.0 %, 30.0 pt above", "better"),
        "80%": ("Target 80.0 %, reached", ""),
        "85%": ("Target 85.0 %, 5.0 pt below", ""),
        "99%": ("Target 99.0 %, 19.0 pt below", "attention"),
    }


def test_what_few_advisors_made_is_hidden_from_a_board(centre: Path) -> None:
    land_months([32], advisors=3)
    publish()

    hidden, known = find_lines(EXECUTIVE)["csat"], find_lines()["csat"]

    assert hidden.value == "hidden" and hidden.basis.startswith("Based on fewer than five advisors")
    assert hidden.series.points["value"].isna().all()
    assert known.value == "80.0\u202f%"


def test_a_manager_who_sees_no_missed_contact_is_told_so(centre: Path) -> None:
    add_people({}, {"North": "Lyon"})
    missed = [
        contact("2025-04-02 10:00", f"missed-{number}", outcome="abandoned", wait_seconds=90.0)
        for number in range(20)
    ]
    land_months([32])
    land(missed, "missed")
    manager = Viewer("maria", Role.MANAGER, managed_teams=("North",))

    whole, of_team = find_lines()["service_level"], find_lines(manager)["service_level"]
    assert not whole.notes and of_team.notes[0].startswith("Missed contacts have no team")
    assert board.describe_scope(board.find_figures(manager)) == "Teams: North."
    wider = replace(manager, sees_unassigned=True)
    said = "Teams: North and without a team."
    figures = board.find_figures(wider)
    assert board.describe_scope(figures) == said
    many = replace(figures, teams=(None, "A", "B", "C", "D", "E", "F", "G"))
    assert board.describe_scope(many) == "Your 7 teams."
    assert board.describe_scope(replace(figures, teams=())) == "Teams: none."


def test_each_currency_has_a_line_with_its_own_trend(centre: Path) -> None:
    land_months([32] * 13, source="google", medium="cpc", campaign="Spring", declared_resolved=True)
    months = [f"{add_months(FIRST, number)}" for number in range(13)]
    land_spend(
        [(day, "google", "Spring", 400.0, "EUR") for day in months]
        + [(day, "google", "Spring", 80.0, "CHF") for day in months]
    )

    costs = [
        line
        for line in board.build_lines(board.find_figures(SYSTEM, "1m"))
        if line.kpi.key == "cost_per_resolved"
    ]

    assert sorted((line.currency, line.value) for line in costs) == [
        ("CHF", "CHF2.00"),
        ("EUR", "€10.00"),
    ]
    assert {line.currency: set(line.series.points["value"]) for line in costs} == {
        "CHF": {2.0},
        "EUR": {10.0},
    }


def test_costs_in_two_currencies_of_which_a_manager_has_no_contact_have_no_data(
    centre: Path,
) -> None:
    land_months([32] * 3)
    land_spend([(f"{FIRST}", "google", "Spring", 4.0, money) for money in ("EUR", "CHF")])
    manager = Viewer("mia", Role.MANAGER, managed_teams=("North",))
    figures = board.find_figures(manager, "3m")
    costs = [line for line in board.build_lines(figures) if line.kpi.key == "cost_per_resolved"]
    assert [(line.sentence.text, line.value) for line in costs] == [
        ("Cost per resolved contact (CHF): no data in this period", "no data"),
        ("Cost per resolved contact (EUR): no data in this period", "no data"),
    ]


def test_the_pdf_is_one_page_of_vectors_in_the_readers_language(centre: Path) -> None:
    land_months([32])
    publish()
    figures = board.find_figures(EXECUTIVE)

    for language in i18n.LANGUAGES:
        with i18n.in_language(language):
            pdf = board_pdf.build_pdf(figures)
        assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
        assert f"/Lang ({language})".encode() in pdf
        assert b"/Subtype /Image" not in pdf


def test_a_board_gets_no_sheet_before_a_month_is_over(centre: Path) -> None:
    land([contact("2026-04-02 10:00", "c1")])

    assert board.find_figures(EXECUTIVE) is None
    with pytest.raises(Refusal, match="no month is over"):
        board_pdf.build_file(EXECUTIVE, "3m")


def test_an_executive_reads_the_sheet_and_its_download_is_in_the_journal(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    land_months([32] * 8 + [14])
    publish()
    add_person("rex", "executive")
    add_person("dora", "dpo")

    app = open_app("rex", "board", months="1m")
    said = text_of(app)
    assert not app.exception and app.title[0].value == "Board sheet"
    assert "Dec 2025 · The whole centre." in said
    wide = text_of(open_app("rex", "board", months="12m"))
    assert "Jan – Dec 2025; data starts on 1 Apr 2025 · The whole centre." in wide
    assert "Customer satisfaction: below the limit for 1 month" in said
    assert app.metric[0].value == "35.0\u202f%"

    wire = Wire("rex")
    ticket = downloads.make_ticket(wire.signed_in, "board", months="1m", form="pdf")
    status, headers, body = wire.ask(f"/download/{ticket}")
    assert (status, headers["content-type"]) == (200, "application/pdf")
    assert body.startswith(b"%PDF-") and "board-1m-2025-12.pdf" in headers["content-disposition"]
    entry = audit_report.find_entries(Viewer("dora", Role.DPO), action="export")[0]
    assert (entry.actor, entry.object) == ("rex", "board")


def test_a_team_lead_has_no_board_sheet(centre: Path) -> None:
    lead = Viewer("lea", Role.TEAM_LEAD)
    for ask in (lambda: board.find_figures(lead), lambda: board_pdf.build_file(lead, "3m")):
        with pytest.raises(AccessDenied):
            ask()
