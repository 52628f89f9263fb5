"""Scorecards as tables, one criterion per row; read leniently in both languages."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from qa_core import scoring
from qa_core.base import declared
from qa_core.base.i18n import _
from qa_core.centre.advisors import normalise_name
from qa_core.scoring.scorecard import read_number

DECLARED = declared.read(__file__)
COLUMNS: dict[str, str] = DECLARED["columns"]
"""Columns in the order of the file."""
HEADER: dict[str, str] = DECLARED["header"]
"""Fields of the whole scorecard, as lines of title and value above the table."""
CODES: dict[str, str] = DECLARED["codes"]
METHODS: dict[str, str] = DECLARED["methods"]
YES, NO, TOTALS = (frozenset(DECLARED[name]) for name in ("yes", "no", "totals"))
MAX_CRITERION_KEY, WORDS_OF_KEY = 40, 5


SPELLINGS: dict[str, str] = {}
for _name, _spellings in DECLARED["synonyms"].items():
    _titles = [titles[_name] for titles in (COLUMNS, HEADER) if _name in titles]
    for _spelling in (_name, *_spellings, *_titles):
        SPELLINGS.setdefault(normalise_name(_spelling), _name)
WORDS = {
    column: {normalise_name(word): code for code, words in codes.items() for word in words}
    for column, codes in DECLARED["words"].items()
}


def find_name(title: Any) -> str | None:
    """Return the column or header line that a title names; None for any other."""
    return (
        SPELLINGS.get(normalise_name(str(title)))
        if title is not None and str(title).strip()
        else None
    )


def to_header(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header fields by name of `HEADER`; None where unset."""
    french, english = _split_languages(content.get("text"))
    return {
        "title": content.get("title") or "",
        "title_fr": french,
        "title_en": english,
        "method": content.get("method", str(scoring.Method.SECTION_RATIO)),
        "pass_mark": content.get("pass_mark"),
        "bonus_cap": content.get("bonus_cap", 100),
    }


