"""The row of filters: an address means the same to every reader, whatever their
language or role; what it says that is unknown is passed over, and a filter is named then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from builders.centres import PARIS, add_people, close_month, contact, land
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.metrics.kpis import formatting, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.ui.frame import filter_bar, menu

MANAGER, EXECUTIVE = Viewer("max", Role.MANAGER), Viewer("rex", Role.EXECUTIVE)


@pytest.fixture
def open_overview(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> Callable[..., AppTest]:
    """Four contacts of team Nord in two queues; two managers of its site who read
    different languages.
    """
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    days = {
        "2026-09-01 09:00": "Sales",
        "2026-09-15 09:00": "Billing",
        "2026-10-20 09:00": "Billing",
        "2026-10-31 09:00": "Sales",
    }
    land([contact(day, team="Nord", advisor_id="a1", queue=queue) for day, queue in days.items()])
    add_person("max", "manager", sites=("Lille",), language="en")
    add_person("maude", "manager", sites=("Lille",), language="fr")
    return lambda username, **query: open_app(username, "overview", **query)


def received(app: AppTest) -> str:
    return app.metric[0].value


def test_an_address_means_the_same_in_both_languages(open_overview: Callable[..., AppTest]) -> None:
    english, french = (
        open_overview(name, period="91d", queue="Billing", channel="phone", compare="year")
        for name in ("max", "maude")
    )

    assert received(english) == received(french) == "2"
    assert english.title[0].value == "Overview" and french.title[0].value != "Overview"
    assert (
        dict(english.query_params)
        == dict(french.query_params)
        == {"period": "91d", "queue": "Billing", "channel": "phone", "compare": "year"}
    )


def test_a_month_is_a_period_by_its_name(open_overview: Callable[..., AppTest]) -> None:
    assert received(open_overview("max", period="2026-09")) == "2"


def test_what_is_usual_goes_without_saying_and_a_filter_that_is_passed_over_is_named(
    open_overview: Callable[..., AppTest],
) -> None:
    app = open_overview("max", period="fortnight", queue="Nowhere", team="Sud", compare="never")

    assert received(app) == "2"
    assert not dict(app.query_params)
    assert [info.value.replace("\\", "") for info in app.info] == [
        "Not filtered by Nowhere and Sud: you see no such contacts."
    ]


def test_choosing_a_filter_changes_the_address_and_clearing_takes_it_away(
    open_overview: Callable[..., AppTest],
) -> None:
    app = open_overview("max", period="91d")
    app.session_state["queue"] = ["Sales"]
    app.run()
    assert received(app) == "2" and app.query_params["queue"] == "Sales"

    next(button for button in app.button if button.label == "Clear").click().run()

    assert received(app) == "4" and "queue" not in app.query_params


def test_an_empty_period_names_the_last_month_with_contacts_and_leads_there(
    open_overview: Callable[..., AppTest],
) -> None:
    app = open_overview("max", period="2025-01", queue="Billing")
    assert any("Oct 2026" in text.value for text in app.markdown)

    next(button for button in app.button if button.label == "Show Oct 2026").click().run()

    assert received(app) == "1"


def test_a_period_that_begins_before_the_data_says_from_when_on_there_is_any(
    open_overview: Callable[..., AppTest],
) -> None:
    app = open_overview("max", period="364d")

    assert "2 Nov 2025 – 31 Oct 2026; data starts on 1 Sept 2026" in [
        caption.value for caption in app.caption
    ]


def test_an_executive_reads_in_the_first_weeks_when_there_will_be_something_to_see(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    names = {f"a{number}": f"Ann {number}" for number in range(1, 7)}
    add_people(names, {"Nord": "Lille"})
    land(
        [
            contact(f"2026-10-{day:02d} 09:00", team="Nord", advisor_id=name)
            for day in range(5, 12)
            for name in names
        ]
    )
    add_person("rex", "executive")

    said = [text.value for text in open_app("rex", "satisfaction").markdown]

    assert (
        "#### :material/event_busy: No month has been published yet. Oct 2026 comes some days "
        "after its end." in said
    )


def shown_days(app: AppTest) -> str:
    """The days in the caption below the title."""
    return app.caption[0].value.split(",")[0]


def walk(app: AppTest, page: str) -> AppTest:
    """Go to a page by the menu, whose address is bare."""
    app.query_params.clear()
    return app.switch_page(menu.find_page(page).path).run()


HALF_YEAR, FOUR_WEEKS = "3 May – 31 Oct 2026", "4–31 Oct 2026"


def test_pages_of_scores_open_on_half_a_year_until_a_period_is_chosen_which_then_holds_everywhere(
    open_overview: Callable[..., AppTest],
) -> None:
    app = open_overview("max")
    assert shown_days(app) == FOUR_WEEKS
    assert shown_days(walk(app, "advisors")).startswith(HALF_YEAR)
    assert shown_days(walk(app, "overview")) == FOUR_WEEKS and not dict(app.query_params)

    walk(app, "advisors").radio(key="period").set_value("28d").run()
    assert shown_days(app) == FOUR_WEEKS
    assert shown_days(walk(app, "overview")) == FOUR_WEEKS
    assert shown_days(walk(app, "advisors")) == FOUR_WEEKS
    assert app.query_params["period"] == "28d"

    app.radio(key="period").set_value(filter_bar.PAGE_DEFAULT).run()
    assert shown_days(app).startswith(HALF_YEAR) and not dict(app.query_params)
    assert shown_days(walk(app, "overview")) == FOUR_WEEKS


def test_a_period_in_the_address_wins_over_the_default_of_the_page(
    open_overview: Callable[..., AppTest],
) -> None:
    app = walk(open_overview("max", period="2026-09"), "advisors")

    assert shown_days(app) == "Sept 2026" and app.query_params["period"] == "2026-09"


def test_the_explanation_of_a_figure_is_of_its_period_and_chooses_none(
    open_overview: Callable[..., AppTest],
) -> None:
    app = walk(open_overview("max"), "advisors")
    link = next(one.proto for one in app.get("page_link") if one.proto.page == "explain")
    app.switch_page(menu.find_page("explain").path)
    for name, value in parse_qsl(link.query_string):
        app.query_params[name] = value
    assert shown_days(app.run()).startswith(HALF_YEAR)
    assert shown_days(app.run()).startswith(HALF_YEAR)

    assert shown_days(walk(app, "overview")) == FOUR_WEEKS


def test_executives_get_whole_months_whatever_the_address_says() -> None:
    last_day = date(2026, 10, 15)
    assert periods.is_known("3m", MANAGER, last_day)
    assert periods.is_known("2026-10", MANAGER, last_day)
    assert periods.is_known("2026-09", EXECUTIVE, last_day)
    assert not periods.is_known("2026-10", EXECUTIVE, last_day)
    assert not periods.is_known("28d", EXECUTIVE, last_day)
    assert [periods.default(viewer) for viewer in (MANAGER, EXECUTIVE)] == ["28d", "3m"]
    assert periods.build_span(EXECUTIVE, date(2026, 8, 20), date(2026, 9, 30)) == Period(
        date(2026, 8, 1), date(2026, 9, 30)
    )
    assert periods.build_span(EXECUTIVE, date(2026, 8, 20), date(2026, 7, 31)) is None


def test_earlier_periods_begin_on_the_same_weekday_and_months_compare_with_months() -> None:
    four_weeks = Period(date(2026, 10, 28), date(2026, 11, 24))
    assert four_weeks.previous() == Period(date(2026, 9, 30), date(2026, 10, 27))
    assert four_weeks.year_before() == Period(date(2025, 10, 29), date(2025, 11, 25))
    # A month so far: 24 days from a Sunday on, set against 24 days from the Sunday four
    # weeks before.
    assert Period(date(2026, 11, 1), date(2026, 11, 24)).previous() == Period(
        date(2026, 10, 4), date(2026, 10, 27)
    )
    assert Period(date(2026, 11, 24), date(2026, 11, 24)).previous() == Period(
        date(2026, 11, 17), date(2026, 11, 17)
    )
    assert Period(date(2026, 10, 1), date(2026, 10, 31)).previous() == Period(
        date(2026, 9, 1), date(2026, 9, 30)
    )
    assert Period(date(2026, 1, 1), date(2026, 3, 31)).previous() == Period(
        date(2025, 10, 1), date(2025, 12, 31)
    )
    assert Period(date(2024, 2, 1), date(2024, 2, 29)).year_before() == Period(
        date(2023, 2, 1), date(2023, 2, 28)
    )


def test_the_last_four_weeks_of_a_longer_period_are_set_against_the_weeks_before() -> None:
    half_year = Period(date(2026, 5, 30), date(2026, 11, 27))
    for first_day_with_data, before in (
        (date(2025, 1, 1), date(2026, 5, 30)),
        (date(2026, 8, 20), date(2026, 8, 20)),
    ):
        assert periods.split_late(half_year, first_day_with_data) == (
            Period(date(2026, 10, 31), date(2026, 11, 27)),
            Period(before, date(2026, 10, 30)),
        )
    assert periods.split_late(half_year, date(2026, 10, 31)) is None
    assert periods.split_late(Period(), date(2026, 8, 20)) is None


def test_today_is_no_whole_day_however_late_it_is() -> None:
    assert periods.last_whole_day(date(2026, 11, 24), date(2026, 11, 24)) == date(2026, 11, 23)
    assert periods.last_whole_day(date(2026, 11, 20), date(2026, 11, 24)) == date(2026, 11, 20)


def test_a_period_that_is_not_over_says_so_and_its_totals_are_not_set_against_a_whole_one(
    open_overview: Callable[..., AppTest],
) -> None:
    today = datetime.now(PARIS).replace(hour=9, minute=0, tzinfo=None, microsecond=0)
    land(
        [
            contact(today - timedelta(days=back), f"day {back}", team="Nord", queue="Late")
            for back in (0, 1, 7, 8, 9)
        ],
        "lately",
    )
    app = open_overview("max", period="7d", queue="Late")

    until = formatting.day((today - timedelta(days=1)).date(), year=True)
    assert any(
        f"complete days until {until}, totals are provisional" in text.value for text in app.caption
    )
    assert received(app) == "2" and app.metric[0].delta == ""


def test_a_week_or_month_that_was_clicked_on_is_its_days() -> None:
    assert periods.period_of("week", "2026-10-05") == Period(date(2026, 10, 5), date(2026, 10, 11))
    assert periods.period_of("month", "2026-02") == Period(date(2026, 2, 1), date(2026, 2, 28))
    assert periods.period_of("day", "2026-10-07") == Period(date(2026, 10, 7), date(2026, 10, 7))
    assert periods.period_of("week", "tomorrow") is None
    assert periods.period_of("hour", "9") is None


def build_month_of_executives(add_person: Callable[..., str]) -> None:
    add_people({f"a{number}": f"Ann {number}" for number in range(8)}, {"Nord": "Lille"})
    land(
        [
            contact(
                f"2026-10-{5 + number % 20:02d} 09:00",
                f"c{number}",
                team="Nord",
                advisor_id=f"a{number // 4 % 8}",
                queue=("care", "sales")[number % 2],
                reason=("invoice", "delivery")[number // 2 % 2],
                campaign=("spring", "summer")[number % 2],
                source="Google",
                wait_seconds=10.0,
                csat=1.0 + number % 5,
                csat_scale="1-5",
            )
            for number in range(320)
        ]
    )
    close_month("2026-10")
    add_person("rex", "executive")


@pytest.mark.parametrize(
    "page", ["overview", "traffic", "first_contact", "satisfaction", "irritants", "sources"]
)
def test_under_a_filter_an_executive_reads_why_other_cuts_are_missing(
    page: str,
    start_from: Callable[..., None],
    open_app: Callable[..., AppTest],
    add_person: Callable[..., str],
) -> None:
    start_from(build_month_of_executives, add_person)
    chosen = {"campaign": "spring"} if page == "sources" else {"reason": "invoice"}
    if page == "first_contact":
        chosen["queues"] = "yes"  # the section whose cut is missing

    app = open_app("rex", page, period="1m", **chosen)

    assert not app.exception and not app.error
    if page in ("overview", "first_contact"):
        assert "one breakdown or one filter at a time. Remove the filter" in text_of(app)


def test_every_page_opens_on_a_period_that_is_declared() -> None:
    assert menu.DEFAULT == periods.DEFAULT
    assert {page.period for page in menu.all_pages()} <= set(periods.DAYS)
