"""Rows around a header row: group names above, a second row below, another table beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import Decision
from qa_core.files.header_text import simplify
from qa_core.ingest.columns import table_bounds
from qa_core.ingest.columns.header_matching import (
    Vocabulary,
    build_vocabulary,
    count_known,
    find_field,
    parse_header,
    score_rows,
)
from qa_core.ingest.columns.timestamps import find_month, parse_period
from qa_core.ingest.staging.declaration import Field, Profile, ValueType
from qa_core.ingest.words.tables import build_pattern, list_words

if TYPE_CHECKING:
    from qa_core.files.readers import Source

_TYPE = re.compile(
    r"(?:n?varchar2?|n?char|text|texte|string|str|u?(?:tiny|small|medium|big)?int(?:eger|64|32|"
    r"16)?|entier|number|numeric|numerique|decimal|float|double|"
    r"real|bool(?:ean)?|booleen|date ?time(?: offset)?|timestamp(?: "
    r"?tz)?|date|time|heure|uuid|object|duration|duree|enum)(?: \d+)*"
)
_UNIT = re.compile(
    r"s|secs?|seconds?|secondes?|ms|msec|milliseconds|millisecondes|mins?|mn|minutes?|h|hrs?|"
    r"heures?|hours?|%|pct|nb|nombre|count|eur|usd|euros?|unites?|units?|"
    r"[jdmya]{1,4}(?: [jdmya]{1,4}){1,2}(?: hh? mm(?: ss)?)?|hh? mm(?: ss)?|mm ss"
)
_QUALIFIERS = build_pattern("qualifier")
_DATE_PARTS = (
    ("year", "month", "day"), ("annee", "mois", "jour"), ("ano", "mes", "dia"),
    ("jahr", "monat", "tag"), ("anno", "mese", "giorno"),
)  # fmt: skip
"""Headers of a date in three columns; joined they are a header of `date`."""
_QUESTION_ID = re.compile(r'\{ ?"ImportId" ?:')
"""Beginning of each cell of the third row of a survey tool's export (Qualtrics)."""
_RESPONSES = ("Response", "Open-Ended Response")
"""Cells under questions that have one answer (SurveyMonkey); under others are their choices."""
_QUESTION, _ID = re.compile(r"\S+(?:\s+\S+){3}|.*\?$", re.DOTALL), re.compile(r"\S*\d\S*")
_DAY = re.compile(
    r"(?:[^\W\d]+,? )?(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}\.? [^\W\d]+\.? \d{4}|"
    r"[^\W\d]+ \d{1,2},? \d{4})"
)
_OF_ALL = list_words("of_all")
_TITLED = {
    "evaluations": ("advisor", "evaluator", "evaluated_at"),
    "intervals": ("date",),
    "contacts": ("date",),
}
"""Fields that a line above a table may give all its rows."""
MIN_ROWS_APART, MIN_FIELDS = 2, 3
MIN_DENSITY = 0.9


def find_titles(rows: Iterable[list[str]], profile: Profile) -> dict[str, str]:
    """Find the labels that lines beside a table give its rows, by field: `Split: Support`."""
    titles: dict[str, str] = {}
    for field, _name, text in _read_titles(rows, build_vocabulary(profile.fields)):
        if field.value_type == ValueType.LABEL:
            titles.setdefault(field.name, text)
    return titles


def _read_titles(
    rows: Iterable[list[str]], vocabulary: Vocabulary
) -> Iterator[tuple[Field, str, str]]:
    """Yield the fields that lines beside a table name, with their name there and their text."""
    for row in rows:
        parts = [part.strip() for cell in row for part in cell.split(":", 1) if part.strip()]
        for name, text in pairwise(parts):
            hit = find_field(parse_header(name), vocabulary)
            if hit and not find_field(parse_header(text), vocabulary):
                yield hit[0], name, text


