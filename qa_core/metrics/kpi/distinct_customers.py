"""Distinct customers under several cuts at once: a customer's rows are read once, and counted
cut by cut. An engine would keep every customer once for each cut and number.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.storage import engine, lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

CONTACTS_AT_ONCE = 200_000
"""Contacts whose customers are counted in one part: memory holds their rows."""
CUSTOMER = "customer_number"


def find_records(
    question: MetricQuery, build: Callable[[MetricQuery], Scoped], **months: str | None
) -> list[dict[str, Any]]:
    """Find what the statement that `build` makes finds under the cuts of the question. All its
    columns but the groups are numbers of rows, and of customers.
    """
    parts = 1 + count_contacts(question) // CONTACTS_AT_ONCE
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in range(parts):
        of_part = replace(question, cuts=(), customers=(part, parts))
        table = engine.encode_texts(engine.current().run(build(of_part), as_arrow=True, **months))
        for key, counts in _count(table.to_pandas(), question):
            sums = found.setdefault(key, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                sums[name] += count
    return [
        {f"by_{name}__out": int(name not in cut) for name in question.by}
        | {f"by_{name}": None for name in question.by}
        | {f"by_{name}": value for name, value in zip(cut, values, strict=True)}
        | counts
        for (cut, *values), counts in found.items()
    ]


def count_contacts(question: MetricQuery) -> int:
    """Count the contacts of the months that the period of the question lies in."""
    bounds = dimension_sql.months(question.where.period)
    first, last = bounds["first_month"] or "", bounds["last_month"] or "9999"
    parts = lake.snapshot(CONTACTS.name).parts
    return sum(part.rows for part in parts if first <= part.month <= last)


def _count(
    rows: pd.DataFrame, question: MetricQuery
) -> Iterator[tuple[tuple[Any, ...], dict[str, int]]]:
    """Count under each cut: the cut with the values of a group, and its numbers."""
    customer = pd.factorize(rows[CUSTOMER])[0]
    numbers = rows.drop(columns=[CUSTOMER, *(f"by_{name}" for name in question.by)])
    # Whether a customer counts is a truth value, or missing; rows are numbers.
    marks = {
        name: column.eq(True).to_numpy()
        for name, column in numbers.items()
        if not is_numeric_dtype(column) or is_bool_dtype(column)
    }
    values = {name: pd.factorize(rows[f"by_{name}"], use_na_sentinel=False) for name in question.by}
    for cut in question.cuts:
        group = np.zeros(len(rows), np.int64)
        for name in cut:
            codes, found = values[name]
            group = group * len(found) + codes
        group, groups = pd.factorize(group)
        counts = {}
        for name, column in numbers.items():
            if name in marks:
                used = marks[name] & (customer >= 0)
                pairs = pd.unique(group[used] * len(rows) + customer[used])
                counts[name] = np.bincount(pairs // len(rows), minlength=len(groups))
            else:
                counts[name] = np.bincount(group, column, len(groups))
        for place, code in enumerate(groups):
            key = []
            for name in reversed(cut):
                code, at = divmod(code, len(values[name][1]))
                value = values[name][1][at]
                key.append(None if pd.isna(value) else value)  # each NaN is another key
            yield (
                (cut, *reversed(key)),
                {name: int(count[place]) for name, count in counts.items()},
            )
