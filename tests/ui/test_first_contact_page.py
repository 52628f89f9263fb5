"""First contact: repeats with their time and cost, what was declared against who came
back, chains, why the share moved, and what the page says of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land, publish
from builders.long_seeds import leave_to_long
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import exports
from qa_core.base.errors import AccessDenied
from qa_core.centre import settings as declared_settings
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.stats import control_charts
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.ui.views.performance import rate_mix_waterfall

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
JUNE = Filters(Period(date(2026, 6, 1), date(2026, 6, 30)))
FIRST, REPEATS, TIME, COST = (
    "first_contact_resolution",
    "repeat_contacts",
    "repeat_handle_time",
    "cost_of_repeats",
)


def at(
    day: str, name: str, customer: str | None, advisor: str | None = "a1", **columns: Any
) -> dict[str, Any]:
    return contact(
        f"2026-06-{day} 12:00",
        name,
        customer_key=customer,
        advisor_id=advisor,
        **{"team": "Nord", "queue": "care", "reason": "billing"} | columns,
    )


def spent(talk: float, wrap: float = 0.0, **columns: Any) -> dict[str, Any]:
    return {"talk_seconds": talk, "hold_seconds": 0.0, "wrap_seconds": wrap} | columns


@pytest.fixture
def five_customers(centre: Path, start_from: Callable[..., Any]) -> Path:
    """June, between two strangers far before and after; the window is seven days.

    ann: 10 June, again 12 June (240 s) and 13 June with Sud (300 s). bob: once. cat:
    once. dan: 11 June, then nine days later, abandoned. eve: 12 June, then 14 June,
    abandoned.
    """
    start_from(land_five_customers)
    return centre


def land_five_customers() -> None:
    add_people({"a1": "Ann", "a2": "Bob", "a3": "Cid"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact("2026-04-01 12:00", "first"),
            contact("2026-08-30 12:00", "last"),
            at("10", "ann1", "customer-ann", declared_resolved=True, **spent(100.0, 20.0)),
            at("12", "ann2", "customer-ann", "a2", declared_resolved=False, **spent(200.0, 40.0)),
            at(
                "13",
                "ann3",
                "customer-ann",
                "a3",
                team="Sud",
                queue="sales",
                declared_resolved=True,
                **spent(300.0),
            ),
            at(
                "10",
                "bob1",
                "customer-bob",
                reason="delivery",
                declared_resolved=True,
                **spent(50.0),
            ),
            at(
                "11",
                "cat1",
                "customer-cat",
                reason="delivery",
                declared_resolved=False,
                **spent(50.0),
            ),
            at("11", "dan1", "customer-dan", "a2", declared_resolved=False, **spent(50.0)),
            at("20", "dan2", "customer-dan", None, outcome="abandoned"),
            at(
                "12",
                "eve1",
                "customer-eve",
                reason="delivery",
                declared_resolved=True,
                **spent(50.0),
            ),
            at("14", "eve2", "customer-eve", None, reason=None, outcome="abandoned"),
        ]
    )


def measured(key: str, *by: str, viewer: Viewer = SYSTEM, **overrides: str) -> dict[Any, Any]:
    frame = query.measure(viewer, (key,), by, JUNE, overrides=overrides)
    found = {(row[by[0]] if by else None): row["value"] for row in frame.to_dict("records")}
    return {
        (None if key != key else key): (None if value != value else value)
        for key, value in found.items()
    }


def test_repeats_are_the_contacts_that_came_back_with_the_time_that_each_took(
    five_customers: Path,
) -> None:
    # ann2, ann3 and eve2; dan2 came after the window. The abandoned one took no
    # advisor's time: 240 + 300 s.
    assert measured(REPEATS) == {None: 3}
    assert measured(TIME) == {None: 540}
    assert measured(REPEATS, "queue") == {"care": 2, "sales": 1}
    assert measured(TIME, "queue") == {"care": 240, "sales": 300}
    assert measured(REPEATS, first_contact_days="10") == {None: 4}
    assert measured(REPEATS, "reason", viewer=MANAGER) == {"billing": 1, "delivery": 0, None: 1}


def test_the_cost_of_repeats_is_unknown_until_an_hour_has_a_price_and_then_that_of_its_day(
    five_customers: Path,
) -> None:
    assert measured(COST) == {None: None}

    with store.writing() as session:
        declared_settings.set_value(session, SYSTEM, "cost_per_hour", "36", None)
        declared_settings.set_value(session, SYSTEM, "cost_per_hour", "72", date(2026, 6, 13))

    # 240 s at 36 an hour, 300 s at 72 an hour.
    assert measured(COST) == {None: pytest.approx(2.4 + 6.0)}

    with store.writing() as session:
        declared_settings.set_value(session, SYSTEM, "cost_per_hour", "", date(2026, 6, 13))

    assert measured(COST) == {None: pytest.approx(2.4)}


def test_what_was_declared_is_crossed_with_who_came_back_on_contacts_where_both_are_known(
    five_customers: Path,
) -> None:
    frame = query.measure(SYSTEM, (FIRST,), ("declared",), JUNE).set_index("declared")

    # Declared resolved: ann1 and eve1 came back, bob1 did not. Not resolved: cat1 and
    # dan1 stayed away. ann2 and ann3 are no first contacts.
    assert (frame.loc["yes", "numerator"], frame.loc["yes", "n"]) == (1, 3)
    assert (frame.loc["no", "numerator"], frame.loc["no", "n"]) == (2, 2)


def test_the_list_behind_repeats_has_exactly_those_by_the_window_asked_for(
    five_customers: Path,
) -> None:
    def listed(viewer: Viewer, **overrides: str) -> list[str]:
        frame = query.find_contacts(
            viewer, JUNE, ("contact_id",), behind=REPEATS, order="oldest", overrides=overrides
        )
        assert query.count_contacts(viewer, JUNE, REPEATS, overrides) == len(frame)
        return list(frame["contact_id"])

    assert listed(SYSTEM) == ["ann2", "ann3", "eve2"]
    assert listed(MANAGER) == ["ann2", "eve2"]
    assert listed(SYSTEM, first_contact_days="10") == ["ann2", "ann3", "eve2", "dan2"]


def test_a_file_with_another_window_says_so_and_has_its_values(five_customers: Path) -> None:
    made = exports.build_file(
        SYSTEM,
        **exports.build_figure_parameters(
            (REPEATS,), ("queue",), JUNE, {"first_contact_days": "10"}
        ),
    )

    lines = list(csv.reader(io.StringIO(made.content.decode("utf-8-sig"))))
    assert ["Repeat window", "10"] in lines
    assert [(line[0], line[2]) for line in lines[-2:]] == [("care", "3.0"), ("sales", "1.0")]


def test_chains_show_what_is_in_scope_and_count_what_is_not(five_customers: Path) -> None:
    found = query.find_chains(MANAGER, JUNE)

    # One repeat of ann in Nord, her last contact beyond it; one of eve.
    assert [
        (chain.customer, [link.contact_id for link in chain.links], chain.repeats, chain.elsewhere)
        for chain in found
    ] == [("•• nn", ["ann1", "ann2"], 1, 1), ("•• ve", ["eve1", "eve2"], 1, 0)]
    assert [chain.ends_elsewhere for chain in found] == [True, False]
    assert found[0].links[1].advisor == "Bob"


def test_a_longer_window_makes_longer_chains_and_a_filter_keeps_those_that_it_meets(
    five_customers: Path,
) -> None:
    def names(where: Filters, **overrides: str) -> list[str]:
        return [chain.links[0].contact_id for chain in query.find_chains(SYSTEM, where, overrides)]

    assert names(JUNE) == ["ann1", "eve1"]
    assert names(JUNE, first_contact_days="9") == ["ann1", "dan1", "eve1"]
    assert names(JUNE.with_value("queue", "sales")) == ["ann1"]


def test_contacts_of_one_moment_are_in_one_chain(centre: Path) -> None:
    days = {"z": 1, "b": 5, "a": 5, "c": 11, "d": 19}
    land([contact(f"2026-06-{day:02d} 10:00", n, customer_key="fay") for n, day in days.items()])

    [chain] = query.find_chains(SYSTEM, JUNE)

    assert [link.contact_id for link in chain.links] == ["z", "a", "b", "c"]
    assert (chain.repeats, chain.elsewhere, chain.ends_elsewhere) == (3, 0, False)


def test_who_sees_chains_never_learns_who_the_customer_is(five_customers: Path) -> None:
    assert {chain.customer for chain in query.find_chains(LEAD, JUNE)} == {None}
    assert [
        len(chain.links)
        for chain in query.find_chains(Viewer("bob", Role.ADVISOR, advisor_id="a2"), JUNE)
    ] == [1]
    for ask in (query.find_chains, lambda viewer: query.find_history(viewer, "generic", "ann1")):
        with pytest.raises(AccessDenied):
            ask(EXECUTIVE)


def test_the_history_of_a_contact_is_that_of_its_customer_as_far_as_the_scope_goes(
    five_customers: Path,
) -> None:
    history = query.find_history(LEAD, "generic", "ann1")

    assert ([link.contact_id for link in history.links], history.elsewhere) == (["ann1", "ann2"], 1)
    assert (
        len(query.find_history(SYSTEM, "generic", "first").links) == 1
    )  # of an unknown customer, itself alone
    for hidden in ("ann3", "nowhere"):
        with pytest.raises(AccessDenied):
            query.find_history(LEAD, "generic", hidden)


def by_queue(month: int, **queues: tuple[int, int, int]) -> list[dict[str, Any]]:
    """For each queue: so many advisors with so many first contacts each, of which so
    many of all come back the next day.
    """
    made = []
    for queue, (advisors, each, returning) in queues.items():
        for number in range(advisors * each):
            customer = f"{queue}-{month}-{number}"
            made.append(
                contact(
                    f"2026-{month:02d}-05 10:00",
                    f"{customer}-1",
                    queue=queue,
                    advisor_id=f"a{number % advisors}",
                    customer_key=customer,
                )
            )
            if number < returning:
                made.append(
                    contact(
                        f"2026-{month:02d}-06 10:00",
                        f"{customer}-2",
                        queue=queue,
                        advisor_id="a0",
                        customer_key=customer,
                    )
                )
    return made


def test_the_effects_of_segments_of_which_some_are_hidden_add_up_to_the_change(
    centre: Path,
) -> None:
    frame = [contact("2026-03-01 10:00", "first"), contact("2026-09-01 10:00", "last")]
    before = by_queue(5, large=(8, 10, 8), other=(8, 10, 16), third=(7, 10, 7), few=(2, 6, 6))
    land([*frame, *before, *by_queue(6, large=(8, 10, 24), other=(8, 10, 16), third=(7, 10, 7))])
    publish("2026-05", "2026-06")
    may = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))
    (whole,) = query.measure(EXECUTIVE, (FIRST,), (), JUNE, may.period).itertuples()
    cuts = [query.measure(EXECUTIVE, (FIRST,), ("queue",), where) for where in (may, JUNE)]
    assert "suppressed" in set(cuts[0]["status"])

    segments = rate_mix_waterfall.join_hidden(
        [rate_mix_waterfall.read_segments(cut, "queue") for cut in cuts], whole
    )
    effects = control_charts.explain_change(*segments)

    assert rate_mix_waterfall.HIDDEN in segments[0] and "few" not in segments[0]
    assert sum(effect.rate + effect.mix for effect in effects) == pytest.approx(whole.delta)
    assert next(effect.rate for effect in effects if effect.segment == "large") < 0


@pytest.fixture
def open_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> Callable[..., AppTest]:
    def follow(role: str, bounds: dict[str, Any], **query_params: str) -> AppTest:
        add_person("someone", role, language="en", **bounds)
        app = open_app("someone", "first_contact", **query_params)
        assert not app.exception and not app.error
        return app

    return follow


def table_of(app: AppTest, head: str) -> Any:
    return next(table.value for table in app.dataframe if head in table.value.columns)


def test_the_page_reads_everything_by_the_window_of_the_address(
    five_customers: Path, open_page: Callable[..., AppTest]
) -> None:
    app = open_page("manager", {"sites": ("Lille",)}, period="2026-06", window="10", queues="yes")

    table = table_of(app, "Queue").set_index("Queue")
    expected = query.measure(
        MANAGER, (REPEATS, TIME), ("queue",), JUNE, overrides={"first_contact_days": "10"}
    )
    assert (
        dict(table["Repeats"])
        == dict(expected[expected["kpi"] == REPEATS].set_index("queue")["value"])
        == {"care": 3}
    )
    assert list(table["Hours"]) == [round(240 / 3600, 1)]
    assert "of the time spent on" not in text_of(app)  # three repeats: too few for a share
    assert "tries a window of 10 days instead of 7 days" in text_of(app)

    app.select_slider(key="window").set_value("7").run()
    assert dict(table_of(app, "Queue").set_index("Queue")["Repeats"]) == {"care": 2}
    assert "window" not in app.query_params


@pytest.mark.parametrize("text", leave_to_long(["0", "31", "many", "2.5"], but=["31", "many"]))
def test_a_window_that_is_not_offered_is_passed_over(
    text: str, five_customers: Path, open_page: Callable[..., AppTest]
) -> None:
    app = open_page("manager", {"sites": ("Lille",)}, period="2026-06", window=text)

    assert app.select_slider(key="window").value == "7"


def test_executives_read_the_window_in_force_and_see_no_other_and_no_chains(
    five_customers: Path, open_page: Callable[..., AppTest]
) -> None:
    publish("2026-06")
    app = open_page("executive", {}, period="2026-06", window="13", chains="yes")

    assert not app.select_slider
    assert "Repeat window in force: 7 days" in text_of(app)
    assert "within 13 days" not in text_of(app)
    assert not [section for section in app.expander if "Chains" in section.label]
    assert not [table for table in app.dataframe if "Customer" in table.value.columns]


def test_chains_open_on_demand_and_the_journal_knows(
    five_customers: Path, open_page: Callable[..., AppTest]
) -> None:
    app = open_page("manager", {"sites": ("Lille",)}, period="2026-06")
    assert chains_read() == 0

    app.session_state["section_chains"] = True
    app.run()

    table = table_of(app, "Customer")
    assert list(table["Customer"]) == ["1. •• nn", "2. •• ve"]
    assert list(table["Elsewhere"]) == [1, 0]
    assert dict(app.query_params) == {"period": "2026-06", "chains": "yes"}
    assert chains_read() == 1
    app.run()
    assert chains_read() == 1


def chains_read() -> int:
    with store.reading() as session:
        return session.scalar(
            sa.select(sa.func.count())
            .select_from(JournalRow)
            .where(JournalRow.action == "chains_read")
        )


def test_the_contact_page_shows_the_other_contacts_of_its_customer(
    five_customers: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("lea", "team_lead", teams=("Nord",))
    app = open_app("lea", "contact", system="generic", id="ann2")

    assert "3 contacts of this customer within 31 days" in text_of(app)
    assert "1 is outside your scope and only counted." in text_of(app)
    assert list(table_of(app, "Time between")["Time between"]) == ["2 days before", "this contact"]


@pytest.mark.parametrize(
    ("role", "bounds"),
    [("team_lead", {"teams": ("Nord",)}), ("advisor", {"advisor_id": "a1"})],
)
def test_a_week_of_data_leaves_everything_pending_and_says_so(
    role: str, bounds: dict[str, Any], centre: Path, open_page: Callable[..., AppTest]
) -> None:
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    land([at(f"{day:02d}", f"c{day}", f"customer-{day % 3}") for day in range(1, 8)])

    app = open_page(role, bounds, period="2026-06", windows="yes")

    assert "Needs 30 contacts with a complete repeat window." in text_of(app)


def test_the_segment_of_the_change_stands_in_the_address(
    centre: Path, open_page: Callable[..., AppTest]
) -> None:
    add_people({f"a{number}": f"Advisor {number}" for number in range(8)}, {"Nord": "Lille"})
    frame = [contact("2026-03-01 10:00", "first"), contact("2026-09-01 10:00", "last")]
    rows = [
        *by_queue(5, large=(8, 20, 16), other=(8, 20, 16)),
        *by_queue(6, large=(8, 20, 80), other=(8, 20, 16)),
    ]
    land([*frame, *({**row, "team": "Nord"} for row in rows)])

    app = open_page(
        "manager", {"sites": ("Lille",)}, period="2026-06", segment="queue", change="yes"
    )

    # large: 90 % to 50 % at half of all; other stays at 90 %.
    assert "fell by 20.0\u00a0pt; largest effect: large (−20.0\u00a0pt)" in text_of(app)
    assert "Rates within the segments: −20.0\u00a0pt. Mix of segments: 0.0\u00a0pt." in text_of(app)


def test_a_section_asks_the_lake_only_once_it_is_open(
    five_customers: Path, open_page: Callable[..., AppTest], asked: list[str]
) -> None:
    app = open_page("manager", {"sites": ("Lille",)}, period="2026-06")

    for section in ("change", "queues", "agreement", "windows", "chains"):
        # What a page asked for is remembered: a statement that runs now did not run before.
        asked.clear()
        app.query_params[section] = "yes"
        app.run()
        assert not app.exception and asked, section
