"""Tables of evaluations: the same columns on every page that lists some."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qa_core.base.i18n import N_, _
from qa_core.compliance.conditions.gates import PURPOSE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.ui.widgets import drill, tables

Entry = Mapping[str, Any]
COLUMNS = {
    "date": N_("Contact date"),
    "score": N_("Score"),
    "outcome": N_("Outcome"),
    "scorecard": N_("Scorecard"),
    "points": N_("Points"),
    "evaluator": N_("Evaluated by"),
    "evaluated_on": N_("Evaluated on"),
    "purpose": N_("Purpose"),
}
"""Heading of each column, in their order."""
KEYS = {"scorecard": "grid", "points": "earned", "evaluated_on": "evaluated_at"}
"""Keys of an entry that are not named as their column."""
NUMBERS = ("score", "points")
OUTCOMES = {"pass": N_("Passed"), "fail": N_("Not passed")}


def show(
    entries: Sequence[Entry],
    names: Collection[str],
    texts: ScorecardTexts,
    page: str,
    key: str,
    height: int,
    extra: Sequence[tables.TableColumn] = (),
) -> None:
    """Show evaluations, each leading to itself, with these columns of `COLUMNS`.

    `extra`: columns that only this page has. Columns without any value are left out.
    `page`: where the link back leads.
    """
    columns = [
        (tables.number_text_column if name in NUMBERS else tables.text_column)(
            _(title), lambda entry, name=name: _describe(entry, name, texts)
        )
        for name, title in COLUMNS.items()
        if name in names
    ]
    number = "id" if entries and "id" in entries[0] else "evaluation_id"
    tables.show(
        entries,
        [*extra, *tables.drop_empty(columns, entries)],
        key,
        lambda entry: drill.to_evaluation(page, int(entry[number])),
        height=height,
    )


def _describe(entry: Entry, name: str, texts: ScorecardTexts) -> str | None:
    """Return the cell of that column; None where nothing is known."""
    value = entry.get(KEYS.get(name, name))
    match name:
        case "date":
            day = entry["local_day"] if "local_day" in entry else entry["day"].date()
            return formatting.day(day, year=True)
        case "outcome":
            return _(OUTCOMES[value]) if value in OUTCOMES else "–"
        case "purpose":
            return _(PURPOSE_TITLES.get(value, value))
        case _ if formatting.is_missing(value):
            return None
        case "score":
            return formatting.value(value, "score")
        case "scorecard":
            return texts.name("grid", value) if value else None
        case "points":
            return _("{n} of {all}", n=f"{value:g}", all=f"{entry['possible']:g}")
        case "evaluated_on":
            return formatting.local_day(value)
    return value
