"""Answers to additive questions from cached sums of months and days; only the missing spans
are counted from the contacts.
"""

import functools
import hashlib
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.access import kept_rows
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.metrics.kpi import data_span, dimension_sql, statements
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import KpiKind, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage import engine, lake, restrictions
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.lake import month_sums
from qa_core.storage.lake.month_sums import Days

MIN_MONTHS = 2
OPEN_DAYS = 32
"""Days after which no window of a contact is open: beyond the longest first-contact
window.
"""
FROM_DAYS: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
    "day": lambda days: days,
    "week": functools.partial(pc.floor_temporal, unit="week"),
    "weekday": functools.partial(pc.day_of_week, count_from_zero=False),
    "month": functools.partial(pc.strftime, format="%Y-%m"),
}
"""Dimensions that follow from the day, and how."""
OF_FEW_VALUES = frozenset(
    {"hour", "half_hour", "direction", "channel", "queue", "reason", "outcome", "site", "team"}
    | {"handled_by", "source", "medium", "campaign"}
)
"""Dimensions by whose values each day is counted; beside others a day would be many rows."""
OF_TEAMS = frozenset({"team", "site"})
"""Dimensions by which sums by team are no more rows."""
CHOSEN_AFTERWARDS = frozenset(
    {"direction", "channel", "queue", "reason", "outcome", "handled_by", "site", "team"}
)
"""Dimensions whose filters are applied to sums by their values: another choice then finds
its sums there.
"""
DEVIATION, HISTOGRAM, NEWEST = "__deviation", "__histogram", "newest_"
"""Ends, or the beginning, of the names of columns that are not added up: a standard
deviation is pooled, the counts by value are merged, of moments the newest is kept.
"""

FORMAT = "2"
"""Number of the types in which sums are kept."""
MAX_CONTACTS = 500_000
"""Contacts counted together at most where percentiles are asked for: that takes memory."""
MAX_DESCRIBED = 1_000
ADD_KNOWN = pc.ScalarAggregateOptions(min_count=1)
"""Rule of sums: only known values count, and a sum of none is missing."""
COUNTS = pa.list_(pa.struct({"value": pa.float64(), "count": pa.int64()}))

Record = dict[str, Any]
Test = Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.ChunkedArray]
"""Which rows are asked for, by the value of a dimension and a day of each."""
Tests = list[tuple[str, Test]]
"""Dimensions, each with a test of its values."""
Build = Callable[[MetricQuery], Scoped | Unscoped]
Run = Callable[[MetricQuery], pd.DataFrame | pa.Table]


def collect(
    question: MetricQuery,
    build: Build,
    around: int = 0,
    leaves_out_damaged: bool = False,
    is_of_teams: bool = False,
    keeps: bool = True,
) -> list[Record]:
    """Run the statement on contacts that `build` makes of the question; the same records
    as of one run.

    Its columns are groups, named `by_…`, and aggregates that add up over days; the cuts of
    the question hold nothing that follows from the day. `around`: how many days before and
    after the period it reads. `leaves_out_damaged`: see `Engine.run`. `is_of_teams`: the
    aggregates add up over teams too, and the rows belong to the viewer in the question
    that `build` is given. Without `keeps`, cuts are counted anew.
    """

    def run(part: MetricQuery, as_arrow: bool = True) -> pd.DataFrame | pa.Table:
        options = dimension_sql.months(part.where.period, around, around)
        options |= {"leaves_out_damaged": leaves_out_damaged, "as_arrow": as_arrow}
        return engine.current().run(build(part), **options)

    plan = _plan(question, build) if keeps or not question.cuts else None
    # What is counted without files that are away for a while is not kept.
    if plan is None or (leaves_out_damaged and lake.find_damage(names=["contacts"])):
        if _has_few_combinations(question, build):
            return _add_up_cuts(question, _to_arrow(run(replace(question, cuts=()))))
        return run(question, as_arrow=False).to_dict("records")
    wide, tests = _widen(question)
    if is_of_teams and _may_share(wide):
        wide = replace(_group_by(wide, "team"), viewer=Viewer.SYSTEM)
        tests = [*tests, ("team", functools.partial(kept_rows.find_own, question.viewer))]
    tables = []
    for months, by_day, is_settled in plan.kept:
        if by_day:
            found = [_recall_days(wide, build, months, is_settled, around, run)]
        else:
            spans = _list_months(months)
            sums = _recall(wide, build, spans, is_settled, around, run)
            found = [
                (table, pa.chunked_array([pa.repeat(pa.scalar(first), len(table))]))
                for (first, _last), table in zip(spans, sums, strict=True)
            ]
        tables += [_choose(table, days, tests, question) for table, days in found]
    for period in plan.rest:
        tables.append(_to_arrow(run(replace(question, where=question.where.with_period(period)))))
    return _add_up(tables)