def add_titles(
    header: table_bounds.HeaderRow,
    sample: list[tuple[int, list[str]]],
    profile: Profile,
    sheet: str,
) -> table_bounds.HeaderRow:
    """Add a column for each field that a line above the table gives all its rows, such as
    `Evaluator: Eve`, where no column has it; the name of one of several sheets is the advisor.
    """
    vocabulary = build_vocabulary(profile.fields)
    hits = (find_field(parse_header(name), vocabulary) for name in header.names)
    known = {hit[0].name for hit in hits if hit}
    above = [row for line, row in sample if line < header.line]
    below = [cell for line, row in sample if line > header.line for cell in row]
    found: dict[str, tuple[str, str]] = {}
    for field, name, text in _read_titles(above, vocabulary):
        is_day = field.value_type == ValueType.MOMENT
        fits = _DAY.fullmatch(text) if is_day else not table_bounds.looks_like_data([text])
        fits = fits and simplify(text) not in _OF_ALL
        if field.name in _TITLED.get(profile.kind, ()) and fits:
            found.setdefault(field.name, (name, text))
    if any(map(_DAY.search, below)):
        found.pop("date", None)
    is_person = sheet and not (parse_period(sheet) or find_month(sheet) or _ID.fullmatch(sheet))
    if "contact_id" in known:  # the contact names its advisor
        found.pop("advisor", None)
    elif profile.kind == "evaluations" and is_person:
        found.setdefault("advisor", ("advisor name", sheet))
    added = [pair for name, pair in found.items() if name not in known]
    names, texts = zip(*added, strict=True) if added else ((), ())
    return replace(header, names=(*header.names, *names), constants=texts)


def are_fields_in_rows(rows: list[list[str]], vocabulary: Vocabulary) -> bool:
    """Return whether the first column of a whole small table names its fields, not a row."""
    filled = [[cell.strip() for cell in row] for row in rows if sum(map(bool, row)) > 1]
    if not filled or len(rows) == table_bounds.SAMPLE_ROWS:
        return False
    width = max(map(len, filled))
    is_even = width > 2 and all(2 * sum(map(bool, row[1:])) > width - 1 for row in filled)
    named = count_known((row[0] for row in filled), vocabulary)
    return is_even and named >= MIN_FIELDS and named > score_rows(filled, vocabulary)


def join_date(
    header: table_bounds.HeaderRow, sample: list[tuple[int, list[str]]]
) -> table_bounds.HeaderRow:
    """Name the column of the day after year, month and day, where a date is in three columns."""
    words = [simplify(name) for name in header.names]
    for names in _DATE_PARTS:
        if set(names) <= set(words):
            parts = year, _month, day = tuple(words.index(name) for name in names)
            rows = (row for line, row in sample if line > header.line and len(row) > max(parts))
            years = [row[year].strip() for row in rows if row[year].strip()]
            if years and all(re.fullmatch(r"(?:19|20)\d\d", text) for text in years):
                joined = " ".join(header.names[index] for index in parts)
                titles = (*header.names[:day], joined, *header.names[day + 1 :])
                return replace(header, names=titles, date_parts=parts)
    return header


def complete_header(
    header: table_bounds.HeaderRow, sample: list[tuple[int, list[str]]], vocabulary: Vocabulary
) -> tuple[table_bounds.HeaderRow, list[Decision]]:
    """Add to the header what the rows above and below say; a row below that does so is no data."""
    raw_names = list(header.raw)
    cells_by_line = {line: [cell.strip() for cell in row] for line, row in sample}
    above = cells_by_line.get(header.line - 1, [])
    # A row of several lines, as questions may be, has the number of its last one.
    after = [(line, cells) for line, cells in cells_by_line.items() if line > header.line]
    (line, below), (next_line, third) = (*after, (0, []), (0, []))[:2]
    decisions: list[Decision] = []
    second_rows: dict[int, str] = {}
    rows = [row for _line, row in after[1:]]
    kind, names = _read_second(raw_names, below, rows, vocabulary)
    if kind is None and _are_answer_titles(raw_names, below, rows):
        choices = ["" if cell in _RESPONSES else cell for cell in below]
        kind, names = "header", _combine(raw_names, choices, vocabulary)
    if _are_question_ids(below):
        second_rows[line] = "header"
    elif _are_question_ids(third):
        names = [
            name
            if find_field(parse_header(name), vocabulary)
            else " ".join(question.split()) or name
            for name, question in zip(raw_names, below, strict=False)
        ]
        second_rows = dict.fromkeys((line, next_line), "header")
        message = N_("the two lines under the headers are no data: questions, and their ids")
        decisions.append(Decision.of("file", message, _format_cells(below)))
    elif kind:
        second_rows[line] = kind
        message = N_("line {line} is a second header row, not data")
        decisions.append(Decision.of("file", message, _format_cells(below), line=line))
    if _are_groups(above, names):
        names, ungrouped = _combine(above, names, vocabulary), names
        if names != ungrouped:
            message = N_("the group names above the headers are read with them")
            decisions.append(Decision.of("file", message, _format_cells([*names, *above])))
    if names != raw_names or second_rows:
        names = table_bounds.make_unique(names)
        header = replace(header, names=names, second_rows=second_rows)
    return header, decisions


