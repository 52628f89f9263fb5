"""Erased customers in files that bring their earlier contacts again."""

from datetime import UTC
from pathlib import Path

import pyarrow.parquet as pq

from qa_core.storage import replay_list
from qa_core.storage.facts.personal_data import CUSTOMER, ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.lake import tables


def forget(path: Path) -> None:
    """Cut the link to erased customers in a Parquet file of contacts before it is loaded,
    where they started before the erasure: they count, without their customer.
    """
    known = replay_list.find()
    entries = known.entries if known else ()
    erased = {entry.key: entry.at for entry in entries if entry.kind == "customer"}
    names = pq.read_schema(path).names
    if not erased or "customer_key" not in names:
        return
    with tables.scratch(0) as connection:
        rows = f"read_parquet({tables.quote(str(path))})"
        before = max(erased.values()).astimezone(UTC).replace(tzinfo=None)
        found = connection.execute(
            f"SELECT DISTINCT customer_key FROM {rows} WHERE customer_key IS NOT NULL AND "
            f"started_at < TIMESTAMP '{before}'"
        ).fetchall()
        tests = [
            f"(customer_key = {tables.quote(key)} AND started_at < TIMESTAMP "
            f"'{erased[digest].astimezone(UTC).replace(tzinfo=None)}')"
            for (key,) in found
            for digest in replay_list.find_digests("customer", key)
            if digest in erased
        ]
        if tests:
            theirs = [
                name
                for what in (ColumnContent.IDENTIFIER, ColumnContent.TEXT)
                for name in find_columns(CONTACTS, what, CUSTOMER)
                if name in names
            ]
            cleared = (
                f"CASE WHEN {' OR '.join(tests)} THEN NULL ELSE {n} END AS {n}" for n in theirs
            )
            draft = path.with_suffix(".draft")
            connection.execute(
                f"COPY (SELECT * REPLACE ({', '.join(cleared)}) FROM {rows}) TO "
                f"{tables.quote(str(draft))} (FORMAT parquet)"
            )
            draft.replace(path)
