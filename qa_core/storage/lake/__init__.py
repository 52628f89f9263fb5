"""Lake: contacts, spend and intervals as Delta tables by month. Writers queue, each
change is one commit, readers see old or new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qa_core.base import environment
from qa_core.storage.lake import damage, tables
from qa_core.storage.lake.before_images import undo
from qa_core.storage.lake.damage import find_damage, find_strays
from qa_core.storage.lake.maintenance import (
    HAS_COMMENT,
    HAS_IDENTITY,
    TRIAL,
    count_named,
    erase,
    find_advisors,
    find_due_contacts,
    key_ids,
    mark,
    mark_known_customers,
    remove_advisors,
    remove_comments,
    remove_dead_folders,
    remove_identities,
    remove_names,
    touch,
    vacuum,
)
from qa_core.storage.lake.merge import (
    MergeResult,
    commit_result,
    has_commit,
    merge_contacts,
    merge_intervals,
    merge_spend,
)
from qa_core.storage.lake.tables import Snapshot, scratch_folder, snapshot, version

if TYPE_CHECKING:
    import duckdb


def files(name: str, first_month: str | None = None, last_month: str | None = None) -> list[str]:
    """List the Parquet files of the current version that hold those months (`YYYY-MM`,
    both inclusive; None is open).
    """
    return tables.snapshot(name).files(first_month, last_month)


def find_lineage(name: str, month: str) -> int:
    """Return a number that changes with the rows of a month, unless no figure changes:
    when people are deleted by age, or files are joined.
    """
    return tables.join_lineages(tables.snapshot(name).parts_of(month))


def span(name: str = "contacts", whole: bool = False) -> tuple[datetime, datetime] | None:
    """Find the first and the last start of the contacts (or intervals), in UTC; None of
    an empty table. Unless `whole`, what is dated in the future counts as of this full hour,
    unless all of it is: a wrong date in a file neither moves a period nor completes a repeat
    window, and the same question asked again has the same end.
    """
    parts = tables.snapshot(name).parts
    moment = environment.now().replace(tzinfo=None)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    past = [] if whole else [part for part in parts if part.first <= moment]
    ends = [part.last if part.last <= moment else max(part.first, hour) for part in past]
    ends = ends or [part.last for part in parts]
    return (min(part.first for part in parts), max(ends)) if parts else None


def versions() -> tuple[int, ...]:
    """Read the number of the current version of each table, −1 where it does not exist."""
    return tuple(map(version, tables.TABLES))


@contextmanager
def working(
    rows: int = 0, spill_folder: Path | None = None, others: Collection[str] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB connection for writers, with a view of the contacts, and of `others` of the
    tables, of the current version. It checks no viewer: nothing read here may be shown.

    `rows`: rows it will hold beside the contacts. It spills into `spill_folder`, by
    default a new folder.
    """
    rows += tables.snapshot("contacts").rows
    with damage.explaining_damage(), tables.scratch(rows, spill_folder) as connection:
        for name in {"contacts", *others}:
            connection.execute(
                f"CREATE TEMP VIEW {name} AS {tables.select_from_files(name, files(name))}"
            )
        yield connection


def compare_system(
    system: str, since: datetime, until: datetime
) -> tuple[set[str], dict[str, int]]:
    """Find the ids of the contacts of a system that began in a span, the end excluded, and how
    many of them other systems have too: the same customer at the same second.
    """
    # Without a zone, as they are stored: DuckDB would compare them by the clock of the machine.
    first, last = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (since, until))
    here = snapshot("contacts")
    parts = [part for part in here.parts if part.may_hold(first, last)]
    paths = [str(here.folder / part.path) for part in parts]
    select = tables.select_from_files("contacts", paths)
    rows = sum(part.rows for part in parts)
    with damage.explaining_damage(), tables.scratch(rows) as connection:
        connection.execute(
            "CREATE TEMP TABLE span AS SELECT source_system, contact_id, customer_key, "
            f"date_trunc('second', started_at) AS began FROM ({select}) WHERE started_at >= ? AND "
            "started_at < ?",
            [first, last],
        )
        ids = connection.execute(
            "SELECT contact_id FROM span WHERE source_system = ?", [system]
        ).fetchall()
        twins = connection.execute(
            "SELECT other.source_system, count(*) FROM span JOIN span other USING (began, "
            "customer_key) WHERE span.source_system = ? AND other.source_system <> ? GROUP BY ALL",
            [system, system],
        ).fetchall()
    return {contact_id for (contact_id,) in ids}, dict(twins)