def to_sections(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections, by name of `COLUMNS`."""
    rows = []
    for section in _only_tables(content.get("section")):
        french, english = _split_languages(section.get("text"))
        rows.append(
            {
                "section": section.get("name", ""),
                "section_fr": french,
                "section_en": english,
                "weight": section.get("weight", 1),
            }
        )
    return rows


def to_criteria(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the criteria of a section, by name of `COLUMNS`; levels as text."""
    rows = []
    for criterion in _only_tables(section.get("criterion")):
        french, english = _split_languages(criterion.get("text"))
        help_french, help_english = _split_languages(criterion.get("help"))
        levels = criterion.get("levels")
        rows.append(
            {
                "key": criterion.get("key", ""),
                "fr": french,
                "en": english,
                "help_fr": help_french,
                "help_en": help_english,
                "points": criterion.get("points"),
                "levels": "; ".join(map(describe_exactly, levels))
                if isinstance(levels, list)
                else describe_exactly(levels),
                "not_applicable": criterion.get("not_applicable", False),
                "critical": criterion.get("critical"),
                "fails": criterion.get("fails", "grid" if criterion.get("critical") else None),
                "bonus": criterion.get("bonus", False),
            }
        )
    return rows


def to_content(
    header: Mapping[str, Any],
    sections: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
) -> dict[str, Any]:
    """Build a scorecard from header, sections and their criteria. Unreadable cells are
    kept for `faults.find_faults` to report; missing keys are made from the criterion's
    text.
    """
    taken = {
        text for _section, rows in sections for row in rows if (text := _read_text(row.get("key")))
    }
    content: dict[str, Any] = {
        "title": _read_text(header.get("title"))
        or _read_text(header.get("title_en"))
        or _read_text(header.get("title_fr"))
    }
    _set_text(content, "text", header.get("title_fr"), header.get("title_en"), None)
    _set(content, "method", _read_code("method", header.get("method")))
    _set(content, "pass_mark", to_number(header.get("pass_mark")))
    _set(content, "bonus_cap", to_number(header.get("bonus_cap")))
    content["section"] = []
    for row, criteria in sections:
        table: dict[str, Any] = {
            "name": _read_text(row.get("section"))
            or _read_text(row.get("section_en"))
            or _read_text(row.get("section_fr"))
        }
        _set_text(table, "text", row.get("section_fr"), row.get("section_en"), None)
        _set(table, "weight", to_number(row.get("weight")))
        table["criterion"] = [_to_criterion(criterion, taken) for criterion in criteria]
        content["section"].append(table)
    return content


def _to_criterion(row: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    _set_text(texts, "text", row.get("fr"), row.get("en"), row.get("text"))
    key = _read_text(row.get("key")) or make_key(
        _read_text(row.get("en")) or _read_text(row.get("text")) or _read_text(row.get("fr")), taken
    )
    taken.add(key)
    criterion: dict[str, Any] = {"key": key, **texts}
    _set_text(criterion, "help", row.get("help_fr"), row.get("help_en"), row.get("help"))
    _set(criterion, "points", to_number(row.get("points")))
    _set(criterion, "levels", _to_levels(row.get("levels")))
    for flag in ("not_applicable", "bonus"):
        if (value := _to_flag(row.get(flag))) is not False:
            criterion[flag] = value
    critical = _read_code("critical", row.get("critical"))
    if normalise_name(str(critical or "")) not in NO:
        _set(criterion, "critical", critical)
    _set(criterion, "fails", _read_code("fails", row.get("fails")))
    return criterion


def make_key(text: str, taken: Iterable[str] = ()) -> str:
    """Make a key from the first words of a text, unlike those taken."""
    words = [word for word in re.split(r"[^a-z0-9]+", normalise_name(text)) if word][:WORDS_OF_KEY]
    base = "_".join(words)[:MAX_CRITERION_KEY].strip("_")
    if not base:
        return ""
    number, key, known = 1, base, set(taken)
    while key in known:
        number += 1
        key = f"{base}_{number}"
    return key


def to_number(cell: Any) -> Any:
    """Parse a number with decimal point or comma and optional per cent sign. Return
    None for a blank cell, and any other text unchanged.
    """
    if is_blank(cell):
        return None
    if isinstance(cell, str):
        text = re.sub(r"[\s\u00a0\u202f%]", "", cell).replace(",", ".")
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text):
            return cell.strip()
        return as_number(Fraction(Decimal(text)))
    number = read_number(cell)
    return cell if number is None else as_number(number)


def as_number(value: Fraction) -> int | float:
    """Return an int for a whole number, else a float."""
    return int(value) if value.denominator == 1 and abs(value) < 1 << 53 else float(value)


def describe_exactly(value: Any) -> str:
    """Format a number without rounding; any other value as text, None as an empty text."""
    number = read_number(value)
    return str(as_number(number)) if number is not None else "" if value is None else str(value)


def is_blank(cell: Any) -> bool:
    return (
        cell is None
        or (isinstance(cell, float) and math.isnan(cell))
        or (isinstance(cell, str) and not cell.strip())
    )


def describe_cell(name: str, value: Any) -> Any:
    """Return a cell of the file in the reader's language, codes as words."""
    match name:
        case "not_applicable" | "bonus":
            return _("yes") if value is True else "" if value is False else value
        case "critical" | "fails":
            return _(CODES[value]) if value in CODES else value
        case _:
            return value


def _to_levels(cell: Any) -> Any:
    if is_blank(cell):
        return None
    if isinstance(cell, list):
        return cell
    text = str(cell).strip()
    parts = re.split(r"[;|/\s]+", text) if re.search(r"[;|/\s]", text) else text.split(",")
    return [to_number(part.strip(",")) for part in parts if part.strip(",")]


def _to_flag(cell: Any) -> Any:
    if is_blank(cell):
        return False
    if isinstance(cell, bool):
        return cell
    word = describe_exactly(cell).strip().casefold()
    return True if word in YES else False if word in NO else str(cell).strip()


def _read_code(name: str, cell: Any) -> Any:
    if is_blank(cell):
        return None
    word = str(cell).strip()
    return WORDS[name].get(
        normalise_name(word),
        word.casefold() if word.casefold() in {*CODES, *scoring.Method} else word,
    )


def _read_text(cell: Any) -> str:
    if is_blank(cell):
        return ""
    if isinstance(cell, float):
        return describe_exactly(cell).strip()
    return str(cell).strip()


def _set(table: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        table[name] = value


def _set_text(table: dict[str, Any], name: str, french: Any, english: Any, either: Any) -> None:
    """Set a text by language; `either` is used when both are missing."""
    both = {
        language: text
        for language, cell in (("fr", french), ("en", english))
        if (text := _read_text(cell))
    }
    if both:
        table[name] = both
    elif text := _read_text(either):
        table[name] = text


def _split_languages(value: Any) -> tuple[str, str]:
    if isinstance(value, Mapping):
        return str(value.get("fr") or ""), str(value.get("en") or "")
    return ("", "") if value is None else (str(value), str(value))


def _only_tables(value: Any) -> list[Mapping[str, Any]]:
    return (
        [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
    )
