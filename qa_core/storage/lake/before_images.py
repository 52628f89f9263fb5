"""Before-images: each change keeps one in the lake's folder, and undoing restores it exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.transaction import Transaction

from qa_core.base.errors import Refusal
from qa_core.base.progress import Progress, ignore_progress
from qa_core.storage.facts import schema
from qa_core.storage.lake import tables
from qa_core.storage.lake.rewrite import Rewrite, commit_with_retries

if TYPE_CHECKING:
    import duckdb

LOADED, UNDONE = 1, 0
"""Transaction version of a batch in the Delta log: its rows are in the lake, or were undone."""


def image_folder() -> Path:
    return tables.lake_folder() / "undo"


def last_transaction(base: tables.Snapshot, batch_id: str) -> int | None:
    """Read the transaction version of a batch: `LOADED`, `UNDONE`, or None when the
    table never saw it. Outlives checkpoints of the log.
    """
    return None if base.version < 0 else DeltaTable(base.folder).transaction_version(batch_id)


def current_commits(base: tables.Snapshot) -> list[Mapping[str, Any]]:
    """List the log entries of the batches that were loaded and not undone, oldest
    first; `undo` names the files of their before-images.
    """
    if base.version < 0:
        return []
    entries, undone = [], set()
    for entry in DeltaTable(base.folder).history():
        if "undoes" in entry:
            undone.add(entry["undoes"])
        elif "batch_id" in entry and entry["batch_id"] not in undone:
            entries.append({**entry, "undo": [Path(image).name for image in entry["undo"]]})
    return entries[::-1]


def undo(batch_id: str, progress: Progress = ignore_progress) -> int:
    """Restore what was there before that batch, neighbours included, in one commit per
    table. Returns the number of rows restored or removed.

    Raises Refusal when the batch is not in the lake, when a later batch changed one of
    its rows, or when its before-image is gone.
    """
    names = [
        name
        for name in tables.TABLES
        if last_transaction(tables.snapshot(name), batch_id) == LOADED
    ]
    if not names:
        raise Refusal("not_in_lake", "Import {batch} has no rows to undo.", batch=batch_id)
    return sum(
        commit_with_retries(
            name, lambda connection, base: _attempt(connection, base, batch_id, progress)
        )
        for name in names
    )


def _attempt(
    connection: duckdb.DuckDBPyConnection, base: tables.Snapshot, batch_id: str, progress: Progress
) -> int:
    commits = current_commits(base)
    images = [
        image for entry in commits if entry["batch_id"] == batch_id for image in entry["undo"]
    ]
    restored_columns = [
        column for column in tables.columns_of(base.name) if column not in schema.NEIGHBOURS
    ]
    rewrite = Rewrite(connection, base, restored_columns, progress)
    if not all((image_folder() / image).exists() for image in images):
        raise Refusal(
            "too_old_to_undo",
            "Import {batch} cannot be undone: the data before it is no longer kept.",
            batch=batch_id,
        )
    connection.execute(
        f"CREATE TEMP VIEW stored AS {tables.select_from_files(base.name, base.files())}"
    )
    _make_before(rewrite, images)
    _refuse_if_changed_since(rewrite, commits, batch_id)
    connection.execute(
        "CREATE TEMP VIEW incoming AS SELECT * EXCLUDE (status) FROM before WHERE status = "
        "'changed'"
    )
    customer_columns = (
        ", s.customer_key AS before_customer, s.started_at AS before_start, "
        "b.customer_key AS after_customer, b.started_at AS after_start"
    )
    clock = tables.CLOCKS[base.name]
    connection.execute(f"""
        CREATE TEMP TABLE row_status AS
        SELECT {rewrite.list_key("b")}, s.month AS old_month, b.month AS new_month,
            s.{clock} AS old_clock, b.{clock} AS new_clock,
            CASE b.status WHEN 'new' THEN 'deleted' ELSE 'changed' END AS status
        {customer_columns if base.name == "contacts" else ""}
        FROM before b JOIN stored s ON {rewrite.match("b", "s")}
    """)
    rows = connection.execute("SELECT count(*) FROM row_status").fetchone()[0]
    rewrite.run([Transaction(batch_id, UNDONE)], {"undoes": batch_id})
    for image in images:
        (image_folder() / image).unlink(missing_ok=True)
    return rows


def _make_before(rewrite: Rewrite, images: Sequence[str]) -> None:
    """Make the view `before` of earlier rows (`status` changed) and of new keys (new),
    from the first of a batch's commits that touched each.
    """
    pieces = [
        "SELECT '' AS status, 0 AS image, * FROM "
        f"({tables.select_from_files(rewrite.base.name, [])})"
    ]
    for number, image in enumerate(images):
        pieces.append(
            f"SELECT '{status_of(image)}' AS status, {number} AS image, * FROM {read_image(image)}"
        )
    first = (
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(rewrite.key)} ORDER BY image) = 1"
        if len(images) > 1
        else ""
    )
    rewrite.connection.execute(
        "CREATE TEMP VIEW before AS SELECT * EXCLUDE (image) FROM "
        f"({' UNION ALL BY NAME '.join(pieces)}) {first}"
    )


def read_image(image: str) -> str:
    return f"read_parquet({tables.quote(str(image_folder() / image))})"


def status_of(image: str) -> str:
    """Return what a before-image holds: rows before they `changed`, or keys of `new` rows."""
    return image.removesuffix(".parquet").rsplit("-", 1)[1]


def _refuse_if_changed_since(
    rewrite: Rewrite, commits: Sequence[Mapping[str, Any]], batch_id: str
) -> None:
    first = min((entry["version"] for entry in commits if entry["batch_id"] == batch_id), default=0)
    later = [
        (entry["batch_id"], image)
        for entry in commits
        if entry["version"] >= first and entry["batch_id"] != batch_id
        for image in entry["undo"]
    ]
    for other, image in later:
        row_count = rewrite.connection.execute(
            f"SELECT count(*) FROM {read_image(image)} l SEMI JOIN before b ON "
            f"{rewrite.match('l', 'b')}"
        ).fetchone()[0]
        if row_count:
            raise Refusal(
                "changed_since",
                "Import {later} changed or used data of import {batch}. Undo {later} first.",
                later=other,
                batch=batch_id,
            )
