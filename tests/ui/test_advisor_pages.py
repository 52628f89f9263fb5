"""Advisors side by side: who can be told apart, what the same contacts would have given
in other hands, and one advisor's page.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation, land
from builders.import_files import bring, run_confirmed
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core import stats
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import charts, peers
from qa_core.base.errors import AccessDenied
from qa_core.compliance import audit_report
from qa_core.files.options import ImportOptions
from qa_core.metrics import query
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.stats import CellSums
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.ui.views.quality import advisors

SYSTEM = Viewer.SYSTEM
REAL = os.environ.get("QA_REAL_DATA")
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("North"),))


def group_of(key: str, dimension: str = "advisor") -> peers.Group | None:
    return peers.build_group(get_kpi(key), query.measure(SYSTEM, (key,), (dimension,)), dimension)


def declared(advisor: str, hits: int, n: int, **columns: Any) -> list[dict[str, Any]]:
    """`n` contacts of that advisor, `hits` of them declared resolved."""
    name = "-".join((advisor, *(str(value) for value in columns.values())))
    rows = {"advisor_id": advisor, "team": "North", **columns}
    return [
        contact("2026-05-04 09:00", f"{name}-{number}", declared_resolved=number < hits, **rows)
        for number in range(n)
    ]


# What the same contacts would have given in other hands


def test_a_harder_mix_is_expected_to_resolve_less() -> None:
    # Others: easy 90 of 100, hard 40 of 100. With 20 easy and 80 hard contacts that
    # makes 18 + 32 = 50 of 100.
    own = {("easy",): CellSums(20, 18), ("hard",): CellSums(80, 32)}
    others = {("easy",): CellSums(100, 90), ("hard",): CellSums(100, 40)}

    found = stats.standardise(own, others, is_rate=True)

    assert (found.observed, found.expected, found.difference) == pytest.approx((0.5, 0.5, 0.0))
    assert found.low < 0 < found.high
    assert found.matched == 1


def test_the_error_of_a_difference_holds_the_chance_of_both_sides() -> None:
    # One kind, 100 own and 400 others', all at 50 %: the variance of the others' rate
    # is taken at 201/402 = 0.5.
    found = stats.standardise({(): CellSums(100, 50)}, {(): CellSums(400, 200)}, is_rate=True)

    assert found.error == pytest.approx(math.sqrt(0.25 / 100 + 0.25 / 400))


def test_a_kind_that_others_hardly_met_borrows_from_its_queue() -> None:
    # Others met the rare reason once; the queue around it has 1 + 50 of 1 + 100 = 51 of
    # 101.
    own = {("phone", "care", "rare"): CellSums(10, 5)}
    others = {
        ("phone", "care", "rare"): CellSums(1, 1),
        ("phone", "care", "common"): CellSums(100, 50),
        ("phone", "sales", "order"): CellSums(100, 100),
    }

    found = stats.standardise(own, others, is_rate=True)

    assert found.expected == pytest.approx(51 / 101)
    assert found.matched == 0


def test_means_are_standardised_by_their_sums() -> None:
    # Others: short 100 s, long 300 s. Three short and one long, twice over: (6 · 100 +
    # 2 · 300) / 8 = 150 s expected; observed 200 s.
    own = {("short",): CellSums(6, 6 * 150, 10.0), ("long",): CellSums(2, 2 * 350, 10.0)}
    others = {("short",): CellSums(50, 5_000, 10.0), ("long",): CellSums(50, 15_000, 10.0)}

    found = stats.standardise(own, others, is_rate=False)

    assert (found.observed, found.expected) == (200, 150)


def test_few_values_or_no_colleagues_are_not_compared() -> None:
    assert stats.standardise({(): CellSums(4, 2)}, {(): CellSums(100, 50)}, is_rate=True) is None
    assert stats.standardise({(): CellSums(40, 20)}, {}, is_rate=True) is None


def test_of_several_measures_only_what_chance_does_not_explain_differs() -> None:
    clear = stats.standardise({(): CellSums(200, 60)}, {(): CellSums(2000, 1000)}, is_rate=True)
    slight = stats.standardise({(): CellSums(100, 46)}, {(): CellSums(2000, 1000)}, is_rate=True)

    assert peers.find_sides({"a": clear, "b": slight, "c": None}) == {"a": -1, "b": 0}


def test_an_advisor_is_measured_against_colleagues_with_the_same_contacts(centre: Path) -> None:
    # Zoé resolves what her colleagues do, but nearly all her contacts are of the hard
    # reason: 30 of 60 beside 114 of 140 at first sight.
    land(
        declared("zoe", 9, 10, reason="easy", queue="care")
        + declared("zoe", 21, 50, reason="hard", queue="care")
        + declared("max", 108, 120, reason="easy", queue="care")
        + declared("max", 8, 20, reason="hard", queue="care")
    )
    key = "first_contact_resolution_declared"
    own, others = (
        query.measure(SYSTEM, (key,), peers.KIND, Filters.of(values={"advisor": [one]}))
        for one in ("zoe", "max")
    )

    found = peers.standardise(get_kpi(key), own, others)

    assert found.observed == 0.5
    assert found.expected == pytest.approx((10 * 0.9 + 50 * 0.4) / 60)
    assert peers.find_sides({key: found}) == {key: 0}
    # Without the mix the two would have been told apart.
    assert stats.compare_rates(("zoe", "max"), (30, 116), (60, 140)).below == ("zoe",)


# The funnel, the estimates and what is still needed


def test_the_funnel_narrows_with_the_root_of_n() -> None:
    funnel = stats.build_funnel([0.5, 0.5, 0.5], [100, 100, 400], 0.25)

    assert (funnel.centre, funnel.spread) == (0.5, 1.0)
    # 1.96 · √(0.25 / 100) and 3.09 · √(0.25 / 400)
    assert funnel.half_width(100) == pytest.approx(0.098, abs=1e-4)
    assert funnel.half_width(400, stats.OUTER_CONFIDENCE) == pytest.approx(0.07726, abs=1e-5)


def test_limits_are_widened_by_how_far_all_lie_apart_beyond_chance() -> None:
    # Ten members of 100 at ± 0.1 and the standard error 0.05: each lies two errors
    # away, so the limits are twice as wide.
    wide = stats.build_funnel([0.4, 0.6] * 5, [100] * 10, 0.25)

    assert wide.spread == pytest.approx(2.0)
    assert wide.half_width(100) == pytest.approx(2 * 0.098, abs=1e-4)


def test_one_odd_member_does_not_widen_the_funnel_for_all() -> None:
    values = [0.5 + step / 1000 for step in range(-9, 10)] + [0.9]

    assert stats.build_funnel(values, [100] * 20, 0.25).spread == 1.0


def test_limits_of_means_from_few_values_are_wider_than_the_normal_ones() -> None:
    # Student's t with 10 degrees of freedom puts 2.228 in place of 1.96.
    funnel = stats.build_funnel([80, 80], [6, 6], 100.0, freedom=10)

    assert funnel.half_width(4) == pytest.approx(2.2281 * 5, abs=1e-3)


def test_estimates_of_rates_are_drawn_to_the_group_by_the_known_weights() -> None:
    # 20, 50 and 80 of 100: centre 0.5, within 0.25; spread 100 · 0.18 − 2 · 0.25 = 17.5
    # over 300 − 100 = 200: between 0.0875. Each keeps 0.0875 / (0.0875 + 0.0025) =
    # 0.9722 of its distance.
    shrunk = stats.shrink_rates([20, 50, 80], [100, 100, 100])

    assert shrunk.between**2 == pytest.approx(0.0875)
    assert shrunk.estimates == pytest.approx(
        (0.5 - 0.3 * 0.0875 / 0.09, 0.5, 0.5 + 0.3 * 0.0875 / 0.09)
    )


def test_what_is_needed_and_what_shows_are_two_sides_of_one_reckoning() -> None:
    # (1.95996 + 0.84162) · 10 / 5 = 5.603, squared 31.4: 32 evaluations, 20 more than
    # 12.
    assert stats.extra_values_needed(deviation=10, n=12, difference=5) == 20
    assert stats.detectable_difference(deviation=10, n=32) == pytest.approx(4.9526, abs=1e-3)
    assert stats.extra_values_needed(deviation=10, n=32, difference=5) == 0


# Bands


def test_bands_stand_in_order_and_names_within_them_never_a_rank(centre: Path) -> None:
    add_people({"a": "Zoé", "b": "Émile", "c": "Diane", "d": "Fabien", "e": "Agathe"})
    land(
        declared("a", 195, 200)
        + declared("b", 160, 200)
        + declared("c", 158, 200)
        + declared("d", 162, 200)
        + declared("e", 100, 200)
    )

    group = group_of("first_contact_resolution_declared")

    assert [(peer.name, peer.band) for peer in group.peers] == [
        ("Zoé", "above"),
        ("Diane", "indistinct"),
        ("Émile", "indistinct"),
        ("Fabien", "indistinct"),
        ("Agathe", "below"),
    ]
    assert [group.severity_of(peer) for peer in group.peers] == ["better", "", "", "", "attention"]


def test_where_less_is_better_those_below_stand_on_top_and_a_long_call_is_neither_good_nor_bad(
    centre: Path,
) -> None:
    waits = {"quick": 10, "one": 40, "two": 41, "slow": 90}
    times = {"talk_seconds": 100.0, "hold_seconds": 0.0, "wrap_seconds": 0.0}
    land(
        contact(
            "2026-05-04 09:00",
            f"{who}{n}",
            advisor_id=who,
            wait_seconds=float(base + n % 7),
            **(times | {"talk_seconds": base + n % 7 + 0.5}),
        )
        for who, base in waits.items()
        for n in range(30)
    )

    waited, handled = group_of("average_speed_of_answer"), group_of("average_handle_time")

    assert [(peer.name, waited.severity_of(peer)) for peer in waited.peers] == [
        ("one", "better"),
        ("quick", "better"),
        ("two", "better"),
        ("slow", "attention"),
    ]
    assert {handled.severity_of(peer) for peer in handled.peers} == {""}


def test_who_has_too_few_values_is_left_out_and_two_are_needed(centre: Path) -> None:
    land(declared("a", 8, 10) + declared("b", 1, 4))

    assert group_of("first_contact_resolution_declared") is None

    land(declared("c", 9, 10), "second")
    assert group_of("first_contact_resolution_declared").excluded == ("b",)


def test_alike_advisors_get_the_group_s_value_and_a_test_in_words(centre: Path) -> None:
    land(declared("a", 80, 100) + declared("b", 80, 100) + declared("c", 80, 100))

    group = group_of("first_contact_resolution_declared")

    assert [peer.shrunk for peer in group.peers] == pytest.approx([0.8, 0.8, 0.8])
    assert peers.describe_test(group).endswith("p\u00a0=\u00a01.00.")
    assert group.comparison.indistinct == ("a", "b", "c")


@pytest.mark.skipif(not REAL, reason="QA_REAL_DATA does not name the folder of real files")
def test_the_page_says_that_the_eight_agents_of_the_five_thousand_calls_cannot_be_told_apart(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    report = run_confirmed(
        SYSTEM, "contacts", [Path(REAL) / "contacts" / "five_thousand_calls.csv"], ImportOptions()
    )[0]
    assert not report.is_refused
    add_person("max", "manager", sites=())

    for key, p_value, said in (
        ("csat_mean", 0.72, "p\u00a0=\u00a00.72"),
        ("first_contact_resolution_declared", 0.99, "p\u00a0=\u00a00.99"),
    ):
        group = group_of(key)
        assert [peer.band for peer in group.peers] == ["indistinct"] * 8
        assert group.comparison.p_value == pytest.approx(p_value, abs=0.01)
        shown = text_of(open_app("max", "advisors", measure=key, period="91d"))
        assert "no clear difference between the 8" in shown and said in shown
    becky = text_of(open_app("max", "advisor", id="Becky", period="91d"))
    assert "No statistically clear difference from colleagues" in becky and "7 colleagues" in becky


def test_agents_of_a_file_whose_ratings_were_dealt_out_evenly_are_all_alike(
    centre: Path, tmp_path: Path
) -> None:
    # Four agents, forty calls each; every agent has ten of each rating from 2 to 5, and
    # every fourth call unresolved.
    lines = [
        f"{agent}{n},2026-03-02 "
        f"09:{n:02d}:00,{agent},answered,{n % 4 + 2},{'no' if n % 4 == 0 else 'yes'}"
        for agent in ("Ann", "Bob", "Cid", "Dee")
        for n in range(40)
    ]
    bring(
        tmp_path,
        "contacts",
        "contact_id,started_at,advisor,outcome,csat,declared_resolved\n" + "\n".join(lines) + "\n",
    )

    for key, value in (("csat_mean", 3.5), ("first_contact_resolution_declared", 0.75)):
        group = group_of(key)
        assert [peer.name for peer in group.peers] == ["Ann", "Bob", "Cid", "Dee"]
        assert {peer.band for peer in group.peers} == {"indistinct"}
        assert [peer.value for peer in group.peers] == pytest.approx([value] * 4)


def test_a_centre_that_does_not_evaluate_yet_compares_what_it_has(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_people({"a": "Zoé", "b": "Yan"}, {"North": "Lille"})
    rated = {"csat": 4.0, "csat_scale": "1-5"}
    land(declared("a", 8, 10, **rated) + declared("b", 7, 10, **rated))
    add_person("lea", "team_lead", teams=("North",))

    shown = text_of(open_app("lea", "advisors", period="2026-05"))

    assert "Customer satisfaction: too little data to compare the 2" in shown


# Teams


def test_a_team_s_two_averages_differ_where_one_advisor_was_evaluated_most(centre: Path) -> None:
    add_people({"a": "Zoé", "b": "Max"}, {"North": None})
    land(declared("a", 3, 4) + declared("b", 1, 1))
    made = [contact("2026-05-04 09:00", f"a-{n}", advisor_id="a", team="North") for n in range(3)]
    with store.writing() as session:
        session.add_all(evaluation(row, 90.0) for row in made)
        session.add(
            evaluation(contact("2026-05-04 09:00", "b-0", advisor_id="b", team="North"), 50.0)
        )

    row = {
        row.kpi: row.value
        for row in query.measure(
            SYSTEM, ("evaluation_score", "advisor_mean_score"), ("team",)
        ).itertuples()
    }

    assert row == {"evaluation_score": 80.0, "advisor_mean_score": 70.0}


# Criteria


def test_a_cell_says_its_points_and_how_many_evaluations_and_too_few_say_only_that() -> None:
    enough = pd.Series({"advisor": "Zoé", "value": 75.0, "numerator": 300.0, "n": 4.0})
    few = pd.Series({"advisor": "Zoé <b>", "value": 50.0, "numerator": 100.0, "n": 2.0})

    assert (
        advisors.describe_cell(enough, "Greets")
        == "<b>Zoé</b><br>Greets<br>75\u202f% of points: 3.0 of 4"
    )
    assert advisors.describe_cell(few, "Greets") == "<b>Zoé &lt;b&gt;</b><br>Greets<br>n = 2"


# One advisor


def two_teams() -> None:
    add_people({"a": "Zoé", "b": "Max", "s": "Sam"}, {"North": "Lille", "South": "Lille"})
    land(declared("a", 8, 10) + declared("b", 7, 10) + declared("s", 5, 10, team="South"))
    with store.writing() as session:
        for number, (earned, state) in enumerate(
            ((4.0, "published"), (None, "published"), (1.0, "draft"))
        ):
            of = contact(
                f"2026-05-0{number + 4} 09:00", f"a-{number}", advisor_id="a", team="North"
            )
            session.add(
                evaluation(
                    of, 80.0, {("Welcome", "greets"): (earned, 5.0)}, state=state, evaluator="eve"
                )
            )


def test_a_lead_finds_their_own_advisors_and_nobody_else(centre: Path) -> None:
    two_teams()

    assert [(one.advisor_id, one.name, one.teams) for one in query.find_advisors(LEAD)] == [
        ("b", "Max", ("North",)),
        ("a", "Zoé", ("North",)),
    ]
    assert query.get_advisor(LEAD, "a").name == "Zoé"
    for unseen in ("s", "nobody", "Zoé", ""):
        with pytest.raises(AccessDenied):
            query.get_advisor(LEAD, unseen)


@pytest.mark.parametrize(
    "role", [Role.EXECUTIVE, Role.ADVISOR, Role.EVALUATOR, Role.DPO, Role.ADMIN]
)
def test_nobody_else_looks_up_advisors(centre: Path, role: Role) -> None:
    viewer = Viewer("someone", role, advisor_id="a")
    for ask in (
        query.find_advisors,
        lambda who: query.get_advisor(who, "a"),
        lambda who: query.find_evaluations_of(who, "a", Filters()),
    ):
        with pytest.raises(AccessDenied):
            ask(viewer)


def test_evaluations_of_an_advisor_are_published_in_scope_and_name_the_evaluator_to_managers_alone(
    centre: Path,
) -> None:
    two_teams()
    manager = Viewer("max", Role.MANAGER, managed_teams=("North", "South"))
    south = Viewer("sol", Role.TEAM_LEAD, led_teams=(TeamSpan("South"),))

    found = query.find_evaluations_of(LEAD, "a", Filters())

    assert found["contact_id"].tolist() == ["a-1", "a-0"]
    assert "evaluator" not in found and query.find_evaluations_of(manager, "a", Filters())[
        "evaluator"
    ].tolist() == ["eve", "eve"]
    assert query.find_evaluations_of(south, "a", Filters()).empty
    # The second evaluation left the criterion out.
    assert query.find_evaluations_of(LEAD, "a", Filters(), "greets")[
        ["contact_id", "earned", "possible"]
    ].values.tolist() == [["a-0", 4.0, 5.0]]


def test_the_pages_of_a_lead_open_and_the_reading_of_one_advisor_is_in_the_journal(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    two_teams()
    add_person("lea", "team_lead", teams=("North",))

    side_by_side = open_app(
        "lea", "advisors", measure="first_contact_resolution_declared", period="2026-05"
    )
    views = {
        view: open_app("lea", "advisors", view=view, period="2026-05")
        for view in ("all", "criteria")
    }
    one = open_app("lea", "advisor", id="a", period="2026-05")

    assert not any(app.exception for app in (side_by_side, one, *views.values()))
    assert "Side by side" in text_of(
        views["all"]
    ) and "Most points are lost on greets (80\u202f% earned)" in text_of(views["criteria"])
    assert "no clear difference between the 2" in text_of(side_by_side)
    assert one.title[0].value == "Zoé" and "1 colleague." in text_of(one)
    with store.reading() as session:
        assert session.execute(
            sa.select(JournalRow.actor, JournalRow.object).where(
                JournalRow.action == "advisor_read"
            )
        ).all() == [("lea", audit_log.name_advisor("a"))]
    [entry] = audit_report.find_entries(Viewer.SYSTEM, action="advisor_read")
    assert entry.object == "a"


def test_an_advisor_of_another_team_is_refused_and_not_journalled(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    two_teams()
    add_person("lea", "team_lead", teams=("North",))

    app = open_app("lea", "advisor", id="s")

    assert "Sam" not in text_of(app) and app.error[0].value
    with store.reading() as session:
        assert not session.execute(
            sa.select(JournalRow).where(JournalRow.action == "advisor_read")
        ).all()


def test_a_centre_without_data_says_so_on_both_pages(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("max", "manager", sites=())

    for page, query_parameters in (("advisors", {}), ("advisor", {}), ("advisor", {"id": "a"})):
        assert not open_app("max", page, **query_parameters).exception


# The pictures


def test_a_click_in_the_funnel_knows_who_and_the_outer_limits_lie_outside() -> None:
    funnel = stats.build_funnel([0.5, 0.7], [100, 100], 0.25)
    frame = pd.DataFrame(
        {
            "key": ["Ann", "Bob"],
            "label": ["Ann", "Bob"],
            "value": [0.5, 0.7],
            "n": [100, 100],
            "severity": ["", ""],
            "is_named": [False, True],
        }
    )

    figure = charts.build_funnel_plot(frame, funnel, "rate")

    inner, outer, points = figure.data[0], figure.data[2], figure.data[-1]
    assert [key for (key,) in points.customdata] == ["Ann", "Bob"]
    assert all(wide > narrow for wide, narrow in zip(outer.y, inner.y, strict=True))
    assert [note.text for note in figure.layout.annotations] == ["Bob"]


def test_a_cell_of_too_few_evaluations_has_no_colour_and_no_number() -> None:
    rows = [
        ("Ann", "greets", 80.0, True),
        ("Ann", "closes", 20.0, False),
        ("Bob", "greets", 60.0, True),
    ]
    frame = pd.DataFrame(rows, columns=["advisor", "criterion", "value", "enough"]).assign(text="")

    figure = charts.build_criteria(
        frame, ["Ann", "Bob"], [("greets", "Greets"), ("closes", "Closes")]
    )

    heat, points = figure.data
    assert heat.z[0][0] == 80 and math.isnan(heat.z[0][1]) and math.isnan(heat.z[1][1])
    assert list(points.text) == ["80", "", "60"]
    assert [tuple(keys) for keys in points.customdata] == [
        ("Ann", "greets"),
        ("Ann", "closes"),
        ("Bob", "greets"),
    ]


def test_an_interval_that_excludes_0_without_a_clear_difference_is_explained(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    # 66 and 77 of 100 declared resolved: clear alone, and not among the measures tested.
    add_people({name: name for name in "abc"}, {"North": "Lyon"})
    alike = {"csat": 4.0, "csat_scale": "1-5"}
    hits = {"a": 66, "b": 77, "c": 77}
    land([row for name, n in hits.items() for row in declared(name, n, 100, **alike)])
    add_person("max", "manager", sites=("Lyon",))

    shown = text_of(open_app("max", "advisor", id="a", period="91d"))

    assert "No statistically clear difference" in shown and "may exclude 0 by chance" in shown
    assert "may exclude 0" not in text_of(open_app("max", "advisor", id="b", period="91d"))


def test_one_outside_the_funnel_while_no_difference_is_clear_is_explained(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    # Twelve with 80 of 100, and one with 66: outside alone, as one of thirteen may be.
    hits = dict.fromkeys("bcdefghijklm", 80) | {"a": 66}
    add_people({name: name for name in hits}, {"North": "Lyon"})
    land([row for name, n in hits.items() for row in declared(name, n, 100)])
    add_person("max", "manager", sites=("Lyon",))

    measure = {"measure": "first_contact_resolution_declared"}
    shown = text_of(open_app("max", "advisors", period="91d", **measure))

    assert "no clear difference between the 13" in shown
    assert "1 of 13 is outside the outer limits" in shown
    assert "Tested together, all of them show no clear difference." in shown
