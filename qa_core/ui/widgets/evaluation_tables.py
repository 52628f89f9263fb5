"""Tables of evaluations: the same columns on every page that lists some."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from qa_core.base.i18n import N_, _
from qa_core.compliance.conditions.gates import PURPOSE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.ui.widgets import drill, tables

Entry = Mapping[str, Any]
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
            _(title), lambda entry, value=value: value(entry, texts)
        )
        for name, (title, value) in COLUMNS.items()
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


def _value(entry: Entry, name: str) -> Any:
    return None if formatting.is_missing(entry.get(name)) else entry[name]


def _day(entry: Entry, _texts: ScorecardTexts) -> str:
    day = entry["local_day"] if "local_day" in entry else entry["day"].date()
    return formatting.day(day, year=True)


def _score(entry: Entry, _texts: ScorecardTexts) -> str | None:
    return None if _value(entry, "score") is None else formatting.value(entry["score"], "score")


def _outcome(entry: Entry, _texts: ScorecardTexts) -> str:
    return _(OUTCOMES[entry["outcome"]]) if entry["outcome"] in OUTCOMES else "–"


def _scorecard(entry: Entry, texts: ScorecardTexts) -> str | None:
    return texts.name("grid", entry["grid"]) if _value(entry, "grid") else None


def _points(entry: Entry, _texts: ScorecardTexts) -> str | None:
    if _value(entry, "earned") is None:
        return None
    return _("{n} of {all}", n=f"{entry['earned']:g}", all=f"{entry['possible']:g}")


def _evaluated_on(entry: Entry, _texts: ScorecardTexts) -> str:
    return formatting.local_day(entry["evaluated_at"])


def _purpose(entry: Entry, _texts: ScorecardTexts) -> str:
    return _(PURPOSE_TITLES.get(entry["purpose"], entry["purpose"]))


COLUMNS: Mapping[str, tuple[str, Callable[[Entry, ScorecardTexts], Any]]] = {
    "date": (N_("Contact date"), _day),
    "score": (N_("Score"), _score),
    "outcome": (N_("Outcome"), _outcome),
    "scorecard": (N_("Scorecard"), _scorecard),
    "points": (N_("Points"), _points),
    "evaluator": (N_("Evaluated by"), lambda entry, _texts: _value(entry, "evaluator")),
    "evaluated_on": (N_("Evaluated on"), _evaluated_on),
    "purpose": (N_("Purpose"), _purpose),
}
"""Heading and value of each column, in their order."""
NUMBERS = ("score", "points")
