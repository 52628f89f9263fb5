"""Grid and answers → points, in exact fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qa_core.errors import Refusal
from qa_core.scoring.grid import Criterion, CriticalClass, Fails, Grid, Method, Section, read_number, say_number
from qa_core.wording import N_

NOT_APPLICABLE = "na"
HUNDRED = Fraction(100)


@dataclass(frozen=True)
class Answer:
    """One criterion as it counted: `earned` of `possible` points, and its share of the whole. Bonus points are possible 0."""

    key: str
    section: str
    earned: Fraction | None
    possible: Fraction
    applied_weight: Fraction
    applicable: bool


@dataclass(frozen=True)
class SectionScore:
    """0–100, above with bonus; None when the section does not apply; 0 when it failed."""

    name: str
    score: Fraction | None


@dataclass(frozen=True)
class Failure:
    """A critical error: a critical criterion answered 0."""

    key: str
    critical: CriticalClass


@dataclass(frozen=True)
class Result:
    """What an evaluation comes to. `calculated_score` is before section failures, `score` after; None when nothing applies."""

    score: Fraction | None
    calculated_score: Fraction | None
    outcome: str | None
    sections: tuple[SectionScore, ...]
    answers: tuple[Answer, ...]
    failures: tuple[Failure, ...]

    def as_json(self) -> dict[str, Any]:
        """The document of CONTRACT.md section 6, numbers as decimals."""
        return {
            "score": _decimal(self.score),
            "calculated_score": _decimal(self.calculated_score),
            "outcome": self.outcome,
            "sections": [{"name": section.name, "score": _decimal(section.score)} for section in self.sections],
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
            "failures": [{"key": failure.key, "class": str(failure.critical)} for failure in self.failures],
        }


def score(grid: Grid, answers: Mapping[str, Any]) -> Result:
    """Score the answers (key → points or `"na"`) to every criterion of the grid.

    Exact for decimals as they are written: 0.1 is a tenth. Raises Refusal (`bad_answer`), naming the key that is missing,
    unknown, no number, out of range, not among the levels, or "na" where that is not allowed.
    """
    if not isinstance(answers, Mapping):
        raise Refusal("bad_answer", N_("The answers must be a table of key and points."))
    known = {criterion.key for criterion in grid.criteria}
    for key in answers:
        if key not in known:
            raise _bad_answer(key, N_("The grid has no criterion {key}; remove the answer or correct its key."))
    points = {criterion.key: _read_answer(criterion, answers) for criterion in grid.criteria}
    tallies = tuple(_Tally.of(section, points) for section in grid.sections)
    failures = tuple(Failure(c.key, c.critical) for c in grid.criteria if c.critical and points[c.key] == 0)
    failed_sections = frozenset(tally.section.name for tally in tallies if tally.has_failed(points))

    calculated = _total(grid, tallies, frozenset())
    final = _total(grid, tallies, failed_sections)
    grid_failed = any(c.critical and c.fails == Fails.GRID and points[c.key] == 0 for c in grid.criteria)
    return Result(
        score=final,
        calculated_score=calculated,
        outcome=_outcome(grid, final, grid_failed),
        sections=tuple(SectionScore(tally.section.name, tally.percent(tally.section.name in failed_sections)) for tally in tallies),
        answers=_answers(grid, tallies, points),
        failures=failures,
    )


@dataclass(frozen=True)
class _Tally:
    """The sums of one section: a bonus adds to earned, never to possible."""

    section: Section
    earned: Fraction
    possible: Fraction

    @staticmethod
    def of(section: Section, points: Mapping[str, Fraction | None]) -> _Tally:
        applicable = [criterion for criterion in section.criteria if points[criterion.key] is not None]
        return _Tally(
            section,
            earned=sum((points[criterion.key] for criterion in applicable), Fraction(0)),
            possible=sum((criterion.points for criterion in applicable if not criterion.bonus), Fraction(0)),
        )

    @property
    def applies(self) -> bool:
        return self.possible > 0

    def percent(self, failed: bool) -> Fraction | None:
        if not self.applies:
            return None
        return Fraction(0) if failed else HUNDRED * self.earned / self.possible

    def has_failed(self, points: Mapping[str, Fraction | None]) -> bool:
        return any(c.critical and c.fails == Fails.SECTION and points[c.key] == 0 for c in self.section.criteria)

    def share_base(self, method: Method) -> Fraction:
        """What the section weighs in the total before shares are taken."""
        if not self.applies:
            return Fraction(0)
        return self.section.weight if method == Method.SECTION_RATIO else self.section.weight * self.possible


def _total(grid: Grid, tallies: Sequence[_Tally], failed: frozenset[str]) -> Fraction | None:
    # Both methods are one mean of section ratios: points_times_weight weighs a section by weight × possible.
    base = sum((tally.share_base(grid.method) for tally in tallies), Fraction(0))
    if base == 0:
        return None
    counted = [tally for tally in tallies if tally.applies and tally.section.name not in failed]
    reached = sum((tally.share_base(grid.method) * tally.earned / tally.possible for tally in counted), Fraction(0))
    return min(HUNDRED * reached / base, grid.bonus_cap)


def _outcome(grid: Grid, final: Fraction | None, grid_failed: bool) -> str | None:
    if grid_failed:
        return "fail"
    if final is None:
        return None
    return "fail" if grid.pass_mark is not None and final < grid.pass_mark else "pass"


def _answers(grid: Grid, tallies: Sequence[_Tally], points: Mapping[str, Fraction | None]) -> tuple[Answer, ...]:
    base = sum((tally.share_base(grid.method) for tally in tallies), Fraction(0))
    found = []
    for tally in tallies:
        for criterion in tally.section.criteria:
            earned = points[criterion.key]
            possible = Fraction(0) if earned is None or criterion.bonus else criterion.points
            share = tally.share_base(grid.method) / base * possible / tally.possible if possible and base else Fraction(0)
            found.append(Answer(criterion.key, tally.section.name, earned, possible, share, applicable=earned is not None))
    return tuple(found)


def _read_answer(criterion: Criterion, answers: Mapping[str, Any]) -> Fraction | None:
    if criterion.key not in answers:
        raise _bad_answer(criterion.key, N_("The criterion {key} has no answer."))
    given = answers[criterion.key]
    if given == NOT_APPLICABLE:
        if not criterion.not_applicable:
            raise _bad_answer(criterion.key, N_('The criterion {key} may not be answered "na".'))
        return None
    value = read_number(given)
    if value is None:
        raise _bad_answer(criterion.key, N_("The answer to {key} must be a number of points."))
    if not 0 <= value <= criterion.points:
        raise _bad_answer(criterion.key, N_("The answer to {key} must lie between 0 and {points}."), points=say_number(criterion.points))
    if criterion.levels and value not in criterion.levels:
        raise _bad_answer(criterion.key, N_("The answer to {key} must be one of: {levels}."), levels=", ".join(say_number(level) for level in criterion.levels))
    return value


def _decimal(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _bad_answer(key: str, message: str, **params: Any) -> Refusal:
    return Refusal("bad_answer", message, key=key, **params)
