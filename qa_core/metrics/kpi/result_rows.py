"""From sums to rows: value, interval, status and notes (docs/contract.md, section 5)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from qa_core import stats
from qa_core.metrics.kpis import BY_KEY, Kpi, KpiKind

SMALL_SAMPLE = 30
NUMBERS = (
    "value", "numerator", "denominator", "n", "low", "high", "pending", "unknown_identity", "p50",
    "p90", "p95",
)  # fmt: skip
COLUMNS = (
    "kpi", "value", "numerator", "denominator", "n", "low", "high", "status", "pending",
    "unknown_identity", "p50", "p90", "p95", "notes",
)  # fmt: skip
MAX_UNKNOWN_OUTCOMES = 0.01
"""Share of contacts with an unknown outcome beyond which a rate has no data."""
WITHOUT_COUNT = ("component_missing", "from_totals", "definition_changed", "mixed_handling")
PERCENTILES = (0.5, 0.9, 0.95)
BEFORE = ("value", "n", "low", "high", "status")


@dataclass
class Row:
    """One KPI in one group; None is missing, or not applicable."""

    kpi: str
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    n: int | None = 0
    low: float | None = None
    high: float | None = None
    status: str = "no_data"
    pending: int | None = None
    unknown_identity: int | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    deviation: float | None = None
    notes: tuple[str, ...] = ()
    by: dict[str, Any] = field(default_factory=dict)

    def suppress(self) -> None:
        """Hide every number, and what could tell one."""
        self.withhold("suppressed")

    def withhold(self, status: str, *notes: str) -> None:
        """Take out every number; the status and the notes say why."""
        for name in NUMBERS:
            setattr(self, name, None)
        self.deviation, self.status, self.notes = None, status, notes


def read_row(kpi: Kpi, sums: Mapping[str, Any]) -> Row:
    """Read one KPI from the sums of one group (empty: a group without rows)."""

    def get(suffix: str) -> Any:
        value = sums.get(f"{kpi.key}__{suffix}")
        return None if value is None or value != value else value

    row = Row(kpi.key, n=int(get("n") or 0))
    for name in kpi.excluded_counts:
        setattr(row, name, int(get(name) or 0))
    row.notes = tuple(_notes(kpi, sums))
    required_rows = row.n if get("required_rows") is None else get("required_rows")
    unknown = get("note:outcome_unknown") or 0
    if not kpi.is_amount and unknown > MAX_UNKNOWN_OUTCOMES * (row.n + unknown):
        required_rows = 0
    match kpi.kind:
        case _ if kpi.is_amount:
            if required_rows:
                row.value = row.numerator = row.n if get("sum") is None else float(get("sum"))
        case KpiKind.MEAN:
            row.denominator = row.n
            if row.n:
                row.numerator, row.deviation = float(get("sum")), get("deviation")
                row.value = row.numerator / row.n
                row.low, row.high = stats.mean_interval(row.value, row.deviation, row.n) or (
                    None,
                    None,
                )
                histogram = sums.get(f"{kpi.key}__histogram")
                if isinstance(histogram, Mapping):
                    row.p50, row.p90, row.p95 = stats.percentiles(histogram, PERCENTILES)
        case KpiKind.STATISTIC:
            row.denominator = row.n
            if row.n:
                up, down = int(get("hits")), int(get("negative"))
                row.numerator, row.value = up - down, 100 * (up - down) / row.n
                row.low, row.high = stats.nps_interval(up, row.n - up - down, down)
        case _:
            row.denominator = row.n
            if row.n and required_rows:
                row.numerator = int(get("hits"))
                row.value = row.numerator / row.n
                row.low, row.high = stats.wilson(row.numerator, row.n)
    finish_row(row)
    return row


def finish_row(row: Row) -> None:
    """Set the status: the first that applies (suppression is decided elsewhere)."""
    if row.value is not None:
        row.status = "small_sample" if row.n < SMALL_SAMPLE else "ok"
    else:
        row.status = "pending" if row.pending else "no_data"


def _notes(kpi: Kpi, sums: Mapping[str, Any]) -> list[str]:
    start, notes = f"{kpi.key}__note:", []
    for name, count in sums.items():
        if name.startswith(start) and count and count == count:
            code = name[len(start) :]
            notes.append(code if code.startswith(WITHOUT_COUNT) else f"{code}:{int(count)}")
    return notes


def to_frame(rows: Sequence[Row], by: Sequence[str], kpis: Sequence[Kpi]) -> pd.DataFrame:
    """Build the long format, sorted by the groups (missing last), then by the KPIs as asked."""
    order = {kpi.key: position for position, kpi in enumerate(kpis)}
    dimensions = [*by, *(["currency"] if any("currency" in row.by for row in rows) else [])]
    lines = sorted(
        rows,
        key=lambda row: (
            *(
                (row.by.get(name) is None and name in row.by, _sortable(row.by.get(name)))
                for name in dimensions
            ),
            order[row.kpi],
        ),
    )
    data: dict[str, list[Any]] = {name: [row.by.get(name) for row in lines] for name in dimensions}
    data |= {name: [getattr(row, name) for row in lines] for name in (*COLUMNS, "deviation")}
    # Numbers as arrays: a series takes several times as long.
    return pd.DataFrame(
        {
            name: np.array(values, dtype=float)
            if name in NUMBERS or name == "deviation"
            else pd.Series(values, dtype=object)
            for name, values in data.items()
        }
    )


def _sortable(value: Any) -> Any:
    # Text by itself; whole numbers and dates in their own order; only one kind stands
    # in a column.
    return value if value is not None else ""


def to_json(frame: pd.DataFrame, by: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Write the rows of docs/contract.md, section 5; counts are whole, nothing is rounded."""
    dimensions = [*by, *(["currency"] if "currency" in frame.columns else [])]
    records = []
    for record in frame.to_dict("records"):
        kpi = BY_KEY[record["kpi"]]
        row: dict[str, Any] = {
            "by": {
                name: _json(record[name])
                for name in dimensions
                if name != "currency" or kpi.unit == "money"
            },
            "kpi": kpi.key,
            "value": _whole(record["value"]) if kpi.is_amount else _json(record["value"]),
            "numerator": _whole(record["numerator"])
            if kpi.kind in (KpiKind.TOTAL, KpiKind.RATIO, KpiKind.DISTINCT)
            else _json(record["numerator"]),
            "denominator": _whole(record["denominator"]),
            "n": _whole(record["n"]),
            "low": _json(record["low"]),
            "high": _json(record["high"]),
            "status": record["status"],
        }
        row |= {
            name: _whole(record[name])
            for name in ("pending", "unknown_identity")
            if record[name] == record[name]
        }
        if record["p50"] == record["p50"]:
            row["percentiles"] = {name: _json(record[name]) for name in ("p50", "p90", "p95")}
        if (previous := _json(record.get("previous_value"))) is not None:
            row["previous_value"] = previous
        if record["notes"]:
            row["notes"] = list(record["notes"])
        records.append(row)
    return records


def _json(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value.isoformat() if isinstance(value, date) else value


def _whole(value: Any) -> Any:
    value = _json(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value