def _are_question_ids(cells: list[str]) -> bool:
    filled = [*filter(None, cells)]
    return bool(filled) and all(map(_QUESTION_ID.match, filled))


def _are_answer_titles(names: list[str], below: list[str], rows: list[list[str]]) -> bool:
    """Return whether the row below has the titles of answers: texts under questions and their
    choices, and none in a column that the other rows fill, such as the id of an answer.
    """
    pairs = [*zip([*names, *[""] * len(below)], below, strict=False)]
    texts = [pair for pair in pairs if pair[1] not in ("", *_RESPONSES)]
    untitled = [at for at, name in enumerate(names) if name and not "".join(below[at : at + 1])]
    return (
        all(not name or _QUESTION.match(name) for name, _text in texts)
        and not any(
            table_bounds.looks_like_data([text]) or _ID.fullmatch(text) for _, text in texts
        )
        and any(text in _RESPONSES or (text and not name) for name, text in pairs)
        and any(2 * sum(any(row[at : at + 1]) for row in rows) > len(rows) for at in untitled)
    )


def _read_second(
    names: list[str], below: list[str], rows: list[list[str]], vocabulary: Vocabulary
) -> tuple[str | None, list[str]]:
    """Classify the row under the header (`types`, `header`, None: data), and name the columns;
    `rows`: those below. A column without a cell in them needs no second header.
    """
    filled = [cell for cell in below if cell]
    if not filled or len(below) > len(names) + 1:
        return None, names
    simple = [simplify(re.sub(r"[%]", " % ", cell)) for cell in filled]
    if len(filled) > 1 and all(_TYPE.fullmatch(cell) for cell in simple):
        return "types", names
    if all(_UNIT.fullmatch(cell) for cell in simple) and any(
        len(cell) > 1 or cell in ("s", "h", "%") for cell in simple
    ):
        units = [*below, *[""] * len(names)]
        return "header", [
            f"{name} ({unit.strip('()[] ')})" if name and unit else name
            for name, unit in zip(names, units, strict=False)
        ]
    padded = [*names, *[""] * (len(below) - len(names))]
    under = [*below, *[""] * (len(padded) - len(below))]
    has_cells = [any("".join(row[at : at + 1]) for row in rows) for at in range(len(padded))]
    is_named = [bool(name) and bool(find_field(parse_header(name), vocabulary)) for name in padded]
    if (
        any(is_named)
        and not all(padded)
        and table_bounds.looks_like_headers(below)
        and all(
            bool(cell) != named or not (has or cell)
            for cell, named, has in zip(under, is_named, has_cells, strict=True)
        )
    ):
        return "header", _combine(padded, under, vocabulary)
    if not table_bounds.looks_like_headers(below) or any(
        letter.isdigit() for cell in filled for letter in cell
    ):
        return None, names
    known = count_known(below, vocabulary)
    if known >= max(2, len(filled) / 2) and all(
        padded[index] for index, cell in enumerate(below) if cell
    ):
        return "header", _prefer_known(names, below, vocabulary)
    opens = [
        not name or (index + 1 < len(padded) and not padded[index + 1])
        for index, name in enumerate(padded)
    ]
    if (
        known
        and not all(padded[: len(below)])
        and all(opens[index] for index, cell in enumerate(below) if cell)
    ):
        return "header", _combine(padded, under, vocabulary)
    return None, names


def _prefer_known(names: list[str], below: list[str], vocabulary: Vocabulary) -> list[str]:
    """Replace a name by the one under it where only that one is known."""
    under = [*below, *[""] * len(names)]
    return [
        other
        if other
        and not find_field(parse_header(name), vocabulary)
        and find_field(parse_header(other), vocabulary)
        else name
        for name, other in zip(names, under, strict=False)
    ]


def _are_groups(above: list[str], names: list[str]) -> bool:
    """Return whether the row above names groups: several names, one over more than one column."""
    filled = [index for index, cell in enumerate(above) if cell]
    if (
        len(filled) < 2
        or table_bounds.looks_like_data([above[index] for index in filled])
        or filled[-1] >= len(names) + 1
    ):
        return False
    return any(
        index + 1 not in filled and index + 1 < len(names) and names[index + 1] for index in filled
    )


