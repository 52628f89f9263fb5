"""How the thirty commonest questions of `measure` compare with SQL written by hand for
DuckDB on the same files, with pandas in memory, and with ClickHouse in its own format
(where `chdb` is installed). Prints processor seconds and ratios; fails nothing.

With QA_HOME set to a centre that has data, that one is asked; else the demo centre is
made in a temporary folder first. Each question is asked of an engine that was warmed by
another one; the median of three.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb
import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT
from qa_core.centre import settings
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.lake import month_sums
from qa_core.storage.records import store

REPEATS = 3
RECEIVED = "(direction = 'inbound' AND outcome <> 'closed')"
ANSWERED = "(direction = 'inbound' AND outcome = 'answered')"
COLUMNS = (
    "local_start", "direction", "channel", "queue", "reason", "advisor_id", "outcome",
    "wait_seconds", "talk_seconds", "hold_seconds", "wrap_seconds", "csat", "nps", "source",
    "has_customer", "seconds_to_next", "seconds_since_previous", "declared_resolved",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """KPIs that are asked together, and what is counted for them by hand."""

    kpis: tuple[str, ...]
    sums: tuple[str, ...]
    measured: str = ""
    """Time whose median, 90th and 95th percentile are asked for too."""


def build_groups() -> dict[str, Group]:
    with store.reading() as session:
        now = settings.current(session)
    within, window = now.service_level_seconds, now.first_contact_days * 86_400
    short = now.short_abandon_seconds
    lost = f"(direction = 'inbound' AND outcome = 'abandoned' AND wait_seconds > {short})"
    first = f"{ANSWERED} AND has_customer AND seconds_since_previous IS NULL"
    return {
        "volume": Group(
            ("received", "answered", "answer_rate"),
            (f"count(*) FILTER (WHERE {RECEIVED})", f"count(*) FILTER (WHERE {ANSWERED})"),
        ),
        "waiting": Group(
            ("service_level", "average_speed_of_answer", "abandon_rate"),
            (
                f"count(*) FILTER (WHERE {ANSWERED} AND wait_seconds <= {within})",
                f"count(*) FILTER (WHERE {ANSWERED})",
                f"count(*) FILTER (WHERE {lost})",
                f"sum(wait_seconds) FILTER (WHERE {ANSWERED})",
                f"count(wait_seconds) FILTER (WHERE {ANSWERED})",
                f"count(*) FILTER (WHERE {RECEIVED})",
            ),
            "wait_seconds",
        ),
        "handling": Group(
            ("average_handle_time",),
            (
                f"sum(talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_seconds, 0)) "
                f"FILTER (WHERE {ANSWERED})",
                f"count(talk_seconds) FILTER (WHERE {ANSWERED})",
            ),
            "talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_seconds, 0)",
        ),
        "satisfaction": Group(
            ("csat", "csat_mean", "nps"),
            (
                "count(*) FILTER (WHERE csat >= 4)",
                "count(csat)",
                "sum(csat)",
                "count(*) FILTER (WHERE nps >= 9)",
                "count(*) FILTER (WHERE nps <= 6)",
                "count(nps)",
            ),
        ),
        "first contact": Group(
            ("first_contact_resolution", "first_contact_resolution_declared"),
            (
                f"count(*) FILTER (WHERE {first})",
                f"count(*) FILTER (WHERE {first} AND seconds_to_next <= {window})",
                f"count(*) FILTER (WHERE {ANSWERED} AND declared_resolved)",
                f"count(declared_resolved) FILTER (WHERE {ANSWERED})",
            ),
        ),
        "attribution": Group(
            ("attribution_rate",),
            (
                f"count(*) FILTER (WHERE {RECEIVED})",
                f"count(source) FILTER (WHERE {RECEIVED})",
            ),
        ),
    }


def list_cuts(last: date) -> list[tuple[str, tuple[str, ...], Period]]:
    """List five cuts with their periods, as the pages ask for them."""
    month = Period(last - timedelta(days=27), last)
    quarter = Period(last - timedelta(days=90), last)
    return [
        ("28 days", (), month),
        ("28 days by queue", ("queue",), month),
        ("28 days by channel and day", ("channel", "day"), month),
        ("3 months by week", ("week",), quarter),
        ("all by month", ("month",), Period()),
    ]


HAND_KEYS = {
    "day": "CAST(local_start AS DATE)",
    "week": "date_trunc('week', local_start)",
    "month": "date_trunc('month', local_start)",
}


PERCENTILES = {
    "duckdb": "quantile_cont({time}, [0.5, 0.9, 0.95])",
    "clickhouse": "quantilesExactInclusive(0.5, 0.9, 0.95)({time})",
}


def write_sql(
    group: Group, by: tuple[str, ...], period: Period, relation: str, dialect: str = "duckdb"
) -> str:
    sums = list(group.sums)
    if group.measured:
        percentiles = PERCENTILES[dialect].format(time=group.measured)
        sums.append(f"{percentiles} FILTER (WHERE {ANSWERED})")
    keys = [HAND_KEYS.get(name, name) for name in by]
    condition = (
        f" WHERE local_start >= '{period.first_day} 00:00:00' AND local_start < "
        f"'{period.last_day + timedelta(days=1)} 00:00:00'"
        if period.is_bounded
        else ""
    )
    grouping = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, *sums])} FROM {relation}{condition}{grouping}"


def ask_pandas(frame: pd.DataFrame, name: str, by: tuple[str, ...], period: Period) -> pd.DataFrame:
    """Count the same with pandas: masks as columns, then one grouped sum."""
    if period.is_bounded:
        after = pd.Timestamp(period.last_day + timedelta(days=1))
        start = frame["local_start"]
        frame = frame[(start >= pd.Timestamp(period.first_day)) & (start < after)]
    inbound = frame["direction"] == "inbound"
    received, answered = (
        inbound & (frame["outcome"] != "closed"),
        inbound & (frame["outcome"] == "answered"),
    )
    counted: dict[str, pd.Series] = {"received": received, "answered": answered}
    if name == "waiting":
        counted |= {
            "within": answered & (frame["wait_seconds"] <= 20),
            "lost": inbound & (frame["outcome"] == "abandoned") & (frame["wait_seconds"] > 5),
            "wait": frame["wait_seconds"].where(answered),
            "known": answered & frame["wait_seconds"].notna(),
        }
    elif name == "handling":
        handled = frame["talk_seconds"] + frame["hold_seconds"].fillna(0)
        counted |= {"time": (handled + frame["wrap_seconds"].fillna(0)).where(answered)}
    elif name == "satisfaction":
        counted |= {
            "happy": frame["csat"] >= 4, "rated": frame["csat"].notna(), "csat": frame["csat"],
            "up": frame["nps"] >= 9, "down": frame["nps"] <= 6, "nps": frame["nps"].notna(),
        }  # fmt: skip
    elif name == "first contact":
        first = answered & frame["has_customer"] & frame["seconds_since_previous"].isna()
        counted |= {
            "first": first,
            "again": first & (frame["seconds_to_next"] <= 7 * 86_400),
            "declared": answered & frame["declared_resolved"].eq(True),
            "known": answered & frame["declared_resolved"].notna(),
        }
    elif name == "attribution":
        counted |= {"attributed": received & frame["source"].notna()}
    table = pd.DataFrame(counted)
    time_name = {"waiting": "wait", "handling": "time"}.get(name)
    if not by:
        if time_name:
            table[time_name].quantile([0.5, 0.9, 0.95])
        return table.sum().to_frame().T
    clock = {
        "day": lambda: frame["local_start"].dt.floor("D"),
        "week": lambda: frame["local_start"].dt.to_period("W"),
        "month": lambda: frame["local_start"].dt.to_period("M"),
    }
    keys = [clock[key]() if key in clock else frame[key] for key in by]
    grouped = table.groupby(keys, observed=True)
    if time_name:
        grouped[time_name].quantile([0.5, 0.9, 0.95])
    return grouped.sum()


def spend(work: Callable[[], object]) -> float:
    """Return the processor seconds of the work, of all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def repeat(work: Callable[[], object]) -> float:
    return statistics.median(spend(work) for _turn in range(REPEATS))


def megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def ask_fresh(group: Group, by: tuple[str, ...], period: Period) -> None:
    """Ask `measure` with no sums kept."""
    with tempfile.TemporaryDirectory() as folder, month_sums.use_folder(Path(folder)):
        query.measure(Viewer.SYSTEM, group.kpis, by, Filters(period))


def open_clickhouse(files: list[str], folder: str):
    """Open ClickHouse with the contacts in its own format, sorted by time; None without it."""
    try:
        from chdb import session
    except ImportError:
        return None
    opened = session.Session(folder)
    opened.query("CREATE DATABASE IF NOT EXISTS bench")
    columns = ", ".join(COLUMNS)
    union = " UNION ALL ".join(f"SELECT {columns} FROM file('{file}', Parquet)" for file in files)
    opened.query(
        "CREATE TABLE bench.contacts ENGINE = MergeTree ORDER BY local_start SETTINGS "
        f"allow_nullable_key = 1 AS {union}"
    )
    opened.query("OPTIMIZE TABLE bench.contacts FINAL")
    return opened


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        os.environ.setdefault("QA_HOME", temporary)
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        files = lake.files("contacts")
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True
        ).stdout.strip()
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, commit "
            f"{commit}, {lake.snapshot('contacts').rows:,} contacts"
        )
        last = lake.span()[1].date()
        groups = build_groups()
        questions = [
            (f"{name}, {title}", name, group, by, period)
            for name, group in groups.items()
            for title, by, period in list_cuts(last)
        ]
        connection = duckdb.connect()
        connection.execute(f"SET threads = {os.cpu_count()}")
        relation = f"read_parquet([{', '.join(repr(file) for file in files)}])"
        found: dict[str, dict[str, float]] = {}
        for title, _name, group, by, period in questions:
            statement = write_sql(group, by, period, relation)
            query.measure(Viewer.SYSTEM, group.kpis, by, Filters(period))
            found[title] = {
                "by hand": repeat(lambda s=statement: connection.execute(s).fetchall()),
                "fresh": repeat(lambda g=group, b=by, p=period: ask_fresh(g, b, p)),
                "kept": repeat(
                    lambda g=group, b=by, p=period: query.measure(
                        Viewer.SYSTEM, g.kpis, b, Filters(p)
                    )
                ),
            }
        ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        clickhouse = open_clickhouse(files, f"{temporary}/clickhouse")
        for title, _name, group, by, period in questions if clickhouse else ():
            statement = write_sql(group, by, period, "bench.contacts", "clickhouse")
            found[title]["clickhouse"] = repeat(lambda s=statement: clickhouse.query(s))
        before = megabytes()
        frame = connection.sql(f"SELECT {', '.join(COLUMNS)} FROM {relation}").to_arrow_table()
        data = frame.to_pandas(strings_to_categorical=True, self_destruct=True)
        del frame
        loaded = megabytes() - before
        for title, name, _group, by, period in questions:
            found[title]["pandas"] = repeat(
                lambda n=name, b=by, p=period: ask_pandas(data, n, b, p)
            )
        report(found)
        print(f"memory: measure and DuckDB by hand at most {ours:.0f} MB; pandas {loaded:.0f} MB")


def report(found: dict[str, dict[str, float]]) -> None:
    columns = [name for name in ("by hand", "fresh", "kept", "pandas", "clickhouse")
               if name in next(iter(found.values()))]  # fmt: skip
    print(f"{'processor milliseconds':36}" + "".join(f"{name:>11}" for name in columns))
    for title, spent in found.items():
        print(f"{title:36}" + "".join(f"{spent[name] * 1000:11.0f}" for name in columns))
    for name in ("by hand", "pandas", "clickhouse"):
        if name in columns:
            for way in ("fresh", "kept"):
                ratios = [spent[way] / max(spent[name], 1e-4) for spent in found.values()]
                print(
                    f"{way} against {name}: median {statistics.median(ratios):.2f} ×, largest "
                    f"{max(ratios):.2f} ×, over 2 ×: {sum(ratio > 2 for ratio in ratios)}"
                )


if __name__ == "__main__":
    main()
