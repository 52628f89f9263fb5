"""Questions over many months: the sums of months that can no longer change by passing time
are taken from what was kept, and only the others are computed from the contacts.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from qa_core.metrics import periods
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query import data_span, dimension_sql, statements
from qa_core.metrics.query.statements import MetricQuery
from qa_core.storage import engine, lake
from qa_core.storage.guard import Scoped, Unscoped
from qa_core.storage.lake import month_sums

LEAST_MONTHS = 2
OPEN_DAYS = 32
"""Days after which no window of a contact is open: beyond the longest first-contact
window.
"""
DEVIATION, HISTOGRAM, NEWEST = "__deviation", "__histogram", "newest_"
"""Ends, or the beginning, of the names of columns that are not added up: a standard
deviation is pooled, the counts by value are merged, of moments the newest is kept.
"""

Record = dict[str, Any]
Build = Callable[[MetricQuery], Scoped | Unscoped]
Run = Callable[[MetricQuery], pd.DataFrame]


def collect(
    question: MetricQuery, build: Build, around: int = 0, leaves_out_damaged: bool = False
) -> list[Record]:
    """Run the statement on contacts that `build` makes of the question; the same records as
    of one run.

    Its columns are groups, named `by_…`, and aggregates that add up over months. `around`:
    how many days before and after the period it reads. `leaves_out_damaged`: see
    `Engine.run`.
    """

    def run(part: MetricQuery) -> pd.DataFrame:
        months = dimension_sql.months(part.where.period, around, around)
        return engine.current().run(build(part), leaves_out_damaged=leaves_out_damaged, **months)

    split = _split(question.where.period)
    if split is None:
        return run(question).to_dict("records")
    frames = _recall(question, build, split.months, around, run)
    for period in split.rest:
        frames.append(run(replace(question, where=question.where.with_period(period))))
    return _add_up(frames).to_dict("records")


@dataclass(frozen=True)
class _Split:
    """Whole months whose sums stay, by their first days, and the periods beside them."""

    months: tuple[date, ...]
    rest: tuple[Period, ...]


def _split(period: Period) -> _Split | None:
    """Divide a period; None where it has too few months whose sums stay."""
    span = data_span.find_span()
    if span is None:
        return None
    first, last = (
        max(period.first_day or span[0], span[0]),
        min(period.last_day or span[1], span[1]),
    )
    if last < first:
        return None
    months = [
        start
        for start in periods.starts_of("month", Period(first, last))
        if (start >= first or first == span[0])
        and (end := periods.end_of("month", start)) <= last
        and end + timedelta(days=OPEN_DAYS) <= span[1]
    ]
    if len(months) < LEAST_MONTHS:
        return None
    rest = []
    if months[0] > first:
        rest.append(Period(first, months[0] - timedelta(days=1)))
    after = periods.end_of("month", months[-1]) + timedelta(days=1)
    if after <= last:
        rest.append(Period(after, last))
    return _Split(tuple(months), tuple(rest))


def _recall(
    question: MetricQuery, build: Build, months: Sequence[date], around: int, run: Run
) -> list[pd.DataFrame]:
    """Return the sums of each month: what was kept, the others computed and kept."""
    whole = Period(months[0], periods.end_of("month", months[-1]))
    settled = replace(
        question,
        pieces=statements.pieces_within(question.pieces, whole),
        give=functools.cache(lambda settings: _without_end(question.give(settings))),
    )
    anytime = replace(settled, where=question.where.with_period(Period()))
    text = engine.describe(build(anytime))
    keys = {f"{start:%Y-%m}": _make_key(text, start, around) for start in months}
    kept = {month: month_sums.read(month, key) for month, key in keys.items()}
    frames = [
        table.to_pandas(maps_as_pydicts="strict") for table in kept.values() if table is not None
    ]
    missing = [month for month, table in kept.items() if table is None]
    if missing:
        frames += _compute(settled, missing, keys, run)
    return frames


def _make_key(text: str, start: date, around: int) -> str:
    """Make the key of a month's sums: of the statement, and the files that it reads."""
    whole = Period(start, periods.end_of("month", start))
    files = lake.files("contacts", **dimension_sql.months(whole, around, around))
    return hashlib.sha256("\n".join((text, *files)).encode()).hexdigest()


def _without_end(inputs: Any) -> Any:
    """Give inputs under which every window is over: those of these months are."""
    return replace(inputs, span=inputs.span and (inputs.span[0], datetime.max))


def _compute(
    question: MetricQuery, missing: Sequence[str], keys: dict[str, str], run: Run
) -> list[pd.DataFrame]:
    first, last = (date.fromisoformat(f"{month}-01") for month in (missing[0], missing[-1]))
    by = question.by if "month" in question.by else (*question.by, "month")
    whole = question.where.with_period(Period(first, periods.end_of("month", last)))
    frame = run(replace(question, by=by, where=whole))
    month_of = frame["by_month"]
    if by != question.by:
        frame = frame.drop(columns="by_month")
    frames = []
    for month in missing:
        rows = frame[month_of == month]
        month_sums.write(month, keys[month], _to_arrow(rows))
        frames.append(rows)
    return frames


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    maps = [name for name in frame if name.endswith(HISTOGRAM)]
    table = pa.Table.from_pandas(frame.drop(columns=maps), preserve_index=False)
    for name in maps:
        entries = [list(cell.items()) if isinstance(cell, dict) else None for cell in frame[name]]
        table = table.append_column(name, pa.array(entries, pa.map_(pa.float64(), pa.int64())))
    return table


def _add_up(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add the sums of all parts, group by group."""
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    frame = pd.concat(filled, ignore_index=True)
    groups = [name for name in frame if name.startswith("by_")]
    spreads = [name.removesuffix(DEVIATION) for name in frame if name.endswith(DEVIATION)]
    for kpi in spreads:
        n, total = frame[f"{kpi}__n"], frame[f"{kpi}__sum"]
        squares = (n - 1) * frame[kpi + DEVIATION].fillna(0.0) ** 2 + total**2 / n
        frame[kpi + DEVIATION] = squares.where(n > 0)
    place = frame.groupby(groups, dropna=False, sort=False).ngroup() if groups else 0
    grouped = frame.groupby(pd.Series(place, index=frame.index), sort=False)
    result = {}
    for name in frame:
        column = grouped[name]
        if name in groups:
            result[name] = column.nth(0).reset_index(drop=True)
        elif name.endswith(HISTOGRAM):
            result[name] = pd.Series(
                [_merge_histograms(cells) for _, cells in column], dtype=object
            )
        elif name.startswith(NEWEST):
            result[name] = column.max().reset_index(drop=True)
        else:
            result[name] = column.sum(min_count=1).reset_index(drop=True)
    together = pd.DataFrame(result)
    for kpi in spreads:
        n, total = together[f"{kpi}__n"], together[f"{kpi}__sum"]
        variance = (together[kpi + DEVIATION] - total**2 / n) / (n - 1)
        together[kpi + DEVIATION] = variance.clip(lower=0).pow(0.5).where(n > 1)
    return together


def _merge_histograms(cells: Iterable[Any]) -> dict[float, int] | None:
    merged: dict[float, int] = {}
    for cell in cells:
        for value, count in cell.items() if isinstance(cell, dict) else ():
            merged[value] = merged.get(value, 0) + count
    return merged or None
