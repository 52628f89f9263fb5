"""A real cluster of two workers: every KPI and list as DuckDB has them, and what is said
where a worker, the server or a file is lost.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from builders import spark_cluster
from builders.centres import ENVIRONMENT
from builders.spark_cluster import SparkCluster

from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT
from qa_core.base.errors import Refusal
from qa_core.metrics import engine_check, measure, query
from qa_core.metrics.kpi.data_span import find_span
from qa_core.metrics.kpi.evaluation_table import load
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.law import sampling_frame
from qa_core.metrics.rows import severity
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import ANSWERS, CONTACTS
from qa_core.storage.lake import month_sums
from qa_core.storage.records import store

SYSTEM = Viewer.SYSTEM
OBSTACLE = spark_cluster.find_obstacle()
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(OBSTACLE is not None, reason=f"No cluster: {OBSTACLE}"),
]


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qa_core", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1800)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A demo centre of four months, whose folder is QA_HOME."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))
        patch.setenv("QA_ENGINE_SECONDS", "600")
        made = run_command("demo", "--contacts", "4000", "--months", "4", "--advisors", "8")
        assert made.returncode == 0, made.stderr
        yield folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with spark_cluster.running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def spark(demo: Path, cluster: SparkCluster) -> engine.SparkEngine:
    return engine.SparkEngine(cluster.url, is_checked=False)


def describe_rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Rows in an order of their own, missing values as None."""
    rows = [
        tuple(
            None if not isinstance(value, dict | list) and pd.isna(value) else value
            for value in row
        )
        for row in frame.itertuples(index=False)
    ]
    return sorted(rows, key=repr)


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


class TwoEngines:
    """DuckDB, and beside it the cluster, which has to find the same rows; `count` statements."""

    def __init__(self, spark: engine.SparkEngine) -> None:
        self.duckdb, self.spark, self.count = engine.make_duckdb(), spark, 0

    def run(
        self, question: Scoped | Unscoped, arrow: Mapping[str, pa.Table] = {}, **options: Any
    ) -> pd.DataFrame:
        expected = self.duckdb.run(question, arrow, **options)
        if isinstance(expected, pa.Table):
            expected = expected.to_pandas(date_as_object=False)
        found = self.spark.run(question, arrow, **options)
        assert list(found.columns) == list(expected.columns)
        assert len(found) == len(expected), question.statement
        for one, other in zip(describe_rows(expected), describe_rows(found), strict=True):
            assert all(map(is_same, one, other)), (one, other)
        self.count += 1
        return expected


