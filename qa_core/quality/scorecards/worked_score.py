"""Worked calculation of a score, to check it by hand."""

from dataclasses import dataclass
from fractions import Fraction

from qa_core import scoring
from qa_core.base.i18n import N_, _, language
from qa_core.metrics.kpis import formatting


@dataclass(frozen=True)
class SectionSum:
    """Points of a section, its weight, and its share (0: not applicable)."""

    name: str
    title: str
    earned: Fraction
    possible: Fraction
    weight: Fraction
    share: Fraction
    score: Fraction | None


FORMULAS = {
    scoring.Method.SECTION_RATIO: N_(
        "Sum of weight × earned / possible of each section, divided by the sum of the weights"
    ),
    scoring.Method.POINTS_TIMES_WEIGHT: N_(
        "Sum of weight × points earned, divided by the sum of weight × points possible"
    ),
}


def find_sums(scorecard: scoring.Scorecard, result: scoring.Result) -> list[SectionSum]:
    """Return the sums of the sections, in the order of the scorecard."""
    scores = {section.name: section.score for section in result.sections}
    sums = []
    for section in scorecard.sections:
        inside = [answer for answer in result.answers if answer.section == section.name]
        earned = sum((answer.earned for answer in inside if answer.earned is not None), Fraction(0))
        possible = sum((answer.possible for answer in inside), Fraction(0))
        share = sum((answer.applied_weight for answer in inside), Fraction(0))
        sums.append(
            SectionSum(
                section.name,
                section.text.in_language(language()),
                earned,
                possible,
                section.weight,
                share,
                scores[section.name],
            )
        )
    return sums


def write_formula(scorecard: scoring.Scorecard, result: scoring.Result) -> str:
    """Write `100 × (40 × 3/4 + 20 × 1/1) / 60 = 83.3`; empty without a score."""
    return _write_calculation(
        scorecard,
        [(section, section.earned) for section in find_sums(scorecard, result) if section.share],
        result.calculated_score,
    )


def describe_steps(scorecard: scoring.Scorecard, result: scoring.Result) -> list[str]:
    """Describe the steps to the outcome: cap, critical errors, pass mark."""
    sentences = []
    uncapped = _compute_uncapped(scorecard, result)
    if result.calculated_score is None:
        sentences.append(_("No criterion applies, so there is no score."))
    elif uncapped is not None and uncapped > scorecard.bonus_cap:
        sentences.append(
            _(
                "With its bonus the score would be {value}; the maximum is {cap}.",
                value=_describe(uncapped),
                cap=_describe(scorecard.bonus_cap),
            )
        )
    titles = {criterion.key: criterion for criterion in scorecard.criteria}
    for failure in result.failures:
        criterion = titles[failure.key]
        name = criterion.text.in_language(language())
        if criterion.fails == scoring.Fails.GRID:
            sentences.append(
                _(
                    "“{name}” is 0, a critical error: the evaluation fails, whatever the score.",
                    name=name,
                )
            )
        else:
            sentences.append(_("“{name}” is 0, a critical error: its section counts 0.", name=name))
    if result.score != result.calculated_score:
        failed = {section.name for section in result.sections if section.score == 0}
        sums = [
            (one, Fraction(0) if one.name in failed else one.earned)
            for one in find_sums(scorecard, result)
            if one.share
        ]
        sentences.append(_write_calculation(scorecard, sums, result.score))
    if scorecard.pass_mark is not None and result.score is not None:
        mark = _describe(scorecard.pass_mark)
        message = (
            N_("{score} reaches the pass mark of {mark}.")
            if result.score >= scorecard.pass_mark
            else N_("{score} is below the pass mark of {mark}.")
        )
        sentences.append(_(message, score=_describe(result.score), mark=mark))
    return sentences


def _write_calculation(
    scorecard: scoring.Scorecard, sums: list[tuple[SectionSum, Fraction]], value: Fraction | None
) -> str:
    if not sums or value is None:
        return ""
    if scorecard.method == scoring.Method.SECTION_RATIO:
        above = " + ".join(
            f"{_describe(section.weight)} × {_describe(earned)}/{_describe(section.possible)}"
            for section, earned in sums
        )
        below = _describe(sum((section.weight for section, _earned in sums), Fraction(0)))
        return f"100 × ({above}) / {below} = {_describe(value)}"
    above = " + ".join(
        f"{_describe(section.weight)} × {_describe(earned)}" for section, earned in sums
    )
    below = " + ".join(
        f"{_describe(section.weight)} × {_describe(section.possible)}" for section, _earned in sums
    )
    return f"100 × ({above}) / ({below}) = {_describe(value)}"


def _compute_uncapped(scorecard: scoring.Scorecard, result: scoring.Result) -> Fraction | None:
    sums = [section for section in find_sums(scorecard, result) if section.share]
    if sums:
        return 100 * sum(
            (section.share * section.earned / section.possible for section in sums), Fraction(0)
        )
    return None


def _describe(value: Fraction) -> str:
    number = float(value)
    return formatting.number(
        number,
        0
        if value.denominator == 1
        else 1
        if value.denominator in (2, 5, 10) or abs(number) >= 10
        else 2,
    )
