"""The engine: questions of the facts are answered on the version that stands, by an
engine that can open nothing else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage import lake
from qa_core.storage.engine import current
from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.spark.cluster import find_host

C = schema.CONTACTS.c
SCHEMA = schema.arrow_schema(schema.CONTACTS)


def fill(*rows: tuple[str, datetime, float | None], batch: str = "b1") -> None:
    """Contacts with an id, a start and a wait."""
    columns = {
        "source_system": ["generic"] * len(rows),
        "contact_id": [row[0] for row in rows],
        "started_at": [row[1] for row in rows],
        "local_start": [row[1] for row in rows],
        "month": [f"{row[1]:%Y-%m}" for row in rows],
        "wait_seconds": [row[2] for row in rows],
    }
    lake.merge_contacts(
        pa.table(columns, schema=pa.schema([SCHEMA.field(name) for name in columns])),
        ["wait_seconds"],
        batch,
    )


def run(statement: sa.Select, *beside: object, **months: str) -> pd.DataFrame:
    """What the engine answers, whoever asks."""
    return current().run(Unscoped(statement, "a test reads all rows"), *beside, **months)


JANUARY, FEBRUARY = datetime(2026, 1, 10, 9), datetime(2026, 2, 10, 9)


def test_an_empty_lake_answers_with_typed_and_empty_tables(centre: Path) -> None:
    frame = run(sa.select(C.contact_id, C.started_at, C.wait_seconds))
    assert list(frame.columns) == ["contact_id", "started_at", "wait_seconds"]
    assert len(frame) == 0
    total = run(
        sa.select(
            sa.func.count().label("n"), sa.func.sum(schema.SPEND.c.amount).label("amount")
        ).select_from(schema.SPEND)
    )
    assert total["n"].tolist() == [0]


def test_a_question_with_parameters_lists_and_a_grouping_is_answered(centre: Path) -> None:
    fill(
        ("c1", JANUARY, 10.0), ("c2", JANUARY, 20.0), ("c3", FEBRUARY, 5.0), ("c4", FEBRUARY, None)
    )
    week = sa.func.date_trunc("month", C.local_start)
    statement = (
        sa.select(
            week.label("month"),
            sa.func.count().label("n"),
            sa.func.sum(C.wait_seconds).label("wait"),
        )
        .where(C.contact_id.in_(["c1", "c2", "c3", "c4"]), C.source_system == "generic")
        .group_by(week)
        .order_by(week)
    )
    frame = run(statement)
    assert frame.values.tolist() == [
        [datetime(2026, 1, 1), 2, 30.0],
        [datetime(2026, 2, 1), 2, 5.0],
    ]


def test_a_value_that_looks_like_sql_stays_a_value(centre: Path) -> None:
    fill(("c1", JANUARY, 10.0))
    frame = run(sa.select(C.contact_id).where(C.contact_id == "' OR 1 = 1 --"))
    assert len(frame) == 0


def test_each_question_sees_the_version_that_stands(centre: Path) -> None:
    count = sa.select(sa.func.count().label("n")).select_from(schema.CONTACTS)
    seen = [run(count)["n"][0]]
    fill(("c1", JANUARY, 10.0))
    seen.append(run(count)["n"][0])
    fill(("c2", JANUARY, 10.0), batch="b2")
    seen.append(run(count)["n"][0])
    lake.undo("b1")
    seen.append(run(count)["n"][0])
    assert seen == [0, 1, 2, 1]


def test_only_the_months_asked_for_are_read(centre: Path) -> None:
    fill(("c1", JANUARY, 10.0), ("c2", FEBRUARY, 20.0))
    (january,) = lake.files("contacts", last_month="2026-01")
    Path(january).unlink()
    frame = run(sa.select(C.contact_id, C.month), first_month="2026-02", last_month="2026-02")
    assert frame.values.tolist() == [["c2", "2026-02"]]


def test_an_arrow_table_is_joined_and_seen_by_its_own_question_only(centre: Path) -> None:
    fill(("c1", JANUARY, 10.0), ("c2", JANUARY, 30.0))
    answers = schema.ANSWERS
    rows = pa.Table.from_pylist(
        [
            {
                "evaluation_id": 1,
                "is_first": True,
                "source_system": "generic",
                "contact_id": "c2",
                "local_start": JANUARY,
                "score": 80.0,
            }
        ],
        schema=schema.arrow_schema(answers),
    )
    statement = sa.select(answers.c.score, C.wait_seconds).join_from(
        answers, schema.CONTACTS, answers.c.contact_id == C.contact_id
    )
    assert run(statement, {"answers": rows}).values.tolist() == [[80.0, 30.0]]
    with pytest.raises(duckdb.CatalogException):
        run(sa.select(answers.c.score))


def test_questions_from_several_threads_do_not_mix(centre: Path) -> None:
    fill(("c1", JANUARY, 10.0))
    answers = schema.ANSWERS

    def ask(number: int) -> int:
        rows = pa.Table.from_pylist(
            [{"evaluation_id": number, "is_first": True, "local_start": JANUARY}],
            schema=schema.arrow_schema(answers),
        )
        return int(
            run(
                sa.select(answers.c.evaluation_id, C.contact_id).join_from(
                    answers, schema.CONTACTS, sa.true()
                ),
                {"answers": rows},
            )["evaluation_id"][0]
        )

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(40))) == list(range(40))


def test_the_engine_is_locked_to_the_folder_of_the_lake(centre: Path) -> None:
    connection = current().connection
    settings = connection.execute(
        "SELECT current_setting('enable_external_access'), "
        "current_setting('lock_configuration'), current_setting('allowed_directories')"
    ).fetchone()
    assert settings[:2] == (False, True)
    # Its own folder to spill into is the only other one, and holds nothing of anybody
    # else.
    assert sorted(settings[2]) == [
        f"{centre}/lake/",
        f"{centre}/tmp/engine-{environment.name_process()}/",
    ]


def test_a_question_larger_than_the_engines_memory_spills_and_is_answered(centre: Path) -> None:
    connection = current().connection
    with connection.cursor() as cursor:
        rows = cursor.execute(
            "SELECT count(*) FROM (SELECT DISTINCT i, hash(i), hash(i + 1), md5(CAST(i AS "
            "VARCHAR)) FROM range(4000000) t(i))"
        ).fetchone()[0]
    assert rows == 4_000_000


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_parquet('{lake}/../secret.txt')",
        "SELECT * FROM glob('{outside}')",
        "COPY (SELECT 1) TO '{outside}.copy'",
        "ATTACH '{outside}.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '64GB'",
    ],
)
def test_no_statement_reaches_outside_the_lake_or_unlocks_the_engine(
    centre: Path, attempt: str
) -> None:
    outside = centre / "secret.txt"
    outside.write_text("a secret")
    fill(("c1", JANUARY, 10.0))
    with current().connection.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(attempt.format(outside=outside, lake=centre / "lake"))
    assert [file.name for file in centre.glob("secret*")] == ["secret.txt"]


@pytest.mark.parametrize(
    "url",
    ["oracle://", "sc://", "sc://name:secret@host", "sc://host:port", "duckdb", "http://host"],
)
def test_an_engine_that_is_not_known_is_refused_in_words(
    centre: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("QA_ENGINE_URL", url)
    with pytest.raises(Refusal) as refusal:
        current()
    assert refusal.value.code == "unknown_engine"
    assert "secret" not in str(refusal.value)


def test_a_message_about_a_cluster_has_no_token() -> None:
    assert find_host("sc://spark.example/;use_ssl=true;token=abc") == "spark.example:15002"
    assert find_host("sc://spark.example:443/;token=abc") == "spark.example:443"


def test_spend_is_asked_like_contacts(centre: Path) -> None:
    row = {
        "day": date(2026, 1, 3),
        "month": "2026-01",
        "source": "google",
        "medium": "cpc",
        "campaign": "spring",
        "amount": 12.5,
        "currency": "EUR",
    }
    lake.merge_spend(
        pa.Table.from_pylist(
            [row],
            schema=pa.schema(
                [field for field in schema.arrow_schema(schema.SPEND) if field.name != "batch_id"]
            ),
        ),
        "p1",
    )
    frame = run(sa.select(schema.SPEND.c.day, schema.SPEND.c.amount))
    assert [(value.date(), amount) for value, amount in frame.itertuples(index=False)] == [
        (date(2026, 1, 3), 12.5)
    ]
