"""Explanations of values: what was counted and what was left out and
why, the settings in force, where the rows came from, and what the value would be by the
other formulas in use. Nothing that `measure` would hide.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.centre import settings
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import calibration_metrics, populations, publication, statements
from qa_core.metrics.kpi.freshness import find_freshness
from qa_core.metrics.kpi.measure import beside_the_lake, build_query, find_rows, vary
from qa_core.metrics.kpi.result_rows import Row
from qa_core.metrics.kpi.statements import MetricQuery, SettingsHistory
from qa_core.metrics.kpis import (
    ADVISOR_MEANS,
    CALLERS,
    LISTENING,
    MISSES,
    SELLING,
    FactTable,
    Kpi,
    periods,
)
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.editions import Edition
from qa_core.storage.records.imports import ImportBatch

VARIANTS: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "service_level": ("service_level_formula", settings.SERVICE_LEVEL_FORMULAS),
    "first_contact_resolution": ("first_contact_days", (1, 3, 7, 14, 30)),
}
"""KPIs that people count in several ways: the setting, and the values to set side by side."""

KINDS: Mapping[Permission, tuple[str, ...]] = {
    Permission.SEE_CALL_STATISTICS: ("contacts", "intervals"),
    Permission.SEE_SATISFACTION: ("contacts", "surveys"),
    Permission.SEE_TRACKING: ("contacts", "tracking", "spend"),
    Permission.SEE_SCORES: ("evaluations",),
    Permission.SEE_CALIBRATIONS: (),
    Permission.SEE_TEAMS: ("contacts",),
}
"""What the KPIs that take a permission are made from."""


@dataclass(frozen=True)
class CountLine:
    """Rows left out for that reason; `title` is an English message of the catalogues."""

    code: str
    title: str
    n: int


@dataclass(frozen=True)
class InForce:
    """The value that a setting has within the period, and the first day from which it
    does (None: from the beginning, or asked for this once).
    """

    name: str
    value: Any
    since: date | None = None


@dataclass(frozen=True)
class DataSource:
    """A system and what came from it: `rows` of what is explained (None where they are
    not given), batches that reach into the period, when something came last and the
    newest contact or day, both by the centre's clock.
    """

    system: str
    kind: str
    rows: int | None
    batches: int
    imported_at: datetime
    newest: datetime | date | None


@dataclass(frozen=True)
class Variant:
    """Value of a KPI under another value of a setting, for the whole period."""

    value: Any
    row: Row
    is_in_force: bool


@dataclass(frozen=True)
class Explanation:
    """One value and what it rests on.

    `rows`: as `measure` gives them, one but where several currencies occur. `excluded`,
    `counted` and `from_totals` (contacts that only totals by interval know) add up to
    `universe`; the last two to n. Executives are not given reasons and variants, which
    no published table holds (`is_hidden`): the numbers are None. Their value is the published one
    (`is_published`). Nobody is given the reasons of a value that needs contacts they do not see.
    """

    key: str
    where: Filters
    rows: tuple[Row, ...]
    universe: int | None
    counted: int | None
    from_totals: int
    excluded: tuple[CountLine, ...]
    is_hidden: bool
    is_published: bool
    settings: tuple[InForce, ...]
    sources: tuple[DataSource, ...]
    varied_setting: str | None
    variants: tuple[Variant, ...]

    @property
    def kpi(self) -> Kpi:
        return declared.get_kpi(self.key)

    @property
    def row(self) -> Row:
        return self.rows[0]

    @property
    def contacts_behind(self) -> str | None:
        """KPI whose list of contacts shows what is counted here; None: not counted one by one."""
        return {FactTable.CONTACTS: self.kpi.key, FactTable.MISSED: "missed"}.get(self.kpi.subject)

    def as_json(self) -> dict[str, Any]:
        """Return the explanation for scripts: codes, numbers, variants as in `kpi --json`."""
        return {
            "kpi": self.key,
            "universe": self.universe,
            "counted": self.counted,
            "from_totals": self.from_totals,
            "excluded": [{"code": line.code, "n": line.n} for line in self.excluded],
            "hidden": self.is_hidden,
            "settings": [
                {"name": entry.name, "value": entry.value, "since": _iso(entry.since)}
                for entry in self.settings
            ],
            "sources": [
                {
                    "system": source.system,
                    "kind": source.kind,
                    "rows": source.rows,
                    "batches": source.batches,
                }
                | {"imported_at": source.imported_at.isoformat(), "newest": _iso(source.newest)}
                for source in self.sources
            ],
            "variants": [
                {
                    str(self.varied_setting): variant.value,
                    "value": variant.row.value,
                    "n": variant.row.n,
                    "in_force": variant.is_in_force,
                }
                for variant in self.variants
            ],
        }


def explain(
    viewer: Viewer, kpi: str, where: Filters = Filters(), overrides: Mapping[str, str] | None = None
) -> Explanation:
    """Explain a KPI over a period and filters, in `viewer`'s scope. Raises as `measure`."""
    declaration = declared.get_kpi(kpi)
    is_hidden = viewer.needs_suppression
    if is_hidden:
        where = publication.close_period(where)
    setting, values = (None, ()) if is_hidden else VARIANTS.get(declaration.key, (None, ()))
    in_force = find_settings(viewer, declaration, where.period, overrides or {})
    now = [entry.value for entry in in_force if entry.name == setting]
    values = tuple(sorted({*values, *now})) if setting and isinstance(values[0], int) else values
    variants = [
        vary(declaration, f"{declaration.key}_{position}", str(setting), value)
        for position, value in enumerate(values)
    ]
    all_rows = find_rows(viewer, [declaration, *variants], where, overrides)
    rows = tuple(
        sorted(
            (row for row in all_rows if row.kpi == declaration.key),
            key=lambda row: str(row.by.get("currency") or "~"),
        )
    )
    by_key = {row.kpi: row for row in all_rows}
    outcomes = [
        Variant(value, by_key[variant.key], now == [value])
        for value, variant in zip(values, variants, strict=True)
    ]
    is_hidden = is_hidden or populations.is_out_of_scope(rows[0])
    counts, systems = {}, {}
    if not is_hidden:
        counts, systems = _count(build_query(viewer, (), where, overrides), declaration)
    lines = () if is_hidden else _lines(declaration, counts, rows[0])
    of_rows = None if is_hidden else _count_rows(declaration, rows, counts)
    totals = int(rows[0].n or 0) - of_rows if of_rows is not None and declaration.sums else 0
    return Explanation(
        declaration.key,
        where,
        rows,
        None if of_rows is None else of_rows + totals + sum(line.n for line in lines),
        of_rows,
        totals,
        lines,
        is_hidden,
        viewer.needs_suppression,
        in_force,
        _find_sources(viewer, declaration, where.period, None if is_hidden else systems),
        setting,
        tuple(outcomes),
    )


