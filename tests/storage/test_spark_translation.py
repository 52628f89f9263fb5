"""Statements for Spark: what is rewritten, what is refused, and every statement that KPIs
make; without a cluster.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from builders.centres import land, land_spend
from builders.long_seeds import leave_to_long
from builders.random_centre import make_contacts, make_evaluations

from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.centre import settings as declared_settings
from qa_core.metrics import kpis, measure
from qa_core.metrics.kpis.dimensions import DIMENSIONS
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.spark import engine_checks
from qa_core.storage.spark.cluster import seal_table
from qa_core.storage.spark.translation import Unsupported, translate


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        (
            "SELECT extract(epoch FROM a - b) FROM t",
            "SELECT (TIMESTAMPDIFF(MICROSECOND, b, a) / CAST(1000000 AS DOUBLE)) FROM t",
        ),
        ("SELECT extract(isodow FROM a) FROM t", "SELECT WEEKDAY(a) + 1 FROM t"),
        ("SELECT min_by(a, b, 3) FROM t", "SELECT MIN_BY(a, b, 3) FROM t"),
        (
            "SELECT histogram(CASE WHEN a > 0.5 THEN a END) FROM t",
            "SELECT HISTOGRAM_NUMERIC(CASE WHEN a > CAST(0.5 AS DOUBLE) THEN a END, 1000000) "
            "FROM t",
        ),
        (
            "SELECT grouping(a, b) FROM t GROUP BY GROUPING SETS ((a), (b))",
            "SELECT ((GROUPING(b) * 1) + (GROUPING(a) * 2)) FROM t "
            "GROUP BY GROUPING SETS ((a), (b))",
        ),
        (
            "SELECT regexp_full_match(a, '[0-9a-f]{32}') FROM t",
            "SELECT REGEXP_LIKE(a, '^(?:[0-9a-f]{32})$') FROM t",
        ),
        ("SELECT sha256(a) FROM t", "SELECT SHA2(a, 256) FROM t"),
        ("SELECT a / b FROM t", "SELECT a / b FROM t"),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a NULLS LAST"),
        ("SELECT a FROM t ORDER BY a DESC", "SELECT a FROM t ORDER BY a DESC"),
        (
            "SELECT count(*) FILTER (WHERE a IS NOT DISTINCT FROM b) FROM t",
            "SELECT COUNT(*) FILTER(WHERE a IS NOT DISTINCT FROM b) FROM t",
        ),
    ],
)
def test_what_spark_calls_otherwise_is_rewritten(duckdb: str, spark: str) -> None:
    assert translate(duckdb, [], {}) == spark


def test_parameters_are_written_in_their_type() -> None:
    moment, day = datetime(2026, 3, 29, 2, 30), date(2026, 3, 29)
    values = [moment, day, timedelta(days=7), "L'Oréal", 1e-05, 3, True, None]
    places = ", ".join(f"${place}" for place in range(1, 9))

    assert translate(f"SELECT {places}", values, {}) == (
        "SELECT CAST('2026-03-29 02:30:00' AS TIMESTAMP_NTZ), CAST('2026-03-29' AS DATE), "
        "INTERVAL '604800.000000' SECOND, 'L\\'Oréal', CAST(1e-05 AS DOUBLE), 3, TRUE, NULL"
    )


def test_the_views_of_a_question_go_in_front_of_its_own() -> None:
    statement = "WITH own AS (SELECT * FROM contacts) SELECT count(*) FROM own"

    assert translate(statement, [], {"contacts": 'SELECT "team" FROM "files"'}) == (
        "WITH `contacts` AS (SELECT `team` FROM `files`), own AS (SELECT * FROM contacts) "
        "SELECT COUNT(*) FROM own"
    )


def test_a_name_is_compared_by_its_token_alone() -> None:
    sealed = {"evaluator": lambda text: f"token of {len(text)}"}
    statement = "SELECT evaluator FROM t WHERE evaluator IN ($1, $2) AND team = $1"

    assert translate(statement, ["eve", "simone"], {}, sealed) == (
        "SELECT evaluator FROM t WHERE evaluator IN ('token of 3', 'token of 6') AND team = 'eve'"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT lower(evaluator) FROM t",
        "SELECT max(evaluator) FROM t",
        "SELECT a FROM t ORDER BY evaluator",
        "SELECT evaluator || a FROM t",
        "SELECT a FROM t WHERE evaluator = lower($1)",
        "SELECT a FROM t WHERE evaluator = a",
        "SELECT extract(epoch FROM a) FROM t",
        "SELECT $2",
    ],
)
def test_what_is_not_certain_to_mean_the_same_is_refused(statement: str) -> None:
    with pytest.raises(Unsupported):
        translate(statement, ["eve", b"bytes"], {}, {"evaluator": str.upper})


def test_names_of_people_and_free_texts_are_sealed_and_ids_are_not(centre: Path) -> None:
    table = pa.table(
        {
            "contact_id": ["c1", "c2", None],
            "team": ["Nord", None, "Sud"],
            "evaluator": pa.array(["Ève Roy", None, "Ève Roy"]).dictionary_encode(),
            "text": ["called Mme Petit back", "", None],
            "score": [1.0, 2.0, None],
        }
    )
    sent, texts = seal_table(table)

    for name in ("contact_id", "team", "score"):
        assert sent[name].equals(table[name])
    one, none, other = sent["evaluator"].to_pylist()
    assert (one, none) == (other, None)
    assert texts["evaluator"] == {one: "Ève Roy"}
    assert [texts["text"].get(token) for token in sent["text"].to_pylist()] == [
        "called Mme Petit back", "", None,
    ]  # fmt: skip
    for clear in ("Ève", "Petit"):
        assert clear not in str(sent.to_pylist())


def test_a_cluster_is_asked_after_a_check_of_these_versions_alone(centre: Path) -> None:
    def is_refused(engine_version: str) -> bool:
        try:
            engine_checks.require("host:15002", engine_version)
        except Refusal as refusal:
            return refusal.code == "engine_unchecked"
        return False

    assert is_refused("4.3.0")
    engine_checks.record("host:15002", "4.3.0", 1000)
    assert not is_refused("4.3.0")
    assert is_refused("4.3.1")
    engine_checks.forget("host:15002")
    assert is_refused("4.3.0")


class TranslatingEngine:
    """DuckDB, with each statement translated too; `translated` keeps them."""

    def __init__(self) -> None:
        self.duckdb = engine.make_duckdb()
        self.translated: list[str] = []

    def run(
        self, query: Scoped | Unscoped, arrow: Mapping[str, pa.Table] = {}, **options: Any
    ) -> pd.DataFrame:
        text, parameters = engine._compile(query)
        sealed = {"evaluator": str.upper} if "answers" in arrow else {}
        self.translated.append(translate(text, parameters, {}, sealed))
        return self.duckdb.run(query, arrow, **options)


@pytest.fixture(scope="module")
def centre_with_all(records: Path) -> Path:
    """Contacts, evaluations, spend and totals of some weeks in which settings change."""
    draw = random.Random(7)
    contacts = make_contacts(draw, 60)
    land(contacts)
    land_spend([("2026-03-12", "google", "spring", 12.5, "EUR")])
    with store.writing() as session:
        session.add_all(make_evaluations(draw, contacts))
        for name, value in (("service_level_seconds", "60"), ("first_contact_days", "3")):
            declared_settings.set_value(session, Viewer.SYSTEM, name, value, date(2026, 3, 22))
    return records


CUTS = ("", *(dimension.key for dimension in DIMENSIONS))
IN_EACH_RUN = ("", "week", "half_hour", "team", "queue", "campaign", "evaluator", "criterion")
"""The whole, and a cut by each kind of time, place and person."""


@pytest.mark.parametrize("cut", leave_to_long(CUTS, but=IN_EACH_RUN))
def test_every_statement_of_the_kpis_is_sql_of_spark(centre_with_all: Path, cut: str) -> None:
    may_be_cut = [kpi for kpi in kpis.ALL if not cut or cut in kpi.dimensions]
    # A cut adds its own words to the statement of each table; those of a KPI stay the same.
    one_of_each = {(kpi.subject, kpi.kind): kpi.key for kpi in may_be_cut}
    keys = [*one_of_each.values()] if cut else [kpi.key for kpi in may_be_cut]
    asked = TranslatingEngine()
    with engine.use_engine(asked):
        measure(Viewer.SYSTEM, keys, (cut,) if cut else ())

    assert asked.translated
    for statement in asked.translated:
        sqlglot.parse_one(statement, read="spark")