def list_whole_months(period: Period) -> list[date]:
    """List the first days of the months of a period; none where it has parts of months.

    Before the first and after the last day of the data, nothing is missing.
    """
    span = data_span.find_span(whole=True)
    if span is None:
        return []
    first, last = (
        max(period.first_day or span[0], span[0]),
        min(period.last_day or span[1], span[1]),
    )
    starts = periods.starts_of("month", Period(first, last)) if first <= last else []
    begins = first == span[0] or first.day == 1
    ends = last == span[1] or (last + timedelta(days=1)).day == 1
    return starts if begins and ends else []


def collect_months(
    question: MetricQuery,
    build: Build,
    months: Sequence[date],
    run: Run,
    adjust: Callable[[pa.Table], pa.Table],
) -> list[Record]:
    """Return the records of whole months, added up after `adjust`. What the statement finds
    of a month may depend on everything before it, and on nothing after it.
    """
    tables = _recall(question, build, _list_months(months), False, None, run)
    return _add_up([adjust(table) for table in tables])


def _widen(question: MetricQuery) -> tuple[MetricQuery, Tests]:
    """Make one filter by few values a group, so that what is kept answers every choice of
    it. Returns the question without that filter, and its test; none where none fits.
    """
    by = {*question.by} - FROM_DAYS.keys()
    for name, choices in question.where.values:
        has_few = by <= OF_FEW_VALUES or name == "team"
        if name in CHOSEN_AFTERWARDS and has_few and _count_others(question, {name}) <= 1:
            values = tuple(pair for pair in question.where.values if pair[0] != name)
            wide = replace(question, where=replace(question.where, values=values))
            if not _is_mixed(question, name):
                return _group_by(wide, name), [(name, functools.partial(_is_chosen, choices))]
    return question, []


def _count_others(question: MetricQuery, names: Collection[str]) -> int:
    """Count the dimensions of a cut beside these, and beside those that follow from the day."""
    cuts = question.cuts or (question.by,)
    return max(len({*cut} - FROM_DAYS.keys() - {*names}) for cut in cuts)


def _is_mixed(question: MetricQuery, name: str) -> bool:
    """Return whether cuts would mix once all are by this dimension: only the one by it alone
    differs from the others.
    """
    return name in question.by and any(
        cut != (name,) and (not cut or name in cut) for cut in question.cuts
    )


def _group_by(question: MetricQuery, name: str) -> MetricQuery:
    return replace(
        question,
        by=tuple(dict.fromkeys((*question.by, name))),
        cuts=tuple(tuple(dict.fromkeys((*cut, name))) for cut in question.cuts),
    )


def _is_chosen(
    choices: Sequence[Any], values: pa.ChunkedArray, _days: pa.ChunkedArray
) -> pa.ChunkedArray:
    known = [choice for choice in choices if choice is not None]
    asked = pc.is_in(values, pa.array(known, pa.string()))
    return pc.or_(asked, pc.is_null(values)) if None in choices else asked


def _may_share(question: MetricQuery) -> bool:
    """Return whether sums by team of the whole centre answer a question within a scope."""
    is_by_team = question.viewer.spans is not None
    return is_by_team and _count_others(question, OF_TEAMS) <= 1 and not _is_mixed(question, "team")


