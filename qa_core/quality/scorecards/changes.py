"""Changes between two versions of a scorecard, cell by cell of its table."""

from collections.abc import Iterator, Mapping
from typing import Any

from qa_core.base.i18n import _, language
from qa_core.quality.scorecards import table

Part = tuple[str, str]
"""`whole`, `section` or `criterion`, and its name or key."""


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Describe what changes between two contents, in the reader's language."""
    old, new = dict(_tabulate(before)), dict(_tabulate(after))
    sentences = []
    for part, cells in new.items():
        if part not in old:
            sentences.append(_("“{name}” is added.", name=_name(part, cells)))
            continue
        for column, now in cells.items():
            if now != old[part][column]:
                title = _(table.HEADER.get(column) or table.COLUMNS[column])
                what = title if part[0] == "whole" else f"“{_name(part, cells)}”, {title}"
                sentences.append(
                    _(
                        "{what}: {now} instead of {before}.",
                        what=what,
                        now=now or "–",
                        before=old[part][column] or "–",
                    )
                )
    sentences += [
        _("“{name}” is removed.", name=_name(part, cells))
        for part, cells in old.items()
        if part not in new
    ]
    orders = [[part for part in parts if part in old and part in new] for parts in (old, new)]
    return sentences + ([_("The order has changed.")] if orders[0] != orders[1] else [])


def _tabulate(content: Mapping[str, Any]) -> Iterator[tuple[Part, dict[str, str]]]:
    """Yield each part of a scorecard with its cells as a reader sees them, by column."""
    yield ("whole", ""), _describe_cells(table.to_header(content))
    for section, row in zip(content.get("section", ()), table.to_sections(content), strict=True):
        yield ("section", str(row["section"])), _describe_cells(row)
        for criterion in table.to_criteria(section):
            cells = _describe_cells({**criterion, "section": row["section"]})
            yield ("criterion", cells.pop("key")), cells


def _describe_cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        column: table.describe_exactly(
            _(table.METHODS.get(value, value))
            if column == "method"
            else table.describe_cell(column, value)
        )
        for column, value in row.items()
    }


def _name(part: Part, cells: Mapping[str, str]) -> str:
    column = "section_" if part[0] == "section" else ""
    other = "en" if language() == "fr" else "fr"
    return cells[f"{column}{language()}"] or cells[f"{column}{other}"] or part[1]
