"""Check of a second engine: every KPI over every cut it allows, on DuckDB and on that engine,
cell by cell (docs/decisions/spark.md).
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import interval_totals, metric_query
from qa_core.metrics.kpi.data_span import find_span
from qa_core.metrics.kpi.measure import measure
from qa_core.metrics.kpi.result_rows import COLUMNS
from qa_core.metrics.kpis.dimensions import DIMENSIONS, Filters, Period
from qa_core.storage import engine
from qa_core.storage.lake import month_sums, scratch_folder
from qa_core.storage.spark import engine_checks

TIMES = 3
DAYS = 183
NEAR, NEAR_SPREAD = 1e-9, 1e-6
"""Largest distance between two equal figures, as a share: sums of fractions depend on their order.
Whole numbers must be the same.
"""
COMPARED = (*(name for name in COLUMNS if name != "kpi"), "deviation")
SPREADS = ("low", "high", "deviation")


@dataclass(frozen=True)
class Difference:
    """Cell in which the engines differ; None of a row that one of them has not."""

    kpi: str
    by: dict[str, str]
    column: str
    duckdb: Any
    engine: Any


@dataclass
class EngineCheck:
    """Result of a check: what was compared, for how long each engine worked, what differs."""

    host: str
    version: str
    cuts: int = 0
    cells: int = 0
    times: int = TIMES
    duckdb_seconds: float = 0.0
    engine_seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not self.differences


def describe_engine() -> str:
    """Describe the engine in use. Raises Refusal for one that is not believed or not there."""
    asked = engine.current()
    if not isinstance(asked, engine.SparkEngine):
        return "DuckDB"
    return f"Spark {asked.cluster.version}, {asked.cluster.host}"


def check_engine(
    viewer: Viewer, url: str, times: int = TIMES, days: int = DAYS, cuts: Sequence[str] = ()
) -> EngineCheck:
    """Measure every KPI over every cut it allows (default: all) in the last days of the data,
    once on DuckDB and `times` on the engine of that URL. A check of all cuts decides whether
    the engine is believed from then on.

    Raises Refusal for an empty lake and an engine that fails.
    """
    viewer.require(Permission.SEE_RULES)
    other = engine.SparkEngine(url, is_checked=False)
    span = find_span()
    if span is None:
        raise Refusal(
            "nothing_to_compare",
            "The lake is empty, so there is nothing to compare. Import contacts, or make the demo.",
        )
    period = Period(max(span[0], span[1] - timedelta(days=days)), span[1])
    result = EngineCheck(other.cluster.host, other.cluster.version, times=times)
    wanted = cuts or ("", *(dimension.key for dimension in DIMENSIONS))
    for cut in wanted:
        keys = [kpi.key for kpi in declared.ALL if not cut or cut in kpi.dimensions]
        by = (cut,) if cut else ()
        expected, seconds = _measure(engine.make_duckdb(), viewer, keys, by, period)
        result.duckdb_seconds += seconds
        for _ in range(times):
            measured, seconds = _measure(other, viewer, keys, by, period)
            result.engine_seconds += seconds
            result.differences += _compare(expected, measured)
        result.cuts += 1
        result.cells += len(expected) * len(COMPARED)
    if result.differences:
        engine_checks.forget(result.host)
    elif not cuts:
        engine_checks.record(result.host, result.version, result.cells)
    return result


def _measure(
    asked: engine.Engine, viewer: Viewer, keys: list[str], by: tuple[str, ...], period: Period
) -> tuple[dict[tuple[str, ...], dict[str, Any]], float]:
    """Measure on one engine, from the contacts alone: nothing kept is used. Returns the rows
    by KPI and group, and the seconds that it took.
    """
    kept = (metric_query.find_profile, interval_totals.find_counting, interval_totals.find_silent)
    for cache in kept:
        cache.cache_clear()
    started = time.monotonic()
    with engine.use_engine(asked), scratch_folder() as folder, month_sums.use_folder(folder):
        frame = measure(viewer, keys, by, Filters().with_period(period))
    for cache in kept:
        cache.cache_clear()
    places = [name for name in frame.columns if name not in COMPARED]
    rows = {
        tuple(f"{name}={row[name]}" for name in places): row for row in frame.to_dict("records")
    }
    return rows, time.monotonic() - started


def _compare(
    expected: dict[tuple[str, ...], dict[str, Any]], measured: dict[tuple[str, ...], dict[str, Any]]
) -> Iterator[Difference]:
    for cell in dict.fromkeys((*expected, *measured)):
        row, other = expected.get(cell, {}), measured.get(cell, {})
        names = dict(part.split("=", 1) for part in cell)
        kpi = names.pop("kpi")
        for column in COMPARED:
            if not _is_same(column, row.get(column), other.get(column)):
                yield Difference(kpi, names, column, row.get(column), other.get(column))


def _is_same(column: str, value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        if math.isnan(value) or math.isnan(other) or (value.is_integer() and other.is_integer()):
            return value == other or (math.isnan(value) and math.isnan(other))
        near = NEAR_SPREAD if column in SPREADS else NEAR
        return math.isclose(value, other, rel_tol=near, abs_tol=near)
    return value == other
