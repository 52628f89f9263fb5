"""Compute KPIs for a viewer: authorise, one statement per fact table, add intervals."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.centre import settings
from qa_core.centre.settings import Settings
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import (
    calibration_metrics,
    closed_months,
    distinct_customers,
    evaluation_table,
    interval_totals,
    listened_contacts,
    month_sums,
    populations,
    publication,
    statements,
)
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.result_rows import BEFORE, Row, finish_row, read_row, to_frame
from qa_core.metrics.kpi.shared_cuts import SharedCuts
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import (
    Contribution,
    FactTable,
    IntervalContribution,
    Kpi,
    KpiInputs,
    KpiKind,
    dimensions,
)
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.kpis.rows import DEFINITION_CHANGED
from qa_core.storage import bounds, lake
from qa_core.storage.engine import current
from qa_core.storage.records import store


def measure(
    viewer: Viewer,
    kpis: Sequence[str],
    by: Sequence[str] = (),
    where: Filters = Filters(),
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
    has_percentiles: bool = True,
    has_previous: bool = False,
) -> pd.DataFrame:
    """Measure KPIs, cut by dimensions, as far as `viewer` may see.

    Long format: one column per dimension of `by` (day and week as dates, month as
    `YYYY-MM`, people and places by name, None is missing; `currency` is added where two
    occur), then `kpi`, `value`, `numerator`, `denominator`, `n`, `low`, `high` (95 %),
    `status`, `pending`, `unknown_identity`, `p50`, `p90`, `p95`, `notes` (a tuple of
    codes) and `deviation` (of a mean's rows). Rates are 0–1, times seconds, money in
    its currency, nothing rounded. Without `by`, one row per KPI. With `compare`, also
    `value_before`, `n_before`, `low_before`, `high_before`, `status_before` and `delta`
    (days, weeks and months are aligned by their place in the period; without data on most
    of its days they are missing, `before_incomplete`). `overrides`
    replace settings for this call, as text. Percentiles are half of the work of a KPI that
    has some; without `has_percentiles` they are null. With `has_previous`, `previous_value` is
    the value before machines had their own KPIs, where the note `definition_changed` is.

    Raises Misuse for unknown names and bad values, Refusal for a KPI that cannot be cut
    so, AccessDenied for what the viewer may not see.
    """
    together = SharedCuts()
    frame = _measure_cut(
        viewer, kpis, by, where, compare, overrides or {}, together, has_percentiles
    )
    return _add_previous(viewer, frame, by, where, overrides or {}) if has_previous else frame


def _add_previous(
    viewer: Viewer,
    frame: pd.DataFrame,
    by: Sequence[str],
    where: Filters,
    overrides: Mapping[str, str],
) -> pd.DataFrame:
    """Add the values before the definition changed, where a row says that it did."""
    is_changed = frame["notes"].map(lambda notes: DEFINITION_CHANGED in (notes or ())).astype(bool)
    kpis = tuple(map(_as_before, dict.fromkeys(frame["kpi"][is_changed])))
    by = tuple(dict.fromkeys(by))
    before: dict[tuple[Any, ...], float | None] = {}
    if kpis:
        where = _check(viewer, kpis, by, where, overrides)
        for row in _measure(viewer, kpis, by, where, overrides, SharedCuts()):
            before[(*row.by.values(), row.kpi)] = row.value
    keys = zip(*(frame[name] for name in (*by, "kpi")), strict=True)
    values = [
        before.get(key) if changed else None for key, changed in zip(keys, is_changed, strict=True)
    ]
    return frame.assign(previous_value=pd.Series(values, dtype=object))


@functools.cache
def _as_before(key: str) -> Kpi:
    """Return the KPI by its earlier definition, in which machines counted like people."""
    kpi = declared.get_kpi(key)

    def parts(inputs: KpiInputs) -> Contribution:
        return kpi.parts(replace(inputs, has_machines=False))

    return replace(kpi, parts=parts, has_percentiles=False)


def measure_cuts(
    viewer: Viewer,
    kpis: Sequence[str],
    cuts: Sequence[Sequence[str]],
    where: Filters = Filters(),
    compare: Period | None = None,
) -> tuple[pd.DataFrame, ...]:
    """Measure KPIs under several cuts in one pass: a result and errors of `measure` for each."""
    together = SharedCuts(tuple(tuple(cut) for cut in cuts))
    return tuple(_measure_cut(viewer, kpis, cut, where, compare, {}, together) for cut in cuts)


def _measure_cut(
    viewer: Viewer,
    kpis: Sequence[str],
    by: Sequence[str],
    where: Filters,
    compare: Period | None,
    overrides: Mapping[str, str],
    together: SharedCuts,
    has_percentiles: bool = True,
) -> pd.DataFrame:
    declarations = tuple(declared.get_kpi(key) for key in dict.fromkeys(kpis))
    if viewer.kpis and not {kpi.key for kpi in declarations} <= set(viewer.kpis):
        raise AccessDenied()
    by = tuple(dimensions.get_dimension(key).key for key in dict.fromkeys(by))
    where = _check(viewer, declarations, by, where, overrides)
    if compare is not None and viewer.needs_suppression:
        compare = publication.close_period(where.with_period(compare)).period
    if not has_percentiles:
        declarations = tuple(replace(kpi, has_percentiles=False) for kpi in declarations)
    frame, *before = (
        to_frame(_measure(viewer, declarations, by, asked, overrides, together), by, declarations)
        for asked in ((where,) if compare is None else (where, where.with_period(compare)))
    )
    if not before:
        return frame
    if populations.is_incomplete(compare):
        concerned = {kpi.key for kpi in declarations if kpi.subject in populations.OF_DAYS}
        is_kept = ~before[0]["kpi"].isin(concerned) | (before[0]["status"] == "suppressed")
        before[0] = before[0][is_kept].reset_index(drop=True)
        frame["notes"] = [
            (*notes, populations.BEFORE_INCOMPLETE) if key in concerned else notes
            for key, notes in zip(frame["kpi"], frame["notes"], strict=True)
        ]
    return _beside(frame, before[0], by, where.period, compare)


def measure_under(
    viewer: Viewer, key: str, setting: str, values: Sequence[str], where: Filters = Filters()
) -> pd.DataFrame:
    """Measure one KPI under several values of a setting: a row of `measure` for each, in order."""
    if viewer.needs_suppression:
        frames = [measure(viewer, (key,), (), where, None, {setting: text}) for text in values]
        return pd.concat(frames, ignore_index=True)
    kpi, declaration = declared.get_kpi(key), settings.get_setting(setting)
    variants = [vary(kpi, f"{key} {text}", setting, declaration.parse(text)) for text in values]
    return to_frame(find_rows(viewer, variants, where), (), variants).assign(kpi=key)


def vary(kpi: Kpi, key: str, setting: str, value: Any) -> Kpi:
    """Return the KPI as it is with another value of a setting, under another key."""

    def other(inputs: KpiInputs) -> KpiInputs:
        return replace(inputs, settings=inputs.settings.with_values(**{setting: value}))

    def parts(inputs: KpiInputs) -> Contribution:
        return kpi.parts(other(inputs))

    def sums(inputs: KpiInputs) -> IntervalContribution:
        return kpi.sums(other(inputs))

    def needs_missed(given: Settings) -> bool:
        return kpi.needs_missed(given.with_values(**{setting: value}))

    needs = needs_missed if kpi.needs_missed else None
    return replace(kpi, key=key, parts=parts, sums=sums if kpi.sums else None, needs_missed=needs)


def find_rows(
    viewer: Viewer, kpis: Sequence[Kpi], where: Filters, overrides: Mapping[str, str] | None = None
) -> list[Row]:
    """Find the rows of `measure` without a cut, for declarations at hand; with the same errors."""
    where = _check(viewer, tuple(kpis), (), where, overrides or {})
    return _measure(viewer, tuple(kpis), (), where, overrides or {}, SharedCuts())


def _check(
    viewer: Viewer,
    kpis: tuple[Kpi, ...],
    by: tuple[str, ...],
    where: Filters,
    overrides: Mapping[str, str],
) -> Filters:
    """Return the filters to measure under. Raises what `measure` raises."""
    for kpi in kpis:
        viewer.require(kpi.needs)
    used_dimensions = (*by, *(dimension for dimension, _ in where.values))
    for dimension in used_dimensions:
        dimensions.get_dimension(dimension)
        if not viewer.can_cut_by(dimension):
            raise AccessDenied()
    for kpi in kpis:
        for dimension in used_dimensions:
            kpi.require_cut(dimension)
    if not viewer.needs_suppression:
        return where
    publication.require_one_table(by, where, overrides)
    return publication.close_period(where)


def _measure(
    viewer: Viewer,
    kpis: tuple[Kpi, ...],
    by: tuple[str, ...],
    where: Filters,
    overrides: Mapping[str, str],
    together: SharedCuts,
) -> list[Row]:
    if viewer.needs_suppression:
        return publication.answer(kpis, by, where)
    question = build_query(viewer, by, where, overrides)
    rows: list[Row] = []
    for subject in (FactTable.CALIBRATED, FactTable.SPEND):
        subject_kpis = [kpi for kpi in kpis if kpi.subject == subject]
        if subject_kpis:
            read = calibration_metrics.measure_rounds if subject == FactTable.CALIBRATED else _costs
            rows += read(question, subject_kpis)
    for subject_kpis, records, notes in collect(question, kpis, together):
        rows += _read_rows(question, subject_kpis, records, notes)
    rows = _complete(rows, kpis) if by else rows
    populations.mark_missed(question, kpis, rows)
    return rows


def collect(
    question: MetricQuery, kpis: Sequence[Kpi], together: SharedCuts
) -> Iterator[tuple[list[Kpi], list[dict[str, Any]], tuple[str, ...]]]:
    """Find the sums of KPIs that rows are counted for, by the groups of the question: KPIs
    of one fact table and one group of closed months, their records, and notes on all.
    """
    parts: dict[tuple[FactTable, str | None], list[Kpi]] = {}
    for kpi in kpis:
        if kpi.subject not in (FactTable.CALIBRATED, FactTable.SPEND):
            parts.setdefault((kpi.subject, closed_months.group_of(kpi)), []).append(kpi)
    for (subject, _group), some in sorted(parts.items(), key=lambda part: str(part[0])):
        yield some, *_count(question, subject, some, together)


def _count(
    question: MetricQuery, subject: FactTable, kpis: list[Kpi], together: SharedCuts
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    past = closed_months.split(question, closed_months.group_of(kpis[0]), kpis)
    records: list[dict[str, Any]] = []
    if not past.is_empty:
        key = (subject, past.since.where, *(kpi.key for kpi in kpis))
        keeps = not together.is_asked_once
        find = functools.partial(_find_records, subject=subject, kpis=kpis, keeps=keeps)
        records = together.find_records(key, past.since, find)
        if subject == FactTable.CONTACTS:
            records = interval_totals.add_totals(past.since, kpis, records)
    if past.records:
        records = closed_months.merge(records, past.records, kpis)
    return records, past.notes


def _read_rows(
    question: MetricQuery,
    kpis: list[Kpi],
    records: list[dict[str, Any]],
    notes: tuple[str, ...],
) -> list[Row]:
    rows = []
    for record in records:
        kpi_rows = [read_row(kpi, record) for kpi in kpis]
        if question.by and not record["present"] and not any(row.n for row in kpi_rows):
            continue
        bounds.check(len(rows))
        group = question.group_of(record)
        for row in kpi_rows:
            row.by, row.notes = group, (*row.notes, *notes)
        rows += kpi_rows
    if not question.by and not rows:
        rows = [replace(read_row(kpi, {}), notes=notes) for kpi in kpis]
    return rows


def _find_records(
    question: MetricQuery, subject: FactTable, kpis: list[Kpi], keeps: bool
) -> list[dict[str, Any]]:
    build = functools.partial(statements.BUILDERS[subject], kpis=kpis)
    if subject in statements.DAYS_AROUND and all(map(closed_months.adds_up, kpis)):
        of_teams = subject == FactTable.CONTACTS
        around = statements.DAYS_AROUND[subject]
        records = month_sums.collect(question, build, around, is_of_teams=of_teams, keeps=keeps)
        return _check_size(question, records, kpis)
    if subject == FactTable.CUSTOMERS:
        records = distinct_customers.find_month_records(question, kpis)
        if records is not None:
            return records
    months = statements.months_of(question, subject)
    if question.cuts and all(kpi.kind == KpiKind.DISTINCT for kpi in kpis):
        records = distinct_customers.find_cut_records(question, build, **months)
        return _check_size(question, records, kpis)
    frame = current().run(build(question), beside_the_lake(subject, **months), **months)
    return _check_size(question, frame.to_dict("records"), kpis)


def _check_size(
    question: MetricQuery, records: list[dict[str, Any]], kpis: list[Kpi]
) -> list[dict[str, Any]]:
    if question.by:  # each group that is present becomes a row of each KPI
        bounds.check(sum(record["present"] > 0 for record in records) * len(kpis))
    return records


def _costs(question: MetricQuery, kpis: list[Kpi]) -> list[Row]:
    is_part = not question.viewer.is_system
    found = find_costs(question, kpis)
    currencies = {amount["currency"] for _group, amounts, _contacts in found for amount in amounts}
    rows = []
    for group, amounts, contacts in found:
        if question.by and is_part and not contacts.get("mine"):
            continue  # a campaign that only others had contacts from
        for amount in amounts or [None]:
            currency = {"currency": amount["currency"] if amount else None}
            by = group | (currency if len(currencies) > 1 else {})
            rows += [_cost(question, kpi, amount, contacts, by) for kpi in kpis]
    return rows


def find_costs(
    question: MetricQuery, kpis: list[Kpi]
) -> list[tuple[dict[str, Any], list[dict[str, Any]], Mapping[str, Any]]]:
    """Find spend and contacts, each summed alone, joined on what both share: group, amounts
    by currency, contacts.
    """
    months = statements.months_of(question, FactTable.SPEND)
    money = current().run(statements.on_spend(question), **months).to_dict("records")
    build = functools.partial(statements.on_attributed, kpis=kpis)
    contacts = {question.key_of(record): record for record in month_sums.collect(question, build)}
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in money:
        cells.setdefault(question.key_of(record), []).append(record)
    for key in (*contacts, *(() if question.by else ((),))):
        cells.setdefault(key, [])
    return [
        (dict(zip(question.by, key, strict=True)), amounts, contacts.get(key, {}))
        for key, amounts in cells.items()
    ]


def _cost(
    question: MetricQuery,
    kpi: Kpi,
    money: dict[str, Any] | None,
    contacts: Mapping[str, Any],
    group: dict[str, Any],
) -> Row:
    is_total = kpi.kind == KpiKind.TOTAL
    n = (int(money["rows"]) if money else 0) if is_total else int(contacts.get(f"{kpi.key}__n", 0))
    row = Row(kpi.key, n=n, denominator=None if is_total else n, by=group)
    if contacts.get("foreign"):
        # The spend of a campaign cannot be divided by team: a share of it is
        # nobody's to show.
        row.notes = ("spend_beyond_scope",)
    elif money and n:
        row.numerator = float(money["amount"])
        row.value = row.numerator if is_total else row.numerator / n
        if _is_provisional(question, money, contacts):
            row.notes = ("provisional_spend",)
    finish_row(row)
    return row


def _is_provisional(
    question: MetricQuery, money: Mapping[str, Any], contacts: Mapping[str, Any]
) -> bool:
    days, span = question.pieces[-1][1].provisional_spend_days, lake.span()
    if not days or span is None:
        return False
    last_day = span[1].replace(tzinfo=UTC).astimezone(environment.current().zone).date()
    last_days = [
        pd.Timestamp(side["newest_day"]).date()
        for side in (money, contacts)
        if side.get("newest_day") is not None and side["newest_day"] == side["newest_day"]
    ]
    return max(last_days) > last_day - timedelta(days=days)


def _complete(rows: list[Row], kpis: tuple[Kpi, ...]) -> list[Row]:
    """Add every KPI to every group found: what is missing is said. Costs keep their currency."""
    kpis_by_group: dict[tuple[Any, ...], set[str]] = {}
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        group = {name: value for name, value in row.by.items() if name != "currency"}
        key = tuple(group.values())
        kpis_by_group.setdefault(key, set()).add(row.kpi)
        groups[key] = group
    missing = [read_row(kpi, {}) for kpi in kpis]
    return rows + [
        replace(row, by=groups[key])
        for key, present in kpis_by_group.items()
        for row in missing
        if row.kpi not in present
    ]


def _beside(
    frame: pd.DataFrame, before: pd.DataFrame, by: tuple[str, ...], period: Period, compare: Period
) -> pd.DataFrame:
    keys = [
        name for name in (*by, "currency", "kpi") if name in frame.columns or name in before.columns
    ]
    for name in keys:
        for side in (frame, before):
            if name not in side.columns:
                side[name] = None
    aligned = ([_align(name, value, period, compare) for value in before[name]] for name in keys)
    places = {key: place for place, key in enumerate(zip(*aligned, strict=True))}
    own = zip(*(frame[name] for name in keys), strict=True)
    found = before[list(BEFORE)].reindex([places.get(key, -1) for key in own])
    found = found.add_suffix("_before").set_axis(frame.index)
    found["status_before"] = found["status_before"].astype(object).fillna("no_data")
    result = pd.concat([frame, found], axis=1)
    result["delta"] = result["value"] - result["value_before"]
    return result


def _align(dimension: str, value: Any, period: Period, compare: Period) -> Any:
    """Return the day, week or month at the place of this one in the other period."""
    if value is None or period.first_day is None or compare.first_day is None:
        return value
    if dimension == "day":
        return value + (period.first_day - compare.first_day)
    if dimension == "week":
        return value + (_monday(period.first_day) - _monday(compare.first_day))
    if dimension == "month":
        months = (
            (period.first_day.year - compare.first_day.year) * 12
            + period.first_day.month
            - compare.first_day.month
        )
        position = int(value[:4]) * 12 + int(value[5:]) - 1 + months
        return f"{position // 12:04d}-{position % 12 + 1:02d}"
    return value


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def beside_the_lake(subject: FactTable, **months: str | None) -> dict[str, pa.Table]:
    """Return what a statement on that subject in these months reads besides the lake."""
    if subject not in (FactTable.EVALUATION_ANSWERS, FactTable.ADVISORS, FactTable.LISTENED):
        return {}
    if subject != FactTable.LISTENED:
        return evaluation_table.beside(**months)
    with store.reading() as session:
        return {"listened": listened_contacts.load(session)}
