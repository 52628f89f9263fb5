"""Severity: known answers, a strict and a lenient evaluator found again, refusal where
nothing connects them, and who may read what.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from builders import centres

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.rows import severity
from qa_core.stats.severity import fit_severity
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor


def test_two_evaluators_who_share_their_advisors_differ_by_what_they_differ() -> None:
    # Each scored both advisors; eve gives 10 less than tom. The mean of all stays 75.
    found = fit_severity(
        [70, 80, 65, 85], ["ada", "ada", "bob", "bob"], ["eve", "tom", "eve", "tom"]
    )

    assert found.evaluators["eve"].value == pytest.approx(7.5) and found.evaluators[
        "tom"
    ].value == pytest.approx(-7.5)
    assert found.evaluators["eve"].raw == pytest.approx(67.5)
    assert found.advisors["ada"].value == pytest.approx(75) and found.advisors[
        "bob"
    ].value == pytest.approx(75)


def test_who_was_scored_by_the_strict_one_alone_is_lifted() -> None:
    # By hand: eve is 10 below tom on ada. bob met only eve (60 → 65), cleo only tom (80
    # → 75).
    found = fit_severity(
        [70, 80, 60, 80], ["ada", "ada", "bob", "cleo"], ["eve", "tom", "eve", "tom"]
    )

    assert found.advisors["bob"].raw == 60 and found.advisors["bob"].value == pytest.approx(65)
    assert found.advisors["cleo"].value == pytest.approx(75) and found.advisors[
        "ada"
    ].value == pytest.approx(75)


def test_a_simulated_strict_and_a_lenient_evaluator_are_found_again() -> None:
    chance = np.random.default_rng(4)
    n, severities, grids = 6000, np.array([5.0, -4.0, 0.0, 0.0]), np.array([0.0, 6.0])
    levels = chance.normal(80, 5, 60)
    # The strict one mostly meets the good advisors: their plain means lie.
    advisor = chance.integers(0, 60, n)
    evaluator = np.where(
        (levels[advisor] > 80) & (chance.random(n) < 0.7), 0, chance.integers(0, 4, n)
    )
    grid = chance.integers(0, 2, n)
    scores = levels[advisor] - severities[evaluator] + grids[grid] + chance.normal(0, 7, n)
    found = fit_severity(scores, advisor.tolist(), evaluator.tolist(), grid.tolist())
    centre = severities[evaluator].mean()
    truth = severities - centre

    assert all(
        found.evaluators[name].low < truth[name] < found.evaluators[name].high for name in range(4)
    )
    assert found.deviation == pytest.approx(7, abs=0.2)
    inside = [
        found.advisors[name].low
        < levels[name] - centre + grids[grid].mean()
        < found.advisors[name].high
        for name in range(60)
    ]
    assert np.mean(inside) > 0.85
    assert abs(found.evaluators[0].shrunk) < abs(found.evaluators[0].value)


@pytest.mark.parametrize(
    ("advisors", "evaluators", "grids", "apart"),
    [
        (
            ["ada", "ada", "bob"],
            ["eve", "tom", "zoe"],
            None,
            (("zoe",), ()),
        ),  # zoe shares no advisor with anybody
        (
            ["ada", "ada", "ada"],
            ["eve", "eve", "zoe"],
            ["phone", "phone", "mail"],
            (("zoe",), ("mail",)),
        ),  # severe, or on a harder grid?
        (
            ["ada", "bob", "ada", "bob"],
            ["eve", "eve", "tom", "tom"],
            ["phone", "mail", "phone", "mail"],
            ((), ("mail",)),
        ),  # hard grid, or weak advisor?
    ],
)
def test_what_nothing_connects_is_refused_and_named(
    advisors: list[str], evaluators: list[str], grids: list[str] | None, apart: tuple[tuple, tuple]
) -> None:
    found = fit_severity([70.0, 80.0, 75.0, 60.0][: len(advisors)], advisors, evaluators, grids)

    assert not found.is_connected and not found.evaluators
    assert (found.disconnected_evaluators, found.disconnected_scorecards) == apart


def test_one_evaluator_alone_has_no_severity() -> None:
    assert not fit_severity([70, 80], ["ada", "bob"], ["eve", "eve"]).is_connected
    assert not fit_severity([], [], []).is_connected


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


@pytest.fixture
def scored(centre: Path, add_person) -> None:
    """Ada and Bob in the north, Cleo in the south; Eve gives ten points less than Tom
    to whoever both scored.
    """
    teams = {"ada": "North", "bob": "North", "cleo": "South"}
    centres.add_people({name: name.title() for name in teams}, {"North": "Lyon", "South": "Nice"})
    add_person("mona", "manager", sites=("Lyon",))
    add_person("lea", "team_lead", teams=("North",))
    made = [
        ("ada", "eve", 70),
        ("ada", "tom", 80),
        ("bob", "eve", 60),
        ("cleo", "eve", 75),
        ("cleo", "tom", 85),
        ("cleo", "zoe", 80),
    ]
    contacts = [
        centres.contact("2026-03-02 09:00", f"c{place}", advisor_id=name, team=teams[name])
        for place, (name, *_rest) in enumerate(made)
    ]
    centres.land(contacts)
    with store.writing() as session:
        for contact, (_name, evaluator, score) in zip(contacts, made, strict=True):
            session.add(
                centres.evaluation(
                    contact,
                    float(score),
                    evaluator=evaluator,
                    seconds_spent=60.0 * (1 + (evaluator == "eve")),
                )
            )


def test_a_lead_sees_the_adjusted_scores_of_their_own_and_no_evaluator(scored) -> None:
    found = severity.find_adjusted_scores(viewer_of("lea"), Filters())

    # Three of six were Eve's, two Tom's, one Zoe's, halfway between them: the mean of
    # all evaluators is (3 × 0 + 2 × 10 + 5) / 6 above Eve.
    assert {name: effect.value for name, effect in found.advisors.items()} == {
        "ada": pytest.approx(70 + 25 / 6),
        "bob": pytest.approx(60 + 25 / 6),
    }
    assert found.advisors["bob"].raw == 60
    with pytest.raises(AccessDenied):
        severity.find_evaluators(viewer_of("lea"), Period())
    with pytest.raises(AccessDenied):
        severity.find_adjusted_scores(viewer_of("lea"), Filters.of(values={"evaluator": ("eve",)}))


def test_a_manager_sees_the_evaluators_of_their_sites_as_strict_as_everywhere(scored) -> None:
    found = {
        item.evaluator: item
        for item in severity.find_evaluators(viewer_of("mona"), Period()).figures
    }

    assert set(found) == {"eve", "tom"} and found["eve"].n == 2 and found["eve"].mean == 65
    assert found["eve"].severity.value - found["tom"].severity.value == pytest.approx(10)
    assert (found["eve"].median_seconds, found["tom"].median_seconds) == (120, 60)


def test_nothing_is_adjusted_where_nothing_connects_the_evaluators(scored) -> None:
    where = Filters.of(values={"team": ("North",)})
    with store.writing() as session:
        contact = centres.contact("2026-03-03 09:00", "far", advisor_id="dan", team="North")
        session.add(Advisor(advisor_id="dan", name="Dan"))
        session.flush()
        session.add(centres.evaluation(contact, 90.0, evaluator="ann"))

    assert not severity.find_adjusted_scores(viewer_of("lea"), where).is_connected
    assert severity.find_adjusted_scores(viewer_of("lea"), where).disconnected == (1, 0)
    assert severity.find_evaluators(viewer_of("mona"), Period()).disconnected == ("ann",)
    march_second = Filters(Period(date(2026, 3, 2), date(2026, 3, 2)))
    assert severity.find_adjusted_scores(viewer_of("lea"), march_second).is_connected


def test_the_adjusted_score_stands_beside_the_plain_one(scored, open_app) -> None:
    app = open_app("lea", "advisors")
    app.segmented_control("view").set_value("all").run()

    assert not app.exception
    lines = {line["Advisor"]: line for line in app.dataframe[0].value.to_dict("records")}
    assert lines["Bob"]["Adjusted score"].startswith(
        "64.2"
    )  # 60 by Eve, who is 25 / 6 below the mean of the evaluators
