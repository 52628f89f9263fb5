"""A table of calls in SQLite, on the clock of the centre."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from builders import source_servers
from qa_core.base.environment import to_local

SELECT = """SELECT id AS contact_id, begun AS started_at, 'inbound' AS direction,
'phone' AS channel, outcome, talk AS talk_seconds FROM calls
WHERE begun >= :since AND begun < :until"""


def make_table(path: Path, rows: list[tuple]) -> str:
    """Make a table of these calls anew. Returns the address of the database."""
    address = f"sqlite:///{path}"
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS calls (id text, begun text, outcome text, talk int)"
        )
        connection.exec_driver_sql("DELETE FROM calls")
        for row in rows:
            connection.exec_driver_sql("INSERT INTO calls VALUES (?, ?, ?, ?)", row)
    engine.dispose()
    return address


class Fake(source_servers.Fake):
    @staticmethod
    def name_call(number: int) -> str:
        return f"C{number}"

    @contextmanager
    def serve(self, folder: Path) -> Iterator[Fake]:
        self.path, self.statement = folder / "calls.db", SELECT
        self.address = make_table(self.path, [])
        yield self

    def publish(self, at: datetime) -> None:
        rows = [
            (call.id, f"{to_local(call.start):%Y-%m-%d %H:%M:%S}",
             "answered" if call.talk else "abandoned", call.talk)
            for call in self.calls.values()
        ]  # fmt: skip
        make_table(self.path, rows)
