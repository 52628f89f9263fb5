"""Preparation of the rows of a file of totals for the lake: the length of each
interval, and one row per interval.
"""

from itertools import pairwise

import duckdb

from qa_core.base.errors import Refusal
from qa_core.ingest.columns.timestamps import DAY_MINUTES
from qa_core.ingest.profiles.intervals import refuse_unknown_length
from qa_core.ingest.staging.duckdb_session import PreparedRows, write_rows
from qa_core.ingest.staging.staged import Staged
from qa_core.storage.facts.schema import INTERVAL_KEY
from qa_core.storage.lake.tables import quote

MAX_CONTRADICTORY_SHARE = 0.05
"""Share of contradictory rows for one interval above which another column must
distinguish them.
"""


def prepare_intervals(
    connection: duckdb.DuckDBPyConnection, staged: Staged
) -> tuple[PreparedRows, int | None]:
    """Write the rows of the lake from `staged`; of several rows for one interval, the
    last. Returns their length in minutes too, where it was inferred from the starts.

    Raises Refusal where the starts do not tell the length, or rows of one interval
    contradict each other.
    """
    minutes = None if "length_minutes" in staged.columns else _find_minutes(connection)
    measures = [name for name in staged.columns if name not in (*INTERVAL_KEY, "local_start")]
    key = {name: staged.select_column(name) for name in INTERVAL_KEY}
    key |= {"source_system": quote(staged.system)} | (
        {"length_minutes": str(minutes)} if minutes else {}
    )
    key_list = ", ".join(f'{expression} AS "{name}"' for name, expression in key.items())
    measure_list = ", ".join(f'"{name}"' for name in measures)
    key_columns = ", ".join(f'"{name}"' for name in INTERVAL_KEY)
    connection.execute(
        f"CREATE TEMP TABLE keyed AS SELECT {key_list}, local_start, strftime(local_start, "
        f"'%Y-%m') AS month, {measure_list}, line FROM staged"
    )
    connection.execute(
        "CREATE TEMP TABLE numbered AS SELECT *, "
        f"row_number() OVER (PARTITION BY {key_columns} ORDER BY line DESC) AS place, "
        f"count(*) OVER (PARTITION BY {key_columns}, {measure_list}) AS identical, "
        f"count(*) OVER (PARTITION BY {key_columns}) AS several FROM keyed"
    )
    rows, duplicates, contradictory = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE place > 1), count(*) FILTER (WHERE several > "
        "identical) FROM numbered"
    ).fetchone()
    if contradictory > MAX_CONTRADICTORY_SHARE * rows:
        raise Refusal(
            "several_rows_per_interval",
            "{count} of {rows} rows share start and queue with another row, but have other "
            "figures. Name the column that distinguishes them: queue, team or time.",
            options=("--map queue=COLUMN", "--map team=COLUMN", "--map time=COLUMN"),
            count=contradictory,
            rows=rows,
        )
    path = staged.folder / "intervals.parquet"
    row_count = write_rows(
        connection,
        "SELECT * EXCLUDE (line, place, identical, several) FROM numbered WHERE place = 1",
        path,
    )
    return PreparedRows(path, row_count, tuple(measures), duplicates=duplicates), minutes


def _find_minutes(connection: duckdb.DuckDBPyConnection) -> int:
    """Find the smallest step between two starts of the day, in minutes; a whole day
    where all rows start at midnight. Raises Refusal where the starts do not tell.
    """
    seconds = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT epoch(local_start) % 86400 AS second FROM staged ORDER BY second"
        ).fetchall()
    ]
    if seconds == [0]:
        return DAY_MINUTES
    steps = [later - earlier for earlier, later in pairwise(seconds)]
    if not steps or min(steps) % 60:
        raise refuse_unknown_length()
    return int(min(steps) // 60)
