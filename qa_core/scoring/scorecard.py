"""Scorecards: sections, criteria, and the parser of scorecard files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

SCORECARD_FIELDS = frozenset({"title", "text", "method", "pass_mark", "bonus_cap", "section"})
SECTION_FIELDS = frozenset({"name", "text", "weight", "criterion"})
CRITERION_FIELDS = frozenset(
    {"key", "text", "help", "points", "levels", "not_applicable", "critical", "fails", "bonus"}
)
MAX_SCORE = Fraction(100)
MIN_NUMBER, MAX_NUMBER = Fraction(1, 10**9), Fraction(10**9)


class Method(StrEnum):
    """Formula of the score: mean of section ratios by section weight, or points
    multiplied by their section's weight.
    """

    SECTION_RATIO = "section_ratio"
    POINTS_TIMES_WEIGHT = "points_times_weight"


class CriticalClass(StrEnum):
    """Party harmed by a critical error."""

    CUSTOMER = "customer"
    BUSINESS = "business"
    COMPLIANCE = "compliance"


class Fails(StrEnum):
    """Extent of a critical error."""

    GRID = "grid"
    SECTION = "section"


@dataclass(frozen=True)
class Text:
    """Text in both languages; a missing one falls back to the other."""

    fr: str
    en: str

    def in_language(self, language: str) -> str:
        return (self.fr or self.en) if language == "fr" else (self.en or self.fr)


@dataclass(frozen=True)
class Criterion:
    """Question of a scorecard. `levels` empty: any number from 0 to `points`."""

    key: str
    text: Text
    points: Fraction
    levels: tuple[Fraction, ...] = ()
    not_applicable: bool = False
    critical: CriticalClass | None = None
    fails: Fails = Fails.GRID
    bonus: bool = False
    help: Text | None = None
    """Guidance for the evaluator."""


@dataclass(frozen=True)
class Section:
    name: str
    text: Text
    weight: Fraction
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Scorecard:
    """Validated scorecard. `pass_mark` None: pass unless a critical error fails it."""

    title: str
    text: Text
    method: Method
    pass_mark: Fraction | None
    bonus_cap: Fraction
    sections: tuple[Section, ...]

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return tuple(criterion for section in self.sections for criterion in section.criteria)


def parse_scorecard(content: Mapping[str, Any]) -> Scorecard:
    """Parse a scorecard file as read from TOML (docs/contract.md, section 6).

    Raise Refusal (`bad_grid`) naming the place and what is expected.
    """
    _expect_table(content, "the grid", SCORECARD_FIELDS)
    title = content.get("title", "")
    if not isinstance(title, str):
        raise _bad_grid("title", N_("In the scorecard, {place} must be a text."))
    bonus_cap = _number_of(content, "bonus_cap", "bonus_cap", default=MAX_SCORE)
    if bonus_cap <= 0:
        raise _bad_grid("bonus_cap", N_("In the scorecard, {place} must be greater than 0."))
    pass_mark = _number_of(content, "pass_mark", "pass_mark") if "pass_mark" in content else None
    if pass_mark is not None and not 0 <= pass_mark <= bonus_cap:
        message = N_(
            "In the scorecard, {place} must lie between 0 and {limit}, the highest score that can "
            "be reached."
        )
        raise _bad_grid("pass_mark", message, limit=format_number(bonus_cap))
    sections = tuple(
        _parse_section(section, f"section {number}")
        for number, section in enumerate(_list_of(content, "section", "section"), start=1)
    )
    if not any(section.weight for section in sections):
        raise _bad_grid(
            "weight",
            N_("In the scorecard, every section has the {place} 0; at least one must count."),
        )
    _expect_distinct([section.name for section in sections])
    _expect_distinct([criterion.key for section in sections for criterion in section.criteria])
    return Scorecard(
        title=title,
        text=_text_of(content, "text", "text", fallback=title),
        method=_choice_of(content, "method", Method, "method", Method.SECTION_RATIO),
        pass_mark=pass_mark,
        bonus_cap=bonus_cap,
        sections=sections,
    )


def _parse_section(content: Any, place: str) -> Section:
    _expect_table(content, place, SECTION_FIELDS)
    name = content.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _bad_grid(f"{place}.name", N_("In the scorecard, {place} must be a text."))
    weight = _number_of(content, "weight", f"{name}.weight", default=Fraction(1))
    if weight < 0:
        raise _bad_grid(f"{name}.weight", N_("In the scorecard, {place} must not be negative."))
    entries = _list_of(content, "criterion", f"{name}.criterion")
    criteria = tuple(
        _parse_criterion(criterion, f"{name}.criterion {number}")
        for number, criterion in enumerate(entries, start=1)
    )
    if all(criterion.bonus for criterion in criteria):
        raise _bad_grid(
            name,
            N_(
                "In the scorecard, the section {place} has only bonus criteria; a bonus needs "
                "points to add to."
            ),
        )
    return Section(
        name=name,
        text=_text_of(content, "text", f"{name}.text", fallback=name),
        weight=weight,
        criteria=criteria,
    )


def _parse_criterion(content: Any, place: str) -> Criterion:
    _expect_table(content, place, CRITERION_FIELDS)
    key = content.get("key")
    if not isinstance(key, str) or not key.strip():
        raise _bad_grid(f"{place}.key", N_("In the scorecard, {place} must be a text."))
    points = _number_of(content, "points", f"{key}.points")
    if points <= 0:
        raise _bad_grid(f"{key}.points", N_("In the scorecard, {place} must be greater than 0."))
    levels = _levels_of(content, key, points)
    for flag in ("not_applicable", "bonus"):
        if not isinstance(content.get(flag, False), bool):
            raise _bad_grid(f"{key}.{flag}", N_("In the scorecard, {place} must be true or false."))
    return Criterion(
        key=key,
        text=_text_of(content, "text", f"{key}.text", fallback=key),
        points=points,
        levels=levels,
        not_applicable=content.get("not_applicable", False),
        critical=_choice_of(content, "critical", CriticalClass, f"{key}.critical", None),
        fails=_choice_of(content, "fails", Fails, f"{key}.fails", Fails.GRID),
        bonus=content.get("bonus", False),
        help=_text_of(content, "help", f"{key}.help", fallback="") if "help" in content else None,
    )


def _levels_of(content: Mapping[str, Any], key: str, points: Fraction) -> tuple[Fraction, ...]:
    if "levels" not in content:
        return ()
    levels = tuple(read_number(level) for level in _list_of(content, "levels", f"{key}.levels"))
    if any(level is None or not 0 <= level <= points for level in levels):
        message = N_(
            "In the scorecard, {place} must be numbers between 0 and {limit}, the points of the "
            "criterion."
        )
        raise _bad_grid(f"{key}.levels", message, limit=format_number(points))
    return levels


def _expect_table(content: Any, place: str, fields: frozenset[str]) -> None:
    if not isinstance(content, Mapping):
        raise _bad_grid(place, N_("In the scorecard, {place} must be a table."))
    for field in content:
        # A misspelt "critical" would silently change the score.
        if field not in fields:
            raise _bad_grid(
                f"{place}.{field}",
                N_("In the scorecard, {place} is unknown here. Known: {known}."),
                known=", ".join(sorted(fields)),
            )


def _expect_distinct(names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise _bad_grid(name, N_("In the scorecard, {place} is used twice."))


def _list_of(content: Mapping[str, Any], field: str, place: str) -> Sequence[Any]:
    entries = content.get(field)
    if not isinstance(entries, (list, tuple)) or not entries:
        raise _bad_grid(
            place, N_("In the scorecard, {place} must be a list with at least one entry.")
        )
    return entries


def _number_of(
    content: Mapping[str, Any], field: str, place: str, default: Fraction | None = None
) -> Fraction:
    if field not in content and default is not None:
        return default
    value = read_number(content.get(field))
    if value is None:
        raise _bad_grid(place, N_("In the scorecard, {place} must be a number."))
    return value


def _choice_of(
    content: Mapping[str, Any],
    field: str,
    choices: type[StrEnum],
    place: str,
    default: StrEnum | None,
) -> Any:
    if field not in content:
        return default
    if content[field] not in list(choices):
        raise _bad_grid(
            place,
            N_("In the scorecard, {place} must be one of: {choices}."),
            choices=", ".join(choices),
        )
    return choices(content[field])


def _text_of(content: Mapping[str, Any], field: str, place: str, fallback: str) -> Text:
    text_or_table = content.get(field, fallback)
    if isinstance(text_or_table, str):
        return Text(text_or_table, text_or_table)
    if (
        not isinstance(text_or_table, Mapping)
        or not text_or_table
        or not all(
            language in ("fr", "en") and isinstance(text, str)
            for language, text in text_or_table.items()
        )
    ):
        raise _bad_grid(
            place,
            N_('In the scorecard, {place} must be a text, or a table {{ fr = "…", en = "…" }}.'),
        )
    return Text(text_or_table.get("fr", ""), text_or_table.get("en", ""))


def read_number(value: Any) -> Fraction | None:
    """Return the exact number as written; None for any other type, booleans included,
    and for numbers beyond ±10⁹ or closer to zero than 10⁻⁹.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, Fraction)):
        return None
    try:
        exact = Fraction(float.__repr__(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, OverflowError):  # not a number, infinity
        return None
    # Ratios of numbers beyond these could not be printed as decimals.
    return exact if exact == 0 or MIN_NUMBER <= abs(exact) <= MAX_NUMBER else None


def format_number(value: Fraction) -> str:
    """Format points without trailing zeros: 2, 0.5."""
    return f"{float(value):g}"


def _bad_grid(place: str, message: str, **params: Any) -> Refusal:
    return Refusal("bad_grid", message, place=place, **params)
