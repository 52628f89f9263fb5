"""Upkeep of the lake: erasing a customer, vacuuming old versions, compacting small files."""

from __future__ import annotations

import os
import shutil
import time

import duckdb
from deltalake import DeltaTable, WriterProperties

from qa_core.base import environment
from qa_core.storage import schema
from qa_core.storage.lake import tables
from qa_core.storage.lake.before_images import current_commits, image_folder, read_image, status_of
from qa_core.storage.lake.rewrite import Rewrite, commit_with_retries

READER_SECONDS = 600
"""Seconds that a replaced version stays on disk: longer than any statement takes."""

SHARED_KEY = schema.AS_GIVEN["customer_key"]
"""Column of the key of a shared number, on contacts that have no customer."""

IMAGE_DAYS = 90
"""Days in which a batch can be undone; a later before-image is never dropped before an
earlier one.
"""


def erase(customer_key: str) -> int:
    """Remove every contact of that customer, their key from contacts of a shared
    number, which identify nobody and so stay, and both from the before-images. Returns
    the number of contacts removed.

    Files of earlier versions still hold them until `vacuum` deletes those, ten minutes
    later. `ingest.erase_customer` erases in the other stores.
    """

    def attempt(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> int:
        rewrite = Rewrite(connection, base, (SHARED_KEY,))
        customer = tables.quoted(customer_key)
        connection.execute(
            f"CREATE TEMP VIEW stored AS {tables.select_from_files('contacts', base.files())}"
        )
        connection.execute(f"""
            CREATE TEMP TABLE incoming AS
            SELECT {rewrite.listed("s")}, CAST(NULL AS VARCHAR) AS {SHARED_KEY} FROM stored s
                WHERE {SHARED_KEY} = {customer}
        """)
        connection.execute(f"""
            CREATE TEMP TABLE fate AS
            SELECT {rewrite.listed("s")}, s.month AS old_month, CASE WHEN s.customer_key IS NULL
                THEN s.month END AS new_month,
                CASE WHEN s.customer_key IS NULL THEN 'changed' ELSE 'deleted' END AS status,
                s.customer_key AS before_customer, s.started_at AS before_start,
                    CAST(NULL AS VARCHAR) AS after_customer, CAST(NULL AS TIMESTAMP) AS after_start
            FROM stored s WHERE customer_key = {customer} OR {SHARED_KEY} = {customer}
        """)
        # The images go first: were we stopped in between, a second call would still
        # find the contacts and finish.
        _erase_from_images(rewrite, customer)
        rows = connection.execute("SELECT count(*) FROM fate").fetchone()[0]
        if rows:
            rewrite.run([], {"erased": rows})
        return rows

    return commit_with_retries("contacts", attempt)


def _erase_from_images(rewrite: Rewrite, customer: str) -> None:
    for image in sorted(image_folder().glob("contacts-*.parquet")):
        # An image of an earlier version may lack the column of shared numbers.
        source, kept = (
            f"({tables.select_from_files('contacts', [])} UNION ALL BY NAME SELECT * FROM "
            f"{read_image(image.name)})",
            "*",
        )
        condition = touched = (
            "EXISTS (SELECT 1 FROM fate f WHERE f.status = 'deleted' AND "
            f"{rewrite.match('f', 'i')})"
        )
        if status_of(image.name) == "new":
            kept = rewrite.listed("i")
        else:
            condition += f" OR customer_key = {customer}"
            touched = f"{condition} OR {SHARED_KEY} = {customer}"
            kept += f" REPLACE (nullif({SHARED_KEY}, {customer}) AS {SHARED_KEY})"
        if not rewrite.connection.execute(
            f"SELECT 1 FROM {source} i WHERE {touched} LIMIT 1"
        ).fetchone():
            continue
        draft = image.with_suffix(".draft")
        rewrite.connection.execute(
            f"COPY (SELECT {kept} FROM {source} i WHERE ({condition}) IS NOT TRUE) TO "
            f"{tables.quoted(str(draft))} (FORMAT parquet, COMPRESSION zstd)"
        )
        os.replace(draft, image)


def vacuum() -> int:
    """Delete the files that no version of the last ten minutes holds, and leftovers of
    killed writers. Returns the number of files.
    """
    removed = 0
    for name in tables.TABLES:
        with tables.writing(name):
            removed += _vacuum_table(tables.snapshot(name)) + _vacuum_images(tables.snapshot(name))
    _remove_dead_scratch()
    return removed


def _vacuum_table(base: tables.Snapshot) -> int:
    if base.version < 0:
        return 0
    table = DeltaTable(base.folder)
    horizon = (time.time() - READER_SECONDS) * 1000
    superseded_at = float("inf")
    kept = []
    for entry in table.history():
        if superseded_at < horizon:
            break
        kept.append(entry["version"])
        superseded_at = entry["timestamp"]
    return len(
        table.vacuum(
            retention_hours=0,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
            keep_versions=kept,
        )
    )


def _vacuum_images(base: tables.Snapshot) -> int:
    horizon = time.time() - IMAGE_DAYS * 86400
    needed = {
        image
        for entry in current_commits(base)
        if entry["timestamp"] / 1000 >= horizon
        for image in entry["undo"]
    }
    stale = [image for image in image_folder().glob(f"{base.name}-*") if image.name not in needed]
    for image in stale:
        image.unlink(missing_ok=True)
    return len(stale)


def _remove_dead_scratch() -> None:
    temporary = environment.current().temporary_folder
    for folder in (*temporary.glob("lake-*"), *temporary.glob("engine-*")):
        try:
            os.kill(int(folder.name.split("-")[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            pass  # alive, under another user


def compact() -> int:
    """Join the files of each month that has several, as other writers may leave them.
    Returns the number of files joined.
    """
    joined = 0
    for name in tables.TABLES:
        with tables.writing(name):
            base = tables.snapshot(name)
            if len(base.parts) > len(base.months):
                metrics = DeltaTable(base.folder).optimize.compact(
                    max_concurrent_tasks=1, writer_properties=WriterProperties(compression="ZSTD")
                )
                joined += metrics["numFilesRemoved"]
    return joined