def _count_rows(kpi: Kpi, rows: tuple[Row, ...], counts: Mapping[int, int]) -> int:
    """Count the rows counted; customers and entries of spend by the rows, which count each once."""
    if kpi.key == "spend":
        return sum(int(row.n or 0) for row in rows)
    return int(rows[0].n or 0) if _counts_once(kpi) else counts.get(len(kpi.exclusions), 0)


def _counts_once(kpi: Kpi) -> bool:
    return kpi.subject != FactTable.CALIBRATED and any(
        exclusion.rows is None for exclusion in kpi.exclusions
    )


def _lines(kpi: Kpi, counts: Mapping[int, int], row: Row) -> tuple[CountLine, ...]:
    places = dict(counts)
    if _counts_once(kpi):
        places[len(kpi.exclusions) - 1] = counts.get(len(kpi.exclusions), 0) - int(row.n or 0)
    return tuple(
        CountLine(exclusion.code, exclusion.title, places.get(position, 0))
        for position, exclusion in enumerate(kpi.exclusions)
    )


def _count(question: MetricQuery, kpi: Kpi) -> tuple[dict[int, int], dict[str, int]]:
    """Count the rows that each exclusion leaves out, by its place (one past the last:
    counted), and how many come from each system.
    """
    if kpi.key == "spend":
        return {}, {}
    if kpi.subject == FactTable.CALIBRATED:
        return calibration_metrics.count_places(question, kpi), {}
    source, columns, finish = _universe(question, kpi)
    place = _place(question, kpi, columns).label("place")
    system = (
        columns.source_system.label("system")
        if source is not ADVISOR_MEANS
        else sa.cast(sa.null(), sa.Text).label("system")
    )
    statement = finish(
        statements.select_groups([place, system], [sa.func.count().label("n")]).select_from(source)
    )
    counts: dict[int, int] = {}
    systems: dict[str, int] = {}
    for record in _run(question, kpi, statement):
        counts[int(record["place"])] = counts.get(int(record["place"]), 0) + int(record["n"])
        systems[record["system"]] = systems.get(record["system"], 0) + int(record["n"])
    return counts, systems


def _run(question: MetricQuery, kpi: Kpi, statement: Scoped) -> list[dict[str, Any]]:
    subject = FactTable.CONTACTS if kpi.subject == FactTable.SPEND else kpi.subject
    months = statements.months_of(question, subject)
    beside = beside_the_lake(subject, **months)
    return engine.current().run(statement, beside, **months).to_dict("records")


