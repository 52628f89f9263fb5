"""The arithmetic of one evaluation, clause by clause of docs/contract.md, section 6."""

from __future__ import annotations

import json
import math
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_core import scoring
from qa_core.base.errors import Misuse, Refusal

SCORECARDS = Path(__file__).parents[2] / "data" / "scorecards"


def criterion(key: str, points: float = 1, **more: Any) -> dict[str, Any]:
    return {"key": key, "points": points, **more}


def section(name: str, *criteria: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "criterion": list(criteria), **more}


def grid(*sections: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": "A grid", "section": list(sections), **more}


def score(content: dict[str, Any], **answers: Any) -> dict[str, Any]:
    return scoring.score(scoring.parse_scorecard(content), answers).as_json()


def refusal(content: dict[str, Any], **answers: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        score(content, **answers)
    assert not isinstance(caught.value, Misuse)  # exit 1, not 2
    return caught.value


# Two questions of one point in a section of weight 40, one of them earned; one question
# of one point, earned, in a section of 20.
TWO_GROUPS = grid(
    section("one", criterion("a"), criterion("b"), weight=40),
    section("two", criterion("c"), weight=20),
)


def test_weights_multiply_points_as_in_the_example_of_genesys_cloud_help() -> None:
    # (40 × 1 + 20 × 1) / (40 × 2 + 20 × 1) = 60 / 100
    assert score({**TWO_GROUPS, "method": "points_times_weight"}, a=1, b=0, c=1)["score"] == 60.0


def test_section_weights_apply_to_section_ratios_by_default() -> None:
    # (40 × 0.5 + 20 × 1) / 60
    result = score(TWO_GROUPS, a=1, b=0, c=1)
    assert result["score"] == 66.66666666666667
    assert result["sections"] == [{"name": "one", "score": 50.0}, {"name": "two", "score": 100.0}]


@pytest.mark.parametrize(
    ("chosen", "expected"), [(0, 0), (1, 33.333333333333336), (2, 66.66666666666667), (3, 100)]
)
def test_a_four_point_scale_becomes_per_cent_as_in_zendesk_qa_help(
    chosen: int, expected: float
) -> None:
    assert (
        score(grid(section("s", criterion("a", 3, levels=[0, 1, 2, 3]))), a=chosen)["score"]
        == expected
    )


def test_the_document_has_the_shape_of_the_contract() -> None:
    content = grid(
        section(
            "Welcome",
            criterion("greeting", 2, levels=[0, 1, 2]),
            criterion("identity", not_applicable=True, critical="compliance"),
            weight=40,
        )
    )
    assert score(content, greeting=1, identity="na") == {
        "score": 50.0,
        "calculated_score": 50.0,
        "outcome": "pass",
        "sections": [{"name": "Welcome", "score": 50.0}],
        "answers": [
            {
                "key": "greeting",
                "earned": 1.0,
                "possible": 2.0,
                "applied_weight": 1.0,
                "applicable": True,
            },
            {
                "key": "identity",
                "earned": None,
                "possible": 0.0,
                "applied_weight": 0.0,
                "applicable": False,
            },
        ],
        "failures": [],
    }


def test_not_applicable_leaves_both_sums() -> None:
    content = grid(section("s", criterion("a", 1), criterion("b", 9, not_applicable=True)))
    assert score(content, a=1, b="na")["score"] == 100.0
    assert score(content, a=1, b=0)["score"] == 10.0


def test_a_section_where_nothing_applies_leaves_the_weights() -> None:
    content = grid(
        section("one", criterion("a", 4), weight=1),
        section("two", criterion("b", not_applicable=True), weight=99),
    )
    result = score(content, a=3, b="na")
    assert result["score"] == 75.0
    assert result["sections"][1] == {"name": "two", "score": None}


@pytest.mark.parametrize("method", ["section_ratio", "points_times_weight"])
def test_when_nothing_applies_there_is_no_score_and_no_outcome(method: str) -> None:
    result = score(
        grid(section("s", criterion("a", not_applicable=True)), method=method, pass_mark=80), a="na"
    )
    assert (result["score"], result["calculated_score"], result["outcome"]) == (None, None, None)


def test_a_bonus_adds_to_earned_and_never_to_possible() -> None:
    content = grid(section("s", criterion("a", 4), criterion("extra", 1, bonus=True)))
    result = score(content, a=2, extra=1)
    assert result["score"] == 75.0  # (2 + 1) / 4
    assert result["answers"][1] == {
        "key": "extra",
        "earned": 1.0,
        "possible": 0.0,
        "applied_weight": 0.0,
        "applicable": True,
    }


@pytest.mark.parametrize(
    ("cap", "expected"), [({}, 100.0), ({"bonus_cap": 110}, 110.0), ({"bonus_cap": 200}, 125.0)]
)
def test_the_total_is_capped_and_sections_are_not(cap: dict[str, Any], expected: float) -> None:
    result = score(
        grid(section("s", criterion("a", 4), criterion("extra", 1, bonus=True)), **cap),
        a=4,
        extra=1,
    )
    assert result["score"] == expected
    assert result["sections"] == [{"name": "s", "score": 125.0}]


def test_a_bonus_above_one_hundred_makes_up_for_another_section() -> None:
    content = grid(
        section("one", criterion("a", 4), criterion("extra", 1, bonus=True)),
        section("two", criterion("b", 4)),
    )
    assert score(content, a=4, extra=1, b=3)["score"] == 100.0  # (1.25 + 0.75) / 2


def test_the_bonus_of_a_section_that_does_not_apply_is_not_counted() -> None:
    content = grid(
        section("one", criterion("a", not_applicable=True), criterion("extra", 5, bonus=True)),
        section("two", criterion("b", 2)),
    )
    result = score(content, a="na", extra=5, b=1)
    assert result["score"] == 50.0
    assert result["sections"][0]["score"] is None


def test_a_critical_error_fails_the_grid_and_the_score_stays() -> None:
    content = grid(section("s", criterion("a", 9), criterion("identity", critical="compliance")))
    result = score(content, a=9, identity=0)
    assert (result["score"], result["calculated_score"], result["outcome"]) == (90.0, 90.0, "fail")
    assert result["failures"] == [{"key": "identity", "class": "compliance"}]


@pytest.mark.parametrize("method", ["section_ratio", "points_times_weight"])
def test_a_critical_error_may_make_its_section_count_nothing_and_the_calculated_score_is_kept(
    method: str,
) -> None:
    content = grid(
        section("one", criterion("a", 3), criterion("b", 1, critical="customer", fails="section")),
        section("two", criterion("c", 4)),
        method=method,
    )
    result = score(content, a=3, b=0, c=4)
    assert (result["calculated_score"], result["score"], result["outcome"]) == (87.5, 50.0, "pass")
    assert [entry["score"] for entry in result["sections"]] == [0.0, 100.0]
    assert result["failures"] == [{"key": "b", "class": "customer"}]


def test_an_answer_above_nothing_or_not_applicable_is_no_critical_error() -> None:
    content = grid(
        section("s", criterion("a", 2, critical="business", not_applicable=True), criterion("b"))
    )
    assert score(content, a=0.5, b=1)["failures"] == []
    assert score(content, a="na", b=1)["failures"] == []


def test_a_critical_error_fails_even_where_nothing_applies() -> None:
    content = grid(
        section(
            "s",
            criterion("a", not_applicable=True),
            criterion("b", bonus=True, critical="customer"),
        )
    )
    result = score(content, a="na", b=0)
    assert (result["score"], result["outcome"]) == (None, "fail")


def test_a_section_that_does_not_apply_has_nothing_to_lose() -> None:
    lost = criterion("b", bonus=True, critical="customer", fails="section")
    content = grid(
        section("one", criterion("a", not_applicable=True), lost), section("two", criterion("c"))
    )
    result = score(content, a="na", b=0, c=1)
    assert (result["score"], result["outcome"]) == (100.0, "pass")
    assert result["sections"][0]["score"] is None
    assert result["failures"] == [{"key": "b", "class": "customer"}]


@pytest.mark.parametrize(
    ("mark", "outcome"), [(None, "pass"), (49, "pass"), (50, "pass"), (50.0001, "fail")]
)
def test_the_pass_mark_itself_passes(mark: float | None, outcome: str) -> None:
    content = grid(section("s", criterion("a", 2)), **({} if mark is None else {"pass_mark": mark}))
    assert score(content, a=1)["outcome"] == outcome


def test_a_section_without_weight_informs_and_counts_nothing() -> None:
    result = score(
        grid(section("one", criterion("a", 4)), section("two", criterion("b", 4), weight=0)),
        a=3,
        b=0,
    )
    assert result["score"] == 75.0
    assert [entry["score"] for entry in result["sections"]] == [75.0, 0.0]


def test_the_pass_mark_judges_the_score_after_section_failures() -> None:
    content = grid(
        section("one", criterion("a", 9), criterion("b", critical="customer", fails="section")),
        section("two", criterion("c")),
        pass_mark=80,
    )
    assert score(content, a=9, b=0, c=1)["outcome"] == "fail"  # 95 before, 50 after


def test_applied_weights_of_section_ratios() -> None:
    # 40/60 shared by possible points 1 : 3, and 20/60 for the other section.
    content = grid(
        section("one", criterion("a", 1), criterion("b", 3), weight=40),
        section("two", criterion("c", 7), weight=20),
    )
    weights = [answer["applied_weight"] for answer in score(content, a=1, b=3, c=7)["answers"]]
    assert weights == [1 / 6, 0.5, 1 / 3]


def test_applied_weights_of_points_times_weight() -> None:
    # 40 × 1, 40 × 3 and 20 × 7 of 300
    content = grid(
        section("one", criterion("a", 1), criterion("b", 3), weight=40),
        section("two", criterion("c", 7), weight=20),
        method="points_times_weight",
    )
    weights = [answer["applied_weight"] for answer in score(content, a=1, b=3, c=7)["answers"]]
    assert weights == [float(Fraction(40, 300)), 0.4, float(Fraction(140, 300))]


def test_decimals_are_exact_as_they_are_written() -> None:
    content = grid(
        section(
            "s", *(criterion(f"c{number}", 0.1) for number in range(10)), criterion("last", 0.3)
        ),
        pass_mark=100,
    )
    result = score(content, **{f"c{number}": 0.1 for number in range(10)}, last=0.3)
    assert (result["score"], result["outcome"]) == (100.0, "pass")


def test_a_level_written_as_a_decimal_is_met_exactly() -> None:
    assert score(grid(section("s", criterion("a", 1, levels=[0, 0.1, 1]))), a=0.1)["score"] == 10.0


@pytest.mark.parametrize(
    "answer", [-1, 3, 2.0001, 0.5, True, False, "1", "NA", "", None, [1], math.nan, math.inf, "na"]
)
def test_an_answer_that_cannot_be_is_refused_by_its_key(answer: Any) -> None:
    error = refusal(grid(section("s", criterion("greeting", 2, levels=[0, 1, 2]))), greeting=answer)
    assert error.code == "bad_answer"
    assert "greeting" in str(error)


def test_a_missing_and_an_unknown_answer_are_refused_by_their_key() -> None:
    content = grid(section("s", criterion("greeting"), criterion("close")))
    assert "close" in str(refusal(content, greeting=1))
    assert "surprise" in str(refusal(content, greeting=1, close=1, surprise=1))


def test_a_bonus_must_be_answered_too() -> None:
    assert "extra" in str(
        refusal(grid(section("s", criterion("a"), criterion("extra", bonus=True))), a=1)
    )


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"title": "t"}, "section"),
        (grid(), "section"),
        (grid(section("Welcome")), "Welcome.criterion"),
        (grid(section("Welcome", criterion("a", bonus=True))), "Welcome"),
        (grid(section("", criterion("a"))), "section 1.name"),
        (grid(section("Welcome", {"points": 1})), "Welcome.criterion 1.key"),
        (grid(section("Welcome", {"key": "a"})), "a.points"),
        (grid(section("Welcome", criterion("a", 0))), "a.points"),
        (grid(section("Welcome", criterion("a", -2))), "a.points"),
        (grid(section("Welcome", criterion("a", True))), "a.points"),
        (grid(section("Welcome", criterion("a", math.nan))), "a.points"),
        (grid(section("Welcome", criterion("a", "2"))), "a.points"),
        (grid(section("Welcome", criterion("a", 2, levels=[]))), "a.levels"),
        (grid(section("Welcome", criterion("a", 2, levels=[0, 3]))), "a.levels"),
        (grid(section("Welcome", criterion("a", 2, levels=[0, True]))), "a.levels"),
        (grid(section("Welcome", criterion("a", critical="moral"))), "a.critical"),
        (grid(section("Welcome", criterion("a", critical="customer", fails="all"))), "a.fails"),
        (grid(section("Welcome", criterion("a", not_applicable="yes"))), "a.not_applicable"),
        (grid(section("Welcome", criterion("a", bonus=1))), "a.bonus"),
        (grid(section("Welcome", criterion("a", text={"de": "x"}))), "a.text"),
        (grid(section("Welcome", criterion("a", critcal="customer"))), "critcal"),
        (grid(section("Welcome", criterion("a"), weight=-1)), "Welcome.weight"),
        (grid(section("Welcome", criterion("a"), weight=0)), "weight"),
        (grid(section("Welcome", criterion("a")), section("Close", criterion("a"))), "a"),
        (grid(section("Welcome", criterion("a")), section("Welcome", criterion("b"))), "Welcome"),
        (grid(section("Welcome", criterion("a")), method="average"), "method"),
        (grid(section("Welcome", criterion("a")), pass_mark=101), "pass_mark"),
        (grid(section("Welcome", criterion("a")), pass_mark=-1), "pass_mark"),
        (grid(section("Welcome", criterion("a")), bonus_cap=0), "bonus_cap"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_by_its_place(content: dict[str, Any], place: str) -> None:
    with pytest.raises(Refusal) as caught:
        scoring.parse_scorecard(content)
    assert caught.value.code == "bad_grid"
    assert place in str(caught.value)


# --- properties ---

POINTS = st.integers(min_value=1, max_value=8)
WEIGHTS = st.integers(min_value=1, max_value=50)


@st.composite
def grids_with_answers(
    draw: st.DrawFn, bonus: bool = True, critical: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    sections, answers = [], {}
    for number in range(draw(st.integers(1, 4))):
        criteria = []
        for position in range(draw(st.integers(1, 4))):
            key, points = f"s{number}c{position}", draw(POINTS)
            entry = criterion(key, points, not_applicable=True)
            if critical and draw(st.integers(0, 3)) == 0:
                entry |= {
                    "critical": draw(st.sampled_from(["customer", "business", "compliance"])),
                    "fails": draw(st.sampled_from(["grid", "section"])),
                }
            if bonus and position > 0 and draw(st.integers(0, 3)) == 0:
                entry["bonus"] = True
            criteria.append(entry)
            answers[key] = draw(
                st.one_of(st.just("na"), st.integers(0, points), st.decimals(0, points, places=2))
            )
        sections.append(section(f"section {number}", *criteria, weight=draw(WEIGHTS)))
    options = {"pass_mark": draw(st.integers(0, 100))} if draw(st.booleans()) else {}
    return grid(
        *sections, method=draw(st.sampled_from(["section_ratio", "points_times_weight"])), **options
    ), answers


def result_of(case: tuple[dict[str, Any], dict[str, Any]]) -> scoring.Result:
    return scoring.score(scoring.parse_scorecard(case[0]), case[1])


@given(grids_with_answers())
def test_a_score_lies_between_0_and_the_cap_and_a_failure_never_raises_it(
    case: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    result = result_of(case)
    if result.score is not None:
        assert 0 <= result.score <= result.calculated_score <= 100
    assert (result.score is None) == (result.calculated_score is None)
    json.dumps(result.as_json(), allow_nan=False)


@given(grids_with_answers())
def test_applied_weights_are_shares_of_one_whole(
    case: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    result = result_of(case)
    assert sum(answer.applied_weight for answer in result.answers) == (
        0 if result.score is None else 1
    )


@given(grids_with_answers(bonus=False, critical=False))
def test_the_score_is_the_sum_of_what_each_answer_brought(
    case: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    result = result_of(case)
    brought = sum(
        answer.applied_weight * answer.earned / answer.possible
        for answer in result.answers
        if answer.applied_weight
    )
    assert result.score is None or result.score == 100 * brought


@given(grids_with_answers(critical=False), st.randoms(use_true_random=False))
def test_the_order_of_sections_criteria_and_answers_changes_nothing(
    case: tuple[dict[str, Any], dict[str, Any]], random: Any
) -> None:
    content, answers = case
    shuffled = [
        {**entry, "criterion": random.sample(entry["criterion"], len(entry["criterion"]))}
        for entry in content["section"]
    ]
    random.shuffle(shuffled)
    again = scoring.score(
        scoring.parse_scorecard({**content, "section": shuffled}), dict(reversed(answers.items()))
    )
    assert again.score == result_of(case).score


@given(grids_with_answers(), st.integers(2, 9))
def test_only_the_proportions_of_the_weights_count(
    case: tuple[dict[str, Any], dict[str, Any]], factor: int
) -> None:
    content, answers = case
    scaled = {
        **content,
        "section": [{**entry, "weight": entry["weight"] * factor} for entry in content["section"]],
    }
    assert result_of((scaled, answers)) == result_of(case)


@given(grids_with_answers(critical=False), st.data())
def test_one_more_point_never_lowers_a_score(
    case: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    content, answers = case
    points = {
        entry["key"]: entry["points"] for part in content["section"] for entry in part["criterion"]
    }
    raisable = sorted(
        key for key, answer in answers.items() if answer != "na" and answer < points[key]
    )
    if raisable:
        key = data.draw(st.sampled_from(raisable))
        before, after = (
            result_of(case).score,
            result_of((content, {**answers, key: points[key]})).score,
        )
        assert before is None or after >= before


# --- the grids that come with the product ---


@pytest.mark.parametrize("file", sorted(SCORECARDS.glob("*.toml")), ids=lambda file: file.stem)
def test_each_starter_grid_is_sound_and_speaks_both_languages(file: Path) -> None:
    parsed = scoring.parse_scorecard(tomllib.loads(file.read_text(encoding="utf-8")))
    best = scoring.score(parsed, {entry.key: entry.points for entry in parsed.criteria})
    worst = scoring.score(parsed, {entry.key: 0 for entry in parsed.criteria})
    assert (best.outcome, worst.outcome, worst.score) == ("pass", "fail", 0)
    assert best.score >= 100
    assert any(entry.critical for entry in parsed.criteria)
    for text in [
        parsed.text,
        *(part.text for part in parsed.sections),
        *(entry.text for entry in parsed.criteria),
    ]:
        assert text.fr and text.en


def test_three_starter_grids_are_there() -> None:
    assert [file.stem for file in sorted(SCORECARDS.glob("*.toml"))] == [
        "complaints",
        "customer_service",
        "sales",
    ]