def _combine(groups: list[str], names: list[str], vocabulary: Vocabulary) -> list[str]:
    """Join group and name where they say more together: `Temps moyen` over `Attente`."""
    width = max(len(names), len(groups))
    names, groups = [*names, *[""] * (width - len(names))], [*groups, *[""] * (width - len(groups))]
    combined, group = [], ""
    for index, name in enumerate(names):
        group = groups[index] or group
        joined = (f"{group} {name}", f"{name} {group}")
        known = (text for text in joined if find_field(parse_header(text), vocabulary))
        together = next(known, None)
        if not name:
            combined.append(groups[index])
        elif not group or simplify(group) == simplify(name):
            combined.append(name)
        elif (
            together
            or parse_header(group).unit
            or parse_header(f"x {group}").unit
            or _QUALIFIERS.search(simplify(group))
            or names.count(name) > 1
            or simplify(name).isdigit()  # the maximum: `/10`
        ):
            combined.append(together or f"{group} {name}")
        else:
            combined.append(name)
    while combined and not combined[-1]:
        combined.pop()
    return combined


def choose_table(
    header: table_bounds.HeaderRow, source: Source, vocabulary: Vocabulary
) -> tuple[table_bounds.HeaderRow, list[Decision]]:
    """Choose, of tables with an empty column between them, the one that names the most
    fields. Raises Refusal `tables_side_by_side` where two hold the same kind of rows.
    """
    runs = _find_runs(header.raw)
    if len(runs) < 2:
        return header, []
    runs, extents = _measure_runs(header, source, runs)
    if len(runs) < 2:
        return header, []
    scores = [count_known(header.raw[start:end], vocabulary) for start, end in runs]
    chosen = scores.index(max(scores))
    simple = [{simplify(name) for name in header.raw[start:end] if name} for start, end in runs]
    separate_runs = [
        index
        for index in range(len(runs))
        if index != chosen
        and _is_other_table(simple[chosen] & simple[index], extents[chosen], extents[index])
    ]
    if not separate_runs:
        return header, []
    for index in separate_runs:
        if len(simple[chosen] & simple[index]) > len(simple[chosen] | simple[index]) / 2:
            raise Refusal(
                "tables_side_by_side",
                "Two tables with the same headers are side by side ({seen}). Put each in its own "
                "file or sheet and import them one by one.",
                seen=_format_cells(list(header.raw[slice(*runs[index])])),
            )
    own_runs = [run for index, run in enumerate(runs) if index not in separate_runs]
    first, last = min(start for start, _end in own_runs), max(end for _start, end in own_runs)
    other_names = [name for index in separate_runs for name in header.raw[slice(*runs[index])]]
    names = [name if first <= index < last else "" for index, name in enumerate(header.raw)]
    message = N_("another table beside it is left aside: {columns}")
    decision = Decision.of("file", message, columns=_format_cells(other_names))
    names = table_bounds.make_unique(names)
    return replace(header, names=names, span=(first, last)), [decision]


def _find_runs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Find the runs of adjacent named columns, as (start, end)."""
    runs: list[tuple[int, int]] = []
    for index, name in enumerate(names):
        if not name:
            continue
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _measure_runs(
    header: table_bounds.HeaderRow, source: Source, runs: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Merge runs whose separating column is filled. Returns runs, with (rows, last row) of each."""
    gaps = [False] * (len(runs) - 1)
    counts, lasts = [0] * len(runs), [0] * len(runs)
    lines, _share = source.open_text()
    with closing(lines):
        for number, row in source.parse_rows(lines):
            if number <= header.line or table_bounds.is_footer(row):
                continue
            filled = [_is_filled(row[start:end]) for start, end in runs]
            for index in range(len(gaps)):
                between = row[runs[index][1] : runs[index + 1][0]]
                gaps[index] = gaps[index] or _is_filled(between)
            for index, is_filled in enumerate(filled):
                if is_filled and sum(map(bool, row)) > 1:
                    counts[index] += 1
                    lasts[index] = number - header.line
    merged, extents = [runs[0]], [(counts[0], lasts[0])]
    for gap, run, count, last in zip(gaps, runs[1:], counts[1:], lasts[1:], strict=True):
        if gap:
            merged[-1] = (merged[-1][0], run[1])
            extents[-1] = (max(extents[-1][0], count), max(extents[-1][1], last))
        else:
            merged.append(run)
            extents.append((count, last))
    return merged, extents


def _is_filled(cells: list[str]) -> bool:
    return any(cell and not cell.isspace() for cell in cells)


def _is_other_table(shared: set[str], chosen: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether a run is another table: a header repeats, or it ends elsewhere, no gap."""
    shorter = min(chosen, other, key=lambda extent: extent[1])
    return bool(shared) or (
        abs(chosen[1] - other[1]) >= MIN_ROWS_APART and shorter[0] >= MIN_DENSITY * shorter[1] > 0
    )


def _format_cells(cells: list[str]) -> str:
    return ", ".join(dict.fromkeys(cell for cell in cells if cell))[:200]
