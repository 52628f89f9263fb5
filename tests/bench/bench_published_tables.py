"""How long the tables that executives see take to be worked out, and how many of the
cells that are large enough they show. Prints; fails nothing.

With QA_HOME set to a centre that has data, that one is measured; else the demo centre is
made in a temporary folder first.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pandas as pd

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.metrics.kpi import editions
from qa_core.metrics.kpi.published_families import FAMILIES, dimensions_of, family_of
from qa_core.metrics.kpis import BY_KEY
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.records import store

AIM = 0.85
EXECUTIVE = Viewer("bench", Role.EXECUTIVE)
OF_NOBODY = ("average_time_to_abandon", "recovered_rate", "abandon_rate")
"""Families whose contacts no advisor took: who works there is behind them."""


def measure_time(where: Filters) -> None:
    """Work out the last month, and ask for one figure of each kind, twice."""
    month = f"{where.period.last_day:%Y-%m}"
    processor = time.process_time()
    editions.make_content(month, "bench")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"publishing {month}: {time.process_time() - processor:6.2f} s of processor, "
        f"at most {memory} MB in the process"
    )
    for kpi in ("received", "evaluations"):
        for name in ("first", "again"):
            wall, processor = time.perf_counter(), time.process_time()
            query.measure(EXECUTIVE, (kpi,), ("queue", "month"), where)
            print(
                f"{kpi:12s} {name:6s} {time.perf_counter() - wall:6.2f} s, "
                f"{time.process_time() - processor:6.2f} s of processor",
                flush=True,
            )


def count_shown(kpi: str, dimension: str | None, where: Filters) -> pd.Series:
    """Count the cells of one table by month: those large enough, and of them those shown."""
    cut = (dimension, "month") if dimension else ("month",)
    whole = query.measure(Viewer.SYSTEM, (kpi,), (*cut, "advisor"), where)
    whole = whole[whole["n"] > 0].fillna(dict.fromkeys(cut, "-"))
    cells = whole.groupby(list(cut)).agg(n=("n", "sum"), who=("advisor", "nunique"))
    large = (cells["n"] >= MINIMUM_CONTACTS) & (
        (cells["who"] >= MINIMUM_ADVISORS) | (kpi in OF_NOBODY)
    )
    seen = query.measure(EXECUTIVE, (kpi,), cut, where)
    seen = seen.fillna(dict.fromkeys(cut, "-")).set_index(list(cut))
    is_shown = (seen["status"] != "suppressed").reindex(cells.index, fill_value=False)
    return pd.Series({"cells": len(cells), "large": large.sum(), "shown": (large & is_shown).sum()})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("QA_HOME", folder)
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        editions.publish(Viewer.SYSTEM)
        first_day, last_day = query.data_span(EXECUTIVE)
        where = Filters(Period(first_day.replace(day=1), last_day))
        measure_time(where)
        counted = {
            (family.kpi, dimension): count_shown(family.kpi, dimension, where)
            for families in FAMILIES.values()
            for family in families
            if family.key == family_of(family.kpi) and "advisor" in BY_KEY[family.kpi].dimensions
            for dimension in (None, *dimensions_of(family))
        }
        found = pd.DataFrame(counted).T
        for name, level in (("KPI", 0), ("dimension", 1)):
            print(f"\n{'shown of large':>40s} {'large':>7s} {'cells':>7s}   by {name}")
            for key, row in found.groupby(level=level, dropna=False).sum().iterrows():
                share = row["shown"] / row["large"] if row["large"] else float("nan")
                print(f"{key!s:32s} {share:7.1%} {row['large']:7.0f} {row['cells']:7.0f}")
        total = found.sum()
        print(
            f"\nshown: {total['shown']:.0f} of {total['large']:.0f} large enough "
            f"({total['shown'] / total['large']:.1%}; aim: {AIM:.0%})"
        )


if __name__ == "__main__":
    main()
