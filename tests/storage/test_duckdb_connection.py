"""Databases that are lent to one writer after the other: nothing of the one before is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from qa_core.storage.facts import duckdb_connection
from qa_core.storage.facts.duckdb_connection import borrow


@pytest.fixture(autouse=True)
def none_idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(duckdb_connection, "_idle", {})
    yield


def find_setting(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    return connection.execute(f"SELECT current_setting('{name}')").fetchone()[0]


def number_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the database, and so a mark on it: the count of its sequence's uses."""
    connection.execute("CREATE SEQUENCE IF NOT EXISTS lent")
    return connection.execute("SELECT nextval('lent')").fetchone()[0]


def test_the_next_writer_finds_neither_tables_nor_settings_of_the_one_before(
    tmp_path: Path,
) -> None:
    with borrow("300MB", tmp_path / "first") as connection:
        assert number_of(connection) == 1
        connection.execute("CREATE TEMP TABLE rows AS SELECT 1 AS secret")
        connection.execute("CREATE TEMP VIEW view AS SELECT 2 AS secret")
        connection.register("given", pa.table({"secret": [3]}))

    with borrow("200MB", tmp_path / "second's") as connection:
        assert number_of(connection) == 2
        for name in ("rows", "view", "given"):
            with pytest.raises(duckdb.CatalogException):
                connection.execute(f"SELECT * FROM {name}")
        assert find_setting(connection, "memory_limit") == "190.7 MiB"
        assert find_setting(connection, "temp_directory") == str(tmp_path / "second's")
        assert find_setting(connection, "enable_progress_bar") is False
        assert find_setting(connection, "parquet_metadata_cache") is True


def test_two_writers_at_once_have_a_database_each(tmp_path: Path) -> None:
    with borrow("300MB", tmp_path / "a") as first, borrow("300MB", tmp_path / "b") as second:
        assert number_of(first) == number_of(second) == 1


def test_a_database_is_closed_once_it_has_spilled_or_failed(tmp_path: Path) -> None:
    with borrow("300MB", tmp_path / "spilled") as connection:
        assert number_of(connection) == 1
        connection.execute("SET memory_limit = '40MB'")
        connection.execute(
            "CREATE TEMP TABLE wide AS SELECT hash(range)::VARCHAR || repeat('x', 99) AS text "
            "FROM range(1000000)"
        )
        assert list((tmp_path / "spilled").glob("*.tmp"))

    with pytest.raises(ZeroDivisionError), borrow("300MB", tmp_path / "failed") as connection:
        assert number_of(connection) == 1
        raise ZeroDivisionError

    with borrow("300MB", tmp_path / "last") as connection:
        assert number_of(connection) == 1