def test_the_command_finds_every_kpi_the_same_and_then_the_cluster_is_used(
    demo: Path, cluster: SparkCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_ENGINE_URL", cluster.url)
    month = ("kpi", "received", "average_handle_time", "--by", "queue", "--json")
    unchecked = run_command(*month)
    assert unchecked.returncode == 1
    assert json.loads(unchecked.stdout)["error"]["options"] == ["python -m qa_core engine check"]

    check = run_command("engine", "check", "--times", "2", "--days", "75", "--json")
    result = json.loads(check.stdout)
    assert (check.returncode, result["differences"]) == (0, []), check.stderr
    assert result["cuts"] > 25

    answered = run_command(*month)
    monkeypatch.delenv("QA_ENGINE_URL")
    assert answered.returncode == 0, answered.stderr
    expected, found = (
        [{**row, "percentiles": None, **(row.get("percentiles") or {})} for row in rows]
        for rows in (
            json.loads(output)["rows"] for output in (run_command(*month).stdout, answered.stdout)
        )
    )
    assert [row["by"] for row in found] == [row["by"] for row in expected] != []
    for one, other in zip(expected, found, strict=True):
        assert all(is_same(one[name], other[name]) for name in one), (one, other)


def test_a_cluster_whose_files_hold_something_else_is_refused_with_both_values(
    demo: Path, cluster: SparkCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    shutil.copytree(demo / "lake", tmp_path / "lake")
    newest = max((tmp_path / "lake" / "contacts").glob("month=*"))
    for file in newest.glob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        place = table.column_names.index("transfers")
        counts = [None if count is None else 9 for count in table["transfers"].to_pylist()]
        changed = table.set_column(place, "transfers", pa.array(counts, pa.int32()))
        pq.write_table(changed, file)
    monkeypatch.setenv("QA_ENGINE_LAKE_URL", str(tmp_path / "lake"))
    result = engine_check.check_engine(SYSTEM, cluster.url, times=1, cuts=("channel",))

    assert {one.kpi for one in result.differences} == {"transfer_rate"}
    assert all("channel" in one.by for one in result.differences)


EXPLAINED = ("service_level", "returning_callers", "recovered_rate", "evaluation_score")
LISTS: dict[str, Callable[[Period], Any]] = {
    "contacts": lambda period: query.find_contacts(SYSTEM, where=Filters().with_period(period)),
    "chains": lambda period: query.find_chains(SYSTEM, Filters().with_period(period)),
    "remarks": lambda period: query.find_remarks(SYSTEM, Filters().with_period(period)),
    "drivers": lambda period: query.find_drivers(SYSTEM, Filters().with_period(period)),
    "freshness": lambda period: query.find_freshness(SYSTEM),
    "advisors": lambda period: query.find_advisors(SYSTEM, period),
    "adjusted": lambda period: severity.find_adjusted_scores(SYSTEM, Filters().with_period(period)),
    "frame": lambda period: sampling_frame.find_frame(
        SYSTEM, sampling_frame.FrameQuery(period, strata=("channel", "weekday"))
    ),
    "explained": lambda period: [
        query.explain(SYSTEM, key, Filters().with_period(period)) for key in EXPLAINED
    ],
}


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_the_same(spark: engine.SparkEngine, name: str) -> None:
    last_day = find_span()[1]
    asked = TwoEngines(spark)
    with engine.use_engine(asked):
        LISTS[name](Period(last_day - timedelta(days=27), last_day))

    assert asked.count


def test_no_name_of_a_person_reaches_the_cluster(spark: engine.SparkEngine) -> None:
    with store.reading() as session:
        answers = load(session)
    evaluators = set(answers["evaluator"].to_pylist())
    statement = sa.select(ANSWERS.c.evaluator, sa.func.count().label("n"))
    statement = statement.where(ANSWERS.c.evaluator.in_(evaluators)).group_by(ANSWERS.c.evaluator)
    found = spark.run(Unscoped(statement, "a test reads all rows"), {"answers": answers})
    assert set(found["evaluator"]) == evaluators
    [upload] = spark.cluster._session.uploads.values()
    sent = spark.cluster._session.spark.table(upload.view).toArrow()

    assert sent.num_rows == answers.num_rows
    assert all(text.startswith("sealed:") for text in sent["evaluator"].to_pylist())


def ask(asked: engine.Engine, folder: Path) -> list[dict[str, Any]]:
    """A few KPIs, from the contacts alone."""
    keys = ("received", "average_handle_time", "returning_callers", "evaluation_score")
    with engine.use_engine(asked), month_sums.use_folder(folder):
        return measure(SYSTEM, keys, ("month",))[["kpi", "month", "n"]].to_dict("records")


def test_a_worker_killed_in_the_middle_changes_no_figure(
    spark: engine.SparkEngine, cluster: SparkCluster, tmp_path: Path
) -> None:
    expected = ask(engine.make_duckdb(), tmp_path / "duckdb")
    killer = threading.Timer(0.5, cluster.kill, ["worker-1"])
    killer.start()
    found = [ask(spark, tmp_path / f"spark-{number}") for number in range(3)]
    killer.join()

    assert found == [expected] * 3


def test_a_question_that_takes_too_long_is_stopped_and_the_next_one_answered(
    spark: engine.SparkEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = CONTACTS.alias("one"), CONTACTS.alias("two")
    three = sa.select(CONTACTS).limit(300).subquery()
    slow = sa.select(sa.func.sum(one.c.wait_seconds * two.c.wait_seconds * three.c.wait_seconds))
    count = Unscoped(sa.select(sa.func.count().label("n")).select_from(CONTACTS), "a test")
    spark.run(count)
    monkeypatch.setenv("QA_ENGINE_SECONDS", "1")
    with pytest.raises(Refusal) as refusal:
        spark.run(Unscoped(slow, "a test"))
    assert refusal.value.code == "engine_slow"

    monkeypatch.setenv("QA_ENGINE_SECONDS", "600")
    assert spark.run(count).equals(engine.make_duckdb().run(count))


def test_files_that_the_cluster_does_not_find_are_said(
    spark: engine.SparkEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_ENGINE_LAKE_URL", "/nowhere")
    count = Unscoped(sa.select(sa.func.count()).select_from(CONTACTS), "a test")
    with pytest.raises(Refusal) as refusal:
        spark.run(count)

    assert refusal.value.code == "engine_unreadable"


def test_a_server_that_is_lost_is_said_and_asked_again_when_it_is_back(
    spark: engine.SparkEngine, cluster: SparkCluster
) -> None:
    count = Unscoped(sa.select(sa.func.count().label("n")).select_from(CONTACTS), "a test")
    expected = spark.run(count)
    cluster.kill("server")
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            spark.run(count)
        assert refusal.value.code == "engine_unreachable"
        assert cluster.url.removeprefix("sc://") in str(refusal.value)

    cluster.start_server()
    assert spark.run(count).equals(expected)
