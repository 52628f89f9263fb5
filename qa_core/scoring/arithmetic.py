"""Arithmetic of one evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.scoring.scorecard import (
    Criterion,
    CriticalClass,
    Fails,
    Method,
    Scorecard,
    Section,
    format_number,
    read_number,
)

NOT_APPLICABLE = "na"
HUNDRED = Fraction(100)


@dataclass(frozen=True)
class Answer:
    """Score of a criterion: `earned` of `possible` points (bonus: of 0), and its share."""

    key: str
    section: str
    earned: Fraction | None
    possible: Fraction
    applied_weight: Fraction
    applicable: bool


@dataclass(frozen=True)
class SectionScore:
    """Score of a section, 0–100 or above with bonus; None: not applicable; 0: failed."""

    name: str
    score: Fraction | None


@dataclass(frozen=True)
class Failure:
    """Critical error: a critical criterion answered 0."""

    key: str
    critical: CriticalClass


@dataclass(frozen=True)
class Result:
    """Scores of an evaluation: `calculated_score` before section failures, `score`
    after; None when nothing applies.
    """

    score: Fraction | None
    calculated_score: Fraction | None
    outcome: str | None
    sections: tuple[SectionScore, ...]
    answers: tuple[Answer, ...]
    failures: tuple[Failure, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the document of docs/contract.md, section 6, with decimal numbers."""
        return {
            "score": _decimal(self.score),
            "calculated_score": _decimal(self.calculated_score),
            "outcome": self.outcome,
            "sections": [
                {"name": section.name, "score": _decimal(section.score)}
                for section in self.sections
            ],
            "answers": [
                {
                    "key": answer.key,
                    "earned": _decimal(answer.earned),
                    "possible": _decimal(answer.possible),
                    "applied_weight": _decimal(answer.applied_weight),
                    "applicable": answer.applicable,
                }
                for answer in self.answers
            ],
            "failures": [
                {"key": failure.key, "class": str(failure.critical)} for failure in self.failures
            ],
        }


def score_given(scorecard: Scorecard, answers: Mapping[str, Any]) -> Result | None:
    """Score the answers given so far, as if the scorecard asked nothing else; None without any."""
    given = {key: value for key, value in answers.items() if value is not None}
    parts = (
        replace(part, criteria=tuple(item for item in part.criteria if item.key in given))
        for part in scorecard.sections
    )
    sections = tuple(part for part in parts if part.criteria)
    return score(replace(scorecard, sections=sections), given) if sections else None


def score(scorecard: Scorecard, answers: Mapping[str, Any]) -> Result:
    """Score the answers (key → points or `"na"`) to every criterion of the scorecard.

    Exact for decimals as written: 0.1 is a tenth. Raise Refusal (`bad_answer`) naming a
    key that is missing, unknown, no number, out of range, not among the levels, or "na"
    where that is not allowed.
    """
    if not isinstance(answers, Mapping):
        raise Refusal("bad_answer", "The answers must be a table of key and points.")
    check_answers(scorecard, answers)
    points = {criterion.key: _read_answer(criterion, answers) for criterion in scorecard.criteria}
    tallies = _tally(scorecard, points)
    failed_criteria = [
        criterion
        for criterion in scorecard.criteria
        if criterion.critical and points[criterion.key] == 0
    ]
    keys = {criterion.key for criterion in failed_criteria if criterion.fails == Fails.SECTION}
    failed_sections = {
        section.name
        for section in scorecard.sections
        if any(criterion.key in keys for criterion in section.criteria)
    }
    calculated_score = _total(scorecard, tallies)
    failed = [tally.section.name in failed_sections for tally in tallies]
    remaining = [
        replace(tally, earned=Fraction(0)) if is_failed else tally
        for tally, is_failed in zip(tallies, failed, strict=True)
    ]
    final = _total(scorecard, remaining)
    is_scorecard_failed = any(criterion.fails == Fails.GRID for criterion in failed_criteria)
    return Result(
        score=final,
        calculated_score=calculated_score,
        outcome=_outcome(scorecard, final, is_scorecard_failed),
        sections=tuple(
            SectionScore(tally.section.name, tally.percent(is_failed))
            for tally, is_failed in zip(tallies, failed, strict=True)
        ),
        answers=tuple(
            _build_answer(tally, criterion, points[criterion.key])
            for tally in tallies
            for criterion in tally.section.criteria
        ),
        failures=tuple(Failure(criterion.key, criterion.critical) for criterion in failed_criteria),
    )