def _universe(
    question: MetricQuery, kpi: Kpi
) -> tuple[sa.FromClause, Any, Callable[[sa.Select], Scoped]]:
    """Return all rows a KPI looks at, their columns, and what completes a statement on them."""
    if kpi.subject == FactTable.MISSED:
        misses = statements.misses_of(question, with_repeated=True)
        conditions = statements.conditions_on(question, MISSES.c)
        return (
            MISSES,
            MISSES.c,
            lambda statement: Scoped(statement.where(*conditions).add_cte(misses), question.viewer),
        )
    if kpi.subject == FactTable.CUSTOMERS:
        callers = statements.callers_of(question, statements.conditions_on(question))
        return (
            CALLERS,
            CALLERS.c,
            lambda statement: statements.with_callers(question, statement, callers),
        )
    if kpi.subject == FactTable.LISTENED:
        listened_contacts = statements.listening_of(question)
        return (
            LISTENING,
            LISTENING.c,
            lambda statement: Scoped(statement.add_cte(listened_contacts), question.viewer),
        )
    if kpi.subject == FactTable.SELLING:
        return SELLING, SELLING.c, functools.partial(statements.with_selling, question)
    if kpi.subject == FactTable.RETURNS:
        complete = functools.partial(statements.with_returns, question)
        return statements.WITH_RETURNS, CONTACTS.c, complete
    if kpi.subject == FactTable.EVALUATION_ANSWERS:
        return statements.evaluations_of(
            question, with_errors=kpi.key.startswith("critical_accuracy")
        )
    if kpi.subject == FactTable.ADVISORS:
        means = statements.advisor_means_of(question)
        return (
            ADVISOR_MEANS,
            ADVISOR_MEANS.c,
            lambda statement: statements.with_means(statement, means),
        )
    return (
        CONTACTS,
        CONTACTS.c,
        lambda statement: Scoped(
            statement.where(*statements.conditions_on(question)), question.viewer
        ),
    )


def _place(question: MetricQuery, kpi: Kpi, columns: Any) -> sa.ColumnElement[int]:
    """Return the place of a row's first exclusion, by the settings of the row's own day."""
    runs = statements.changes_of(question.pieces, kpi.settings)
    tests = []
    for position, exclusion in enumerate(kpi.exclusions):
        if exclusion.rows is not None:
            predicates = [exclusion.rows(question.current_inputs(settings)) for _, settings in runs]
            clock = columns.local_start if len(runs) > 1 else None  # not every table has one
            test = statements.case_by_date(runs, predicates, clock)
            tests.append((test, sa.literal_column(str(position))))
    last = sa.literal_column(str(len(kpi.exclusions)))
    return sa.case(*(tests or [(sa.true(), last)]), else_=last)


def find_settings(
    viewer: Viewer, kpi: Kpi, period: Period, overrides: Mapping[str, str]
) -> tuple[InForce, ...]:
    """Find the settings that change a KPI, as they follow each other in the period. An
    executive gets those in force when each month was published.
    """
    with store.reading() as session:
        pieces = _find_published_settings(session, period) if viewer.needs_suppression else ()
        pieces = pieces or settings.find_settings_history(session)
    entries = []
    for name in kpi.settings:
        if name in overrides:
            entries.append(InForce(name, settings.get_setting(name).parse(overrides[name])))
            continue
        runs = statements.pieces_within(statements.changes_of(pieces, (name,)), period)
        entries += [InForce(name, getattr(values, name), first_day) for first_day, values in runs]
    return tuple(entries)


def _find_published_settings(session: store.Session, period: Period) -> SettingsHistory:
    pieces: list[tuple[date | None, settings.Settings]] = []
    moments = sa.select(Edition.month, sa.func.max(Edition.published_at)).group_by(Edition.month)
    for month, published_at in session.execute(moments.order_by(Edition.month)):
        days = periods.period_of("month", month)
        if period.meets(days.first_day, days.last_day):
            history = settings.find_settings_history(session, published_at)
            for first_day, values in statements.pieces_within(history, days):
                is_later = pieces and (first_day is None or first_day < days.first_day)
                pieces.append((days.first_day if is_later else first_day, values))
    return tuple(pieces)


def _find_sources(
    viewer: Viewer, kpi: Kpi, period: Period, systems: Mapping[str, int] | None
) -> tuple[DataSource, ...]:
    """Find where the rows come from: systems with contacts among them, counted where known;
    else those with an import of the period.
    """
    kinds = [kind for kind in KINDS[kpi.needs] if kind != "intervals" or kpi.sums]
    overlap = (
        [sa.or_(ImportBatch.first_day.is_(None), ImportBatch.first_day <= period.last_day)]
        if period.last_day
        else []
    )
    overlap += (
        [sa.or_(ImportBatch.last_day.is_(None), ImportBatch.last_day >= period.first_day)]
        if period.first_day
        else []
    )
    batch_counts = sa.select(ImportBatch.system, ImportBatch.kind, sa.func.count()).where(
        ImportBatch.state == "done", ImportBatch.kind.in_(kinds), *overlap
    )
    with store.reading() as session:
        batches = {
            (system, kind): n
            for system, kind, n in session.execute(
                batch_counts.group_by(ImportBatch.system, ImportBatch.kind)
            )
        }
    data_sources = []
    for source in find_freshness(viewer):
        if source.kind not in kinds:
            continue
        rows, imports = None, batches.get((source.system, source.kind), 0)
        if source.kind == "contacts" and systems is not None:
            if source.system not in systems:
                continue
            rows = systems[source.system]
        elif not imports:
            continue
        data_sources.append(
            DataSource(
                source.system,
                source.kind,
                rows,
                imports,
                source.imported_at,
                source.newest,
            )
        )
    return tuple(sorted(data_sources, key=lambda source: (kinds.index(source.kind), source.system)))


def _iso(moment: date | None) -> str | None:
    return None if moment is None else moment.isoformat()