def _choose(
    table: pa.Table, days: pa.ChunkedArray, tests: Tests, question: MetricQuery
) -> pa.Table:
    """Return the rows that pass the tests, under the groups of the question."""
    masks = [test(table.column(f"by_{name}").cast(pa.string()), days) for name, test in tests]
    if masks:
        table = table.filter(functools.reduce(pc.and_, masks))
    for name in dict(tests):
        table = _leave_group(table, name, question)
    return table


def _leave_group(table: pa.Table, name: str, question: MetricQuery) -> pa.Table:
    """Return to the groups of the question from those by this dimension too."""
    own, out = f"by_{name}", f"by_{name}__out"
    if name not in question.by:
        return table.select([title for title in table.column_names if title not in (own, out)])
    others = [f"by_{other}__out" for other in question.by if other != name]
    if question.cuts and others:
        # Only the cut by this dimension alone was by it before.
        is_alone = functools.reduce(pc.and_, (pc.equal(table.column(one), 1) for one in others))
        values = table.column(own)
        empty = pa.scalar(None, values.type)
        table = set_column(table, own, pc.if_else(is_alone, values, empty))
        table = set_column(table, out, pc.if_else(is_alone, table.column(out), 1))
    return table


def set_column(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


@dataclass(frozen=True)
class _Plan:
    """Answer to a period in parts: months by their first days, with whether their days are kept
    or one sum, and whether time alone can change nothing of them; and the periods beside them.
    """

    kept: tuple[tuple[tuple[date, ...], bool, bool], ...]
    rest: tuple[Period, ...]


def _plan(question: MetricQuery, build: Build) -> _Plan | None:
    """Plan what to take from what was kept; None where too little of the period can be."""
    span, period = data_span.find_span(whole=True), question.where.period
    if span is None:
        return None
    newest = data_span.find_last_contact_day()
    first, last = (
        max(period.first_day or span[0], span[0]),
        min(period.last_day or span[1], span[1]),
    )
    if last < first:
        return None
    follows, by = {*question.by} & FROM_DAYS.keys(), {*question.by} - FROM_DAYS.keys()
    has_few = by <= OF_FEW_VALUES or (by - OF_TEAMS <= {"advisor"} and not _has_histograms(build))
    has_days = has_few and not (follows and question.cuts)
    cut = kept_rows.find_cuts(question.viewer)
    kept: dict[tuple[bool, bool], list[date]] = {}
    rest: list[Period] = []
    for start in periods.starts_of("month", Period(first, last)):
        end = periods.end_of("month", start)
        is_settled = newest is not None and end + timedelta(days=OPEN_DAYS) <= newest
        is_whole = (start >= first or first == span[0]) and end <= last
        if is_whole and is_settled and start not in cut and not (has_days and follows - {"month"}):
            kept.setdefault((False, True), []).append(start)
        elif has_days:
            kept.setdefault((True, is_settled), []).append(start)
        elif rest and rest[-1].last_day == start - timedelta(days=1):
            rest[-1] = Period(rest[-1].first_day, min(end, last))
        else:
            rest.append(Period(max(start, first), min(end, last)))
    if not has_days and len(kept.get((False, True), ())) < MIN_MONTHS:
        return None
    return _Plan(tuple((tuple(months), *how) for how, months in kept.items()), tuple(rest))


def _has_histograms(build: Build) -> bool:
    kpis = build.keywords.get("kpis", ()) if isinstance(build, functools.partial) else ()
    return any(kpi.kind == KpiKind.MEAN and kpi.has_percentiles for kpi in kpis)


def _recall_days(
    question: MetricQuery,
    build: Build,
    months: Sequence[date],
    is_settled: bool,
    around: int,
    run: Run,
) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the sums of the days of the period in these months, under the groups of the
    question, and the day of each.
    """
    by = (*(name for name in question.by if name not in FROM_DAYS), "day")
    cuts = tuple((*cut, "day") for cut in question.cuts)
    daily = replace(question, by=by, cuts=cuts)
    spans = _list_months(months)
    contacts, period = lake.snapshot("contacts"), question.where.period
    if not is_settled:  # what still changes is kept in smaller spans
        spans = [
            (first, last)
            for month in spans
            for first, last in month_sums.list_spans(contacts, month)
            if (period.first_day or first) <= last and first <= (period.last_day or last)
        ]
    table = _join(_recall(daily, build, spans, is_settled, around, run))
    first, last = period.first_day or date.min, period.last_day or date.max
    days = table.column("by_day").cast(pa.date32())
    is_asked = pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
    left_out = [name for name in table.column_names if name in ("by_day", "by_day__out")]
    days = days.filter(is_asked)
    table = table.drop_columns(left_out).filter(is_asked)
    for name in question.by:
        if name in FROM_DAYS:
            follows = FROM_DAYS[name](days.cast(pa.timestamp("us")))
            table = table.append_column(f"by_{name}", follows)
    return table, days


def _list_months(months: Sequence[date]) -> list[Days]:
    return [(start, periods.end_of("month", start)) for start in months]


def _recall(
    question: MetricQuery,
    build: Build,
    spans: Sequence[Days],
    is_settled: bool,
    around: int | None,
    run: Run,
) -> list[pa.Table]:
    """Return the sums of each span: what was kept, the others computed and kept. `around`:
    see `collect`; None: all days before.
    """
    if is_settled:
        question = replace(
            question,
            pieces=statements.pieces_within(question.pieces, Period(spans[0][0], spans[-1][1])),
            current_inputs=_read_without_end(question.current_inputs),
        )
    anytime = replace(question, where=question.where.with_period(Period()))
    text = _describe(build, anytime)
    contacts = lake.snapshot("contacts")
    keys = {days: _make_key(text, contacts, days, around) for days in spans}
    tables = {}
    missing: list[list[Days]] = []
    previous, counted = None, 0
    most = MAX_CONTACTS if _has_histograms(build) else contacts.rows
    for days in spans:
        table = month_sums.read(days, keys[days])
        rows = sum(part.rows for part in contacts.parts if part.overlaps(*days))
        if table is not None:
            tables[days] = table
        elif missing and missing[-1][-1] == previous and counted + rows <= most:
            missing[-1].append(days)
            counted += rows
        else:
            missing.append([days])
            counted = rows
        previous = days
    for together in missing:
        tables |= _compute(question, together, keys, run)
    return [tables[days] for days in spans]


@dataclass(frozen=True)
class _Statement:
    """Statement before it is written. `content`: all that it is made of, by which two are equal."""

    content: Hashable
    build: Build = field(compare=False)
    question: MetricQuery = field(compare=False)


def _describe(build: Build, question: MetricQuery) -> str:
    """Describe the statement; it is written once for equal questions, unless `build` holds
    more than its name tells.
    """
    is_of_kpis = isinstance(build, functools.partial)
    if not is_of_kpis and build.__closure__:
        return engine.describe(build(question))
    inputs = [
        (first_day, question.current_inputs(settings)) for first_day, settings in question.pieces
    ]
    asked = (question.viewer, question.by, question.where, question.names, question.cuts)
    here = (environment.current().engine_url, restrictions.find_current())
    given = (build.func, tuple(build.keywords["kpis"])) if is_of_kpis else (build,)
    content = (*given, repr((asked, inputs)), here)
    return _write(_Statement(content, build, question))


@functools.lru_cache(maxsize=MAX_DESCRIBED)
def _write(statement: _Statement) -> str:
    return engine.describe(statement.build(statement.question))


def forget_statements() -> None:
    """Forget the statements that were written, with the names in them."""
    _write.cache_clear()


def _make_key(text: str, contacts: lake.Snapshot, days: Days, around: int | None) -> str:
    """Make the key of the sums of a span: of the statement, and the files that it reads."""
    if around is None:
        files = contacts.files(**dimension_sql.months(Period(last_day=days[1])))
    elif around:
        files = contacts.files(**dimension_sql.months(Period(*days), around, around))
    else:
        files = [part.path for part in contacts.parts if part.overlaps(*days)]
    return hashlib.sha256("\n".join((FORMAT, text, *files)).encode()).hexdigest()


def _read_without_end(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Give inputs under which every window is over, as in these months."""

    def without_end(settings: Any) -> Any:
        inputs = read(settings)
        return replace(inputs, span=inputs.span and (inputs.span[0], datetime.max))

    return functools.cache(without_end)


def _compute(
    question: MetricQuery, spans: Sequence[Days], keys: dict[Days, str], run: Run
) -> dict[Days, pa.Table]:
    """Count spans that follow each other in one statement, and keep the sums of each."""
    has_time = {"day", "month"} & set(question.by)
    by = question.by if has_time else (*question.by, "month")
    whole = question.where.with_period(Period(spans[0][0], spans[-1][1]))
    cuts = question.cuts if has_time else tuple((*cut, "month") for cut in question.cuts)
    table = _to_arrow(run(replace(question, by=by, where=whole, cuts=cuts)))
    is_by_month = "month" in by
    place = table.column("by_month") if is_by_month else table.column("by_day").cast(pa.date32())
    if not has_time:
        extra = {"by_month", "by_month__out"} & {*table.column_names}
        table = table.drop_columns([*extra])
    tables = {}
    for days in spans:
        first, last = (f"{day:%Y-%m}" if is_by_month else day for day in days)
        is_inside = pc.and_(pc.greater_equal(place, first), pc.less_equal(place, last))
        tables[days] = table.filter(is_inside)
        month_sums.write(days, keys[days], tables[days])
    return tables


def _to_arrow(frame: pd.DataFrame | pa.Table) -> pa.Table:
    """Return a result with the types of sums: a column without any value may have any type."""
    if isinstance(frame, pa.Table):
        types = [
            pa.float64()
            if pa.types.is_decimal(kind)
            else pa.map_(pa.float64(), pa.int64())
            if pa.types.is_map(kind)
            else kind
            for kind in frame.schema.types
        ]
        return frame.cast(pa.schema(zip(frame.column_names, types, strict=True)))
    maps = [name for name in frame if name.endswith(HISTOGRAM)]
    table = pa.Table.from_pandas(frame.drop(columns=maps), preserve_index=False)
    for name in maps:
        entries = [list(cell.items()) if isinstance(cell, dict) else None for cell in frame[name]]
        table = table.append_column(name, pa.array(entries, pa.map_(pa.float64(), pa.int64())))
    return table


def _join(tables: Sequence[pa.Table]) -> pa.Table:
    """Join parts of one answer; a column that is null in all rows of one has no type there."""
    tables = [table for table in tables if len(table)] or list(tables[:1])
    return pa.concat_tables(tables, promote_options="permissive")


def _add_up(tables: Sequence[pa.Table]) -> list[Record]:
    """Add the sums of all parts, group by group."""
    table = _join(tables)
    names = table.column_names
    groups = [name for name in names if name.startswith("by_")]
    maps = [name for name in names if name.endswith(HISTOGRAM)]
    spreads = [name.removesuffix(DEVIATION) for name in names if name.endswith(DEVIATION)]
    if not len(table):
        return []
    for kpi in spreads:
        table = set_column(table, kpi + DEVIATION, _find_squares(table, kpi))
    added = [name for name in names if name not in (*groups, *maps)]
    rules = [(name, "max" if name.startswith(NEWEST) else "sum", ADD_KNOWN) for name in added]
    grouped = pa.TableGroupBy(table, groups, use_threads=False).aggregate(rules)
    grouped = grouped.rename_columns([*groups, *added])
    for kpi in spreads:
        grouped = set_column(grouped, kpi + DEVIATION, _find_deviation(grouped, kpi))
    columns = [_list_values(column) for column in grouped.columns]
    place = _find_places(table, groups) if maps else None
    for name in maps:
        merged = _merge_histograms(place, table.column(name))
        columns.append([merged.get(row) for row in range(len(grouped))])
    titles = (*grouped.column_names, *maps)
    return [dict(zip(titles, values, strict=True)) for values in zip(*columns, strict=True)]


def _has_few_combinations(question: MetricQuery, build: Build) -> bool:
    """Return whether the cuts are counted once by all their dimensions together and then
    added up, which takes less than counting every row again for each cut.
    """
    is_coarse = not {*question.by} & {"advisor", *FROM_DAYS}
    return bool(question.cuts) and is_coarse and not _has_histograms(build)


def _add_up_cuts(question: MetricQuery, table: pa.Table) -> list[Record]:
    """Add up the sums of all combinations by each cut of the question."""
    records = []
    for cut in question.cuts:
        missing = {name: name not in cut for name in question.by}
        groups = [f"by_{name}" for name, is_out in missing.items() if is_out]
        left_out = dict.fromkeys(groups) | {
            f"by_{name}__out": int(missing[name]) for name in missing
        }
        records += [record | left_out for record in _add_up([table.drop_columns(groups)])]
    return records


def _list_values(column: pa.ChunkedArray) -> list[Any]:
    """List the values of a column; None where missing."""
    is_plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return column.to_numpy().tolist() if is_plain and not column.null_count else column.to_pylist()


def _find_places(table: pa.Table, groups: Sequence[str]) -> pd.Series:
    """Find the group of each row, numbered as `TableGroupBy` orders them."""
    places = pd.Series(0, index=range(len(table)))
    if groups:
        rows = table.select(groups).append_column("row", pa.array(places.index))
        found = pa.TableGroupBy(rows, groups, use_threads=False).aggregate([("row", "list")])
        found = found.column("row_list")
        numbers = pd.RangeIndex(len(found)).repeat(pc.list_value_length(found))
        places[pc.list_flatten(found).to_numpy()] = numbers
    return places


def _find_squares(table: pa.Table, kpi: str) -> pa.ChunkedArray:
    """Find the sum of squares of a KPI in each row, from its deviation; null without rows."""
    n, total, deviation = (
        table.column(kpi + end).cast(pa.float64()) for end in ("__n", "__sum", DEVIATION)
    )
    within = pc.multiply(pc.subtract(n, 1), pc.power(pc.fill_null(deviation, 0), 2))
    squares = pc.add(within, pc.divide(pc.power(total, 2), n))
    return pc.if_else(pc.greater(n, 0), squares, None)


def _find_deviation(table: pa.Table, kpi: str) -> pa.ChunkedArray:
    """Find the deviation of a KPI in each row, from its sum of squares; null of one row alone."""
    n, total, squares = (
        table.column(kpi + end).cast(pa.float64()) for end in ("__n", "__sum", DEVIATION)
    )
    within = pc.subtract(squares, pc.divide(pc.power(total, 2), n))
    variance = pc.divide(pc.max_element_wise(within, 0.0, skip_nulls=False), pc.subtract(n, 1))
    return pc.if_else(pc.greater(n, 1), pc.sqrt(variance), None)


def _merge_histograms(place: pd.Series, column: pa.ChunkedArray) -> dict[int, dict[float, int]]:
    """Merge the counts by value of all rows of a group. Returns them by group."""
    found = pa.chunked_array([chunk.cast(COUNTS) for chunk in column.chunks], COUNTS)
    values, counts = pc.list_flatten(found).combine_chunks().flatten()
    groups = place.to_numpy().repeat(pc.list_value_length(found).fill_null(0).to_numpy())
    entries = pa.table({"group": groups, "value": values, "count": counts})
    added = pa.TableGroupBy(entries, ["group", "value"], use_threads=False).aggregate(
        [("count", "sum")]
    )
    by_group, values, counts = (
        column.to_numpy() for column in added.sort_by("group").combine_chunks().columns
    )
    starts = np.flatnonzero(np.diff(by_group, prepend=-1))
    # Group by group: the values of all of them as objects would take much memory.
    return {
        int(by_group[start]): dict(
            zip(values[start:end].tolist(), counts[start:end].tolist(), strict=True)
        )
        for start, end in zip(starts, [*starts[1:], len(by_group)], strict=False)
    }