@dataclass(frozen=True)
class _Tally:
    """Sums of a section (bonus in earned only), and its share; 0: not applicable."""

    section: Section
    earned: Fraction
    possible: Fraction
    share: Fraction

    @property
    def contribution(self) -> Fraction:
        """Return the section's part of the total, 0–1; above its share with bonus."""
        return self.share * self.earned / self.possible if self.share else Fraction(0)

    def percent(self, is_failed: bool) -> Fraction | None:
        if not self.possible:
            return None
        return Fraction(0) if is_failed else HUNDRED * self.earned / self.possible


def _tally(scorecard: Scorecard, points: Mapping[str, Fraction | None]) -> list[_Tally]:
    sums = []
    for section in scorecard.sections:
        applicable = [
            criterion for criterion in section.criteria if points[criterion.key] is not None
        ]
        earned = sum((points[criterion.key] for criterion in applicable), Fraction(0))
        possible = sum(
            (criterion.points for criterion in applicable if not criterion.bonus), Fraction(0)
        )
        # Both methods average section ratios; points_times_weight weighs a
        # section by weight × possible.
        counts_as = Fraction(possible > 0) if scorecard.method == Method.SECTION_RATIO else possible
        sums.append((section, earned, possible, section.weight * counts_as))
    total_weight = sum((weight for *_sums, weight in sums), Fraction(0))
    return [
        _Tally(section, earned, possible, weight / total_weight if total_weight else Fraction(0))
        for section, earned, possible, weight in sums
    ]


def _total(scorecard: Scorecard, tallies: Sequence[_Tally]) -> Fraction | None:
    """Return the score of these sections together; None when nothing applies."""
    if not any(tally.share for tally in tallies):
        return None
    return min(HUNDRED * sum(tally.contribution for tally in tallies), scorecard.bonus_cap)


def _outcome(scorecard: Scorecard, final: Fraction | None, is_scorecard_failed: bool) -> str | None:
    if is_scorecard_failed:
        return "fail"
    if final is None:
        return None
    return "fail" if scorecard.pass_mark is not None and final < scorecard.pass_mark else "pass"


def _build_answer(tally: _Tally, criterion: Criterion, earned: Fraction | None) -> Answer:
    possible = Fraction(0) if earned is None or criterion.bonus else criterion.points
    weight = tally.share * possible / tally.possible if possible else Fraction(0)
    return Answer(
        criterion.key, tally.section.name, earned, possible, weight, applicable=earned is not None
    )


def _read_answer(criterion: Criterion, answers: Mapping[str, Any]) -> Fraction | None:
    if criterion.key not in answers:
        raise _bad_answer(criterion.key, N_("The criterion {key} has no answer."))
    answer = answers[criterion.key]
    if answer == NOT_APPLICABLE:
        if not criterion.not_applicable:
            raise _bad_answer(criterion.key, N_('The criterion {key} may not be answered "na".'))
        return None
    value = read_number(answer)
    if value is None:
        raise _bad_answer(criterion.key, N_("The answer to {key} must be a number of points."))
    if not 0 <= value <= criterion.points:
        raise _bad_answer(
            criterion.key,
            N_("The answer to {key} must lie between 0 and {points}."),
            points=format_number(criterion.points),
        )
    if criterion.levels and value not in criterion.levels:
        raise _bad_answer(
            criterion.key,
            N_("The answer to {key} must be one of: {levels}."),
            levels=", ".join(format_number(level) for level in criterion.levels),
        )
    return value


def check_answers(scorecard: Scorecard, answers: Mapping[str, Any]) -> None:
    """Raise Refusal (`bad_answer`) for a wrong answer; missing ones are accepted."""
    criteria = {criterion.key: criterion for criterion in scorecard.criteria}
    for key in answers:
        if key not in criteria:
            raise _bad_answer(
                key,
                N_("The scorecard has no criterion {key}; remove the answer or correct its key."),
            )
        _read_answer(criteria[key], answers)


def _decimal(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _bad_answer(key: str, message: str, **params: Any) -> Refusal:
    return Refusal("bad_answer", message, key=key, **params)
