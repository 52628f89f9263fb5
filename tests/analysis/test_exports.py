"""What evaluators see of their own evaluations, and figures as a file: equal to the
screen, with their definitions, within the scope.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from builders.centres import add_people, close_month, contact, evaluation, land, land_spend
from hypothesis import example, given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Permission, Role, TeamSpan, Viewer
from qa_core.access.sessions import SignedIn
from qa_core.analysis import exports
from qa_core.base import signed_links
from qa_core.base.errors import AccessDenied
from qa_core.metrics import downloads, query, spreadsheets
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store

EVE, MARC = Viewer("eve", Role.EVALUATOR), Viewer("marc", Role.EVALUATOR)
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
MAY = Period(date(2026, 5, 1), date(2026, 5, 31))


@pytest.fixture
def listened(centre: Path, start_from: Callable[..., Any]) -> Path:
    """Three contacts in May: Eve gave 90 and 70 on two grids, Marc 10; one of Eve's
    contacts is in no queue.
    """
    start_from(build_listened_contacts)
    return centre


def build_listened_contacts() -> None:
    add_people({"a1": "Ann", "a2": "Bob"}, {"Nord": "Lille", "Sud": "Nice"})
    rows = [
        contact(
            "2026-05-04 09:30",
            "n1",
            team="Nord",
            advisor_id="a1",
            queue="=care",
            customer_key="customer-one",
        ),
        contact("2026-05-05 10:00", "n2", team="Nord", advisor_id="a2"),
        contact("2026-05-06 11:00", "s1", team="Sud", advisor_id="a2", queue="sales"),
    ]
    land(rows)
    with store.writing() as session:
        session.add(
            evaluation(rows[0], 90.0, {("Opening", "Greeting"): (4.0, 5.0)}, outcome="pass")
        )
        session.add(
            evaluation(
                rows[1],
                70.0,
                {("Opening", "Greeting"): (2.0, 5.0)},
                outcome="fail",
                grid_name="Sales",
            )
        )
        session.add(evaluation(rows[2], 10.0, evaluator="marc", outcome="fail"))
        session.add(evaluation(rows[2], 20.0, state="draft"))


def test_evaluators_list_what_they_gave_newest_first_without_advisor_or_customer(
    listened: Path,
) -> None:
    found = query.find_evaluations_given(EVE, Filters(MAY))

    assert list(found.columns) == ["evaluation_id", "day", "grid", "score", "outcome"]
    assert found["score"].tolist() == [70.0, 90.0]
    assert query.find_evaluations_given(MARC)["score"].tolist() == [10.0]
    assert query.find_evaluations_given(EVE, limit=1)["score"].tolist() == [70.0]


def test_the_list_of_evaluators_follows_the_period_and_the_grid_like_their_figures(
    listened: Path,
) -> None:
    sales = Filters.of(MAY, {"grid": ["Sales"]})

    assert query.find_evaluations_given(EVE, sales)["score"].tolist() == [70.0]
    assert query.find_evaluations_given(EVE, Filters(Period(date(2026, 5, 5), date(2026, 5, 5))))[
        "score"
    ].tolist() == [70.0]
    assert query.measure(EVE, ("evaluation_score",), (), sales)["value"].tolist() == [70.0]


def test_count_mean_and_spread_are_of_their_own_evaluations_alone(listened: Path) -> None:
    score = query.measure(EVE, ("evaluation_score",)).iloc[0]

    assert (score["n"], score["value"], round(score["deviation"], 2)) == (2, 80.0, 14.14)
    by_criterion = query.measure(EVE, ("evaluation_score",), ("criterion",))
    assert by_criterion[by_criterion["criterion"] == "Greeting"]["value"].tolist() == [60.0]


@pytest.mark.parametrize(
    "viewer",
    [
        MANAGER,
        Viewer("ann", Role.ADVISOR, advisor_id="a1"),
        Viewer("rex", Role.EXECUTIVE),
        Viewer("x", None),
    ],
)
def test_only_evaluators_have_evaluations_that_they_gave(listened: Path, viewer: Viewer) -> None:
    with pytest.raises(AccessDenied):
        query.find_evaluations_given(viewer)


@pytest.mark.parametrize("dimension", ["advisor", "team", "evaluator", "queue"])
def test_evaluators_cannot_single_out_an_advisor(listened: Path, dimension: str) -> None:
    with pytest.raises(AccessDenied):
        query.find_evaluations_given(EVE, Filters.of(MAY, {dimension: ["a1"]}))


def test_the_page_of_an_evaluator_shows_the_own_scores_and_no_name(
    listened: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")

    app = open_app("eve", "scores")

    assert not app.exception and not app.error
    assert app.title[0].value == "Scores"
    assert [tile.value for tile in app.metric][:3] == ["2", "80.0", "14.1"]
    shown = app.dataframe[0].value
    assert shown["Score"].tolist() == ["70.0", "90.0"]
    assert not {"Ann", "Bob", "a1", "a2"} & {str(cell) for cell in shown.to_numpy().ravel()}


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_file_of_figures_has_its_period_filters_and_definitions_and_the_values_of_the_screen(
    listened: Path,
) -> None:
    where = Filters.of(MAY, {"queue": ["=care", None]})
    made = exports.build_file(
        MANAGER, **exports.build_figure_parameters(("received", "answer_rate"), ("queue",), where)
    )
    lines = read(made.content)

    assert lines[1] == ["Queue", "'=care, Not known"]
    assert ["Data through", "6 May 2026, 11:00"] in lines
    assert [line[0] for line in lines[2:4]] == [
        get_kpi("received").title,
        get_kpi("answer_rate").title,
    ]
    shown = query.measure(MANAGER, ("received", "answer_rate"), ("queue",), where)
    body = lines[lines.index([]) + 2 :]
    assert [float(line[2]) for line in body] == shown["value"].tolist()
    assert body[0][0] == "'=care"


def test_a_file_of_contacts_has_the_list_in_its_order_with_what_the_reader_may_see(
    listened: Path,
) -> None:
    lines = read(
        exports.build_contacts(
            MANAGER, **exports.build_contact_parameters(Filters(MAY), "answer_rate", "oldest")
        ).content
    )

    assert lines[1][0] == get_kpi("answer_rate").title
    above = lines.index([])
    assert lines[above - 1] == ["Contacts", "2", "of", "2"]
    head = lines[above + 1]
    assert [dict(zip(head, line, strict=True))["Advisor"] for line in lines[above + 2 :]] == [
        "Ann",
        "Bob",
    ]
    first = dict(zip(head, lines[above + 2], strict=True))
    assert (first["Started"], first["Queue"], first["Customer"]) == (
        "2026-05-04 09:30:00",
        "'=care",
        "•• ne",
    )
    led = read(
        exports.build_contacts(
            Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),)),
            **exports.build_contact_parameters(Filters(MAY), None, "newest"),
        ).content
    )
    assert "Customer" not in led[led.index([]) + 1] and len(led) == led.index([]) + 4


def test_a_file_of_contacts_is_capped_and_says_so(
    listened: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_CONTACTS", 1)
    lines = read(
        exports.build_contacts(
            MANAGER, **exports.build_contact_parameters(Filters(MAY), None, "newest")
        ).content
    )

    assert lines[lines.index([]) - 1] == ["Contacts", "1", "of", "2"]
    assert len(lines) == lines.index([]) + 3


def open_workbook(content: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_a_workbook_has_the_values_as_numbers_and_beside_them_what_the_screen_writes(
    listened: Path,
) -> None:
    where = Filters.of(MAY, {"queue": ["=care", None]})
    asked = exports.build_figure_parameters(
        ("received", "answer_rate", "average_talk_time"), ("queue",), where
    )
    shown = query.measure(
        MANAGER, ("received", "answer_rate", "average_talk_time"), ("queue",), where
    )
    (head, *body), about = open_workbook(
        exports.build_file(MANAGER, **asked, form="xlsx").content
    ).values()

    assert head == [
        "Queue",
        "KPI",
        "Value",
        "As shown",
        "Numerator",
        "Denominator",
        "n",
        "95 % from",
        "95 % to",
        "Status",
        "Notes",
    ]
    assert [line[:2] for line in body[:3]] == [
        ["=care", "Contacts received"],
        ["=care", "Answer rate"],
        ["=care", "Average talk time"],
    ]
    assert [line[2] for line in body] == [
        "" if formatting.is_missing(value) else value for value in shown["value"]
    ]
    assert [line[3] for line in body[:2]] == ["1", "100.0\u202f%"]
    assert ["Period", "May 2026", ""] in about and ["Queue", "=care, Not known", ""] in about
    assert ["Answer rate", get_kpi("answer_rate").meaning, get_kpi("answer_rate").formula] in about
    assert ["Data through", "6 May 2026, 11:00", ""] in about
    assert [line[1].rsplit(" ", 1)[1] for line in about if line[0] == "Exported"] == ["max"]


def test_the_settings_in_force_and_what_is_hidden_stand_in_the_file(listened: Path) -> None:
    close_month("2026-05")
    asked = exports.build_figure_parameters(("first_contact_resolution",), (), Filters(MAY))
    for form in spreadsheets.FORMS:
        made = exports.build_file(Viewer("rex", Role.EXECUTIVE), **asked, form=form)
        told = open_workbook(made.content)["About"] if form == "xlsx" else read(made.content)
        assert ["Repeat window", "7 days", "since the beginning"] in told
        assert [line[0] for line in told if line].count("Hidden") == 1


def test_a_workbook_of_contacts_has_moments_numbers_and_no_formula(listened: Path) -> None:
    land(
        [
            contact(
                "2026-05-07 08:00:05",
                "n9",
                team="Nord",
                queue="=1+1",
                campaign="@cmd|' /C calc'!A0",
                reason="https://example.org",
                wait_seconds=2.5,
            )
        ],
        "third",
    )
    content = exports.build_contacts(
        MANAGER, **exports.build_contact_parameters(Filters(MAY), None, "newest"), form="xlsx"
    ).content
    (head, *body), _about = open_workbook(content).values()

    first = dict(zip(head, body[0], strict=True))
    assert first["Started"] == datetime(2026, 5, 7, 8, 0, 5) and first["Wait (seconds)"] == 2.5
    assert (first["Queue"], first["Campaign"], first["Reason"]) == (
        "=1+1",
        "@cmd|' /C calc'!A0",
        "https://example.org",
    )
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for name in parts.namelist():
            assert b"<f>" not in parts.read(name) and b"<hyperlink" not in parts.read(name), name


def test_days_weeks_and_months_are_dates_in_a_workbook(listened: Path) -> None:
    for grain, day in (
        ("day", date(2026, 5, 4)),
        ("week", date(2026, 5, 4)),
        ("month", date(2026, 5, 1)),
    ):
        (_head, first, *_others), _about = open_workbook(
            exports.build_file(
                MANAGER,
                **exports.build_figure_parameters(("received",), (grain,), Filters(MAY)),
                form="xlsx",
            ).content
        ).values()
        assert first[:3] == [
            day,
            "Contacts received",
            {"day": 1.0, "week": 2.0, "month": 2.0}[grain],
        ]


def test_a_share_half_way_reads_alike_on_the_screen_and_in_a_spreadsheet() -> None:
    # A spreadsheet rounds halves away from zero: 0.0625 as 0.0% is 6.3 %.
    assert [formatting.percent(share) for share in (0.0625, 0.1445, 0.0635)] == [
        "6.3\u202f%",
        "14.5\u202f%",
        "6.4\u202f%",
    ]
    assert formatting.number(-2.5) == "\u22123"


def test_what_leaves_takes_its_own_permission(listened: Path) -> None:
    assert downloads.KINDS["contacts"].permission == Permission.EXPORT_CONTACTS
    assert downloads.KINDS["figures"].permission == Permission.EXPORT_FIGURES
    asked = exports.build_figure_parameters(("evaluations",), (), Filters(MAY))
    manager, evaluator = (SignedIn(viewer, 1, False) for viewer in (MANAGER, EVE))
    ticket = downloads.make_ticket(manager, "figures", **asked)
    with pytest.raises(AccessDenied):
        downloads.make_ticket(evaluator, "figures", **asked)
    with pytest.raises(AccessDenied):  # no manager any more when the link is followed
        downloads.open_ticket(evaluator, ticket)
    assert downloads.open_ticket(manager, ticket).content


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("satisfaction", ["figures_queue"]),
        ("satisfaction?by=channel", ["figures_channel"]),
        ("satisfaction?by=reason", ["figures_reason"]),
        ("first_contact?queues=yes", ["figures_reason", "figures_queue"]),
        ("sources?callers=yes&path=yes", ["figures_callers", "figures_steps"]),
        ("advisors?view=all", ["figures_all"]),
        ("contacts", ["contacts"]),
    ],
)
def test_each_table_has_a_file_of_its_own(
    page: str,
    keys: list[str],
    listened: Path,
    open_app: Callable[..., AppTest],
    add_person: Callable[..., str],
) -> None:
    known = {
        "team": "Nord",
        "advisor_id": "a1",
        "customer_key": "customer-three",
        "csat": 4.0,
        "csat_scale": "1-5",
        "campaign": "Spring",
    }
    # From April to 28 May, so that the window of each first contact is known on both
    # sides.
    land(
        [contact(f"2026-{day} 09:00", f"at {day}", **known) for day in ("04-01", "05-10", "05-28")],
        "second",
    )
    add_person("max", "manager", sites=("Lille",))

    page, _mark, address = page.partition("?")
    app = open_app("max", page, **dict(parse_qsl(address)))
    assert not app.exception and not app.error
    links = {
        link.proto.id.partition("-file_")[2]: link.proto.url for link in app.get("link_button")
    }
    files = {name.removesuffix("_csv"): url for name, url in links.items() if name[-4:] == "_csv"}
    assert sorted(files) == sorted(keys)
    for name, url in files.items():
        kind = signed_links.unseal("download", url.removeprefix("/download/"))["kind"]
        assert name.startswith(kind)


def test_the_file_of_campaigns_asks_at_once_what_the_page_asks_in_two_and_gets_the_same(
    listened: Path,
) -> None:
    land(
        [
            contact(
                "2026-05-01 09:00",
                "n0",
                team="Nord",
                advisor_id="a1",
                campaign="Spring",
                source="google",
                declared_resolved=True,
            )
        ],
        "second",
    )
    land_spend([("2026-05-01", "google", "Spring", 12.0, "EUR")])
    close_month("2026-05")
    path, costs, director = (
        ("received", "answer_rate"),
        ("spend", "cost_per_contact"),
        Viewer("rex", Role.EXECUTIVE),
    )
    for viewer in (Viewer.SYSTEM, MANAGER, director):
        lines = read(
            exports.build_file(
                viewer,
                **exports.build_figure_parameters((*path, *costs), ("campaign",), Filters(MAY)),
            ).content
        )
        head = next(line for line in lines if "KPI" in line)
        filed = [dict(zip(head, line, strict=True)) for line in lines[lines.index(head) + 1 :]]
        shown = [
            row
            for kpis in (path, costs)
            for row in query.measure(viewer, kpis, ("campaign",), Filters(MAY)).to_dict("records")
        ]
        for row in shown:
            value = "" if formatting.is_missing(row["value"]) else str(row["value"])
            group = formatting.name("campaign", row["campaign"])
            assert [
                line["Value"]
                for line in filed
                if (line["Campaign"], line["KPI"]) == (group, get_kpi(row["kpi"]).title)
            ] == [value]


TEXTS_OF_FORMULAS = st.text("=+-@;,|'\"\t\r\nab1 ＝", max_size=12)


@given(st.lists(TEXTS_OF_FORMULAS, min_size=1, max_size=4))
@example(["Q;=cmd|'/C calc'!A0"])
@example(['Q;""=1+1', "x\n=1+1", "y\t@SUM(1)"])
def test_no_spreadsheet_of_any_locale_finds_a_formula_in_a_csv(texts: list[str]) -> None:
    content = downloads.to_csv(["name"] * len(texts), [texts]).decode("utf-8-sig")

    for separator in ",;\t|":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "＝"))]


@given(TEXTS_OF_FORMULAS)
def test_the_apostrophes_of_a_csv_can_be_taken_back(text: str) -> None:
    assert downloads.unescape(downloads.escape(text)) == text


def test_the_currency_of_campaigns_is_named_to_who_sees_campaigns(listened: Path) -> None:
    land_spend([("2026-03-05", "Google", "spring", 100.0, "EUR")])
    assert exports.find_currency(Viewer("max", Role.MANAGER)) == "EUR"
    assert exports.find_currency(Viewer("ann", Role.ADVISOR, advisor_id="a1")) is None
