"""Upkeep of the lake: erasing a customer, vacuuming old versions, compacting small files."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable

from qa_core.base import environment
from qa_core.storage.facts import schema
from qa_core.storage.facts.personal_data import (
    ADVISOR,
    CUSTOMER,
    ColumnContent,
    find_columns,
)
from qa_core.storage.lake import month_sums, tables
from qa_core.storage.lake.before_images import current_commits, image_folder, read_image, status_of
from qa_core.storage.lake.damage import Damage, find_damage
from qa_core.storage.lake.rewrite import Rewrite, commit_with_retries

if TYPE_CHECKING:
    import duckdb

TRIAL = "ecoute-trial"
"""Beginning of the names of folders that dry runs make outside of the home."""

ContactKey = tuple[str | None, str]
"""A contact: its system, where known, and its id."""

Days = tuple[date, date]
EVER: Days = date.min, date.max

READER_SECONDS = 600
"""Seconds that a replaced version stays on disk: longer than any statement takes."""

SHARED_KEY = schema.AS_GIVEN["customer_key"]
"""Column of the key of a shared number, on contacts that have no customer."""
CUSTOMER_TEXTS = find_columns(schema.CONTACTS, ColumnContent.TEXT, CUSTOMER)

IMAGE_DAYS = 90
"""Days in which a batch can be undone; a later before-image is never dropped before an
earlier one.
"""


def erase(customer_key: str) -> int:
    """Remove every contact of that customer, their key and every text from contacts of a
    shared number, which stay, and both from the before-images. Returns the number of contacts.

    Files of earlier versions still hold them until `vacuum` clears those away. Of the
    other stores, `ingest.erase_customer` takes care.
    """

    def attempt(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> int:
        rewrite = Rewrite(connection, base, (SHARED_KEY, *CUSTOMER_TEXTS))
        empty = ", ".join(f"CAST(NULL AS VARCHAR) AS {name}" for name in rewrite.columns)
        customer = tables.quote(customer_key)
        connection.execute(
            f"CREATE TEMP VIEW stored AS {tables.select_from_files('contacts', base.files())}"
        )
        connection.execute(f"""
            CREATE TEMP TABLE incoming AS
            SELECT {rewrite.list_key("s")}, {empty} FROM stored s WHERE {SHARED_KEY} = {customer}
        """)
        connection.execute(f"""
            CREATE TEMP TABLE row_status AS
            SELECT {rewrite.list_key("s")}, s.month AS old_month, CASE WHEN s.customer_key IS NULL
                THEN s.month END AS new_month, s.started_at AS old_clock, s.started_at AS new_clock,
                CASE WHEN s.customer_key IS NULL THEN 'changed' ELSE 'deleted' END AS status,
                s.customer_key AS before_customer, s.started_at AS before_start,
                    CAST(NULL AS VARCHAR) AS after_customer, CAST(NULL AS TIMESTAMP) AS after_start
            FROM stored s WHERE customer_key = {customer} OR {SHARED_KEY} = {customer}
        """)
        # The images go first: were we stopped in between, a second call would still
        # find the contacts and finish.
        _erase_from_images(rewrite, customer)
        rows = connection.execute("SELECT count(*) FROM row_status").fetchone()[0]
        if rows:
            rewrite.run([], {"erased": rows})
        return rows

    return commit_with_retries("contacts", attempt)


def _erase_from_images(rewrite: Rewrite, customer: str) -> None:
    for image in sorted(image_folder().glob("contacts-*.parquet")):
        # An image of an earlier version may lack the column of shared numbers.
        source, columns = (
            f"({tables.select_from_files('contacts', [])} UNION ALL BY NAME SELECT * FROM "
            f"{read_image(image.name)})",
            "*",
        )
        is_named = f"EXISTS (SELECT 1 FROM row_status f WHERE {rewrite.match('f', 'i')}"
        condition = is_touched = f"{is_named} AND f.status = 'deleted')"
        if status_of(image.name) == "new":
            columns = rewrite.list_key("i")
        else:
            condition += f" OR customer_key = {customer}"
            is_theirs = f"({is_named}) OR {SHARED_KEY} = {customer})"
            is_touched = f"{condition} OR {is_theirs}"
            kept = (
                f"CASE WHEN NOT {is_theirs} THEN {name} END AS {name}" for name in CUSTOMER_TEXTS
            )
            columns += (
                f" REPLACE (nullif({SHARED_KEY}, {customer}) AS {SHARED_KEY}, {', '.join(kept)})"
            )
        if not rewrite.connection.execute(
            f"SELECT 1 FROM {source} i WHERE {is_touched} LIMIT 1"
        ).fetchone():
            continue
        kept_rows = f"SELECT {columns} FROM {source} i WHERE ({condition}) IS NOT TRUE"
        _replace_image(rewrite.connection, image, kept_rows)


@dataclass(frozen=True)
class DueContacts:
    """Contacts with content that must go: how many, and the days of the first and last."""

    count: int
    oldest: date
    newest: date


HAS_IDENTITY = " OR ".join(f"{column} IS NOT NULL" for column in schema.IDENTITY)
HAS_COMMENT = "survey_comment IS NOT NULL"


def find_due_contacts(condition: str, before: date) -> DueContacts | None:
    """Count the contacts from before that day with `HAS_IDENTITY` or `HAS_COMMENT` content,
    once per version of the lake while its files are there.
    """
    state = (tables.version("contacts"), *find_damage(names=["contacts"]))
    return _count_due(condition, before, tables.lake_folder(), state)


@functools.lru_cache(maxsize=8)
def _count_due(
    condition: str, before: date, _lake: Path, _state: tuple[int | Damage, ...]
) -> DueContacts | None:
    files = tables.snapshot("contacts").files(last_month=f"{before - timedelta(days=1):%Y-%m}")
    if not files:
        return None
    with tables.scratch(0) as connection:
        count, oldest, newest = connection.execute(
            "SELECT count(*), min(local_start), max(local_start) FROM "
            f"({tables.select_from_files('contacts', files)}) WHERE local_start < "
            f"DATE '{before}' AND ({condition})"
        ).fetchone()
    return DueContacts(count, oldest.date(), newest.date()) if count else None


def remove_identities(before: date) -> None:
    """Delete the keys of customers and advisors from contacts from before that day, and
    from the before-images.

    What the KPIs need of them stays: that there was a customer, and how many whole days
    (to the call-back: hours) lie between their contacts, too coarse to follow anybody.
    """
    days = (f"ceil({name} / 86400.0) * 86400" for name in schema.NEIGHBOURS[:2])
    hours = f"ceil({schema.NEIGHBOURS[2]} / 3600.0) * 3600"
    coarse = zip(schema.NEIGHBOURS, (*days, hours), strict=True)
    empty_values = dict.fromkeys(schema.IDENTITY, "CAST(NULL AS VARCHAR)")
    had_customer = "CASE WHEN customer_key IS NOT NULL OR had_customer THEN true END"
    values = empty_values | dict(coarse) | {"had_customer": had_customer}
    condition = f"local_start < DATE '{before}' AND ({HAS_IDENTITY})"
    _change(condition, values, _until(before), keeps_figures=True)


def remove_comments(before: date) -> None:
    """Delete what customers wrote from contacts from before that day, and from the
    before-images.
    """
    empty_values = {"survey_comment": "CAST(NULL AS VARCHAR)"}
    condition = f"local_start < DATE '{before}' AND ({HAS_COMMENT})"
    _change(condition, empty_values, _until(before), keeps_figures=True)


ADVISORS, CUSTOMERS = (
    find_columns(schema.CONTACTS, ColumnContent.IDENTIFIER, whose) for whose in (ADVISOR, CUSTOMER)
)
"""Columns that name an advisor, and a customer."""


def remove_advisors(*advisor_ids: str, names: Collection[str] = ()) -> None:
    """Delete advisors from all contacts and the before-images, and these names from their texts;
    the contacts stay.
    """
    who = f"({', '.join(map(tables.quote, advisor_ids))})"
    values = {name: f"CASE WHEN {name} NOT IN {who} THEN {name} END" for name in ADVISORS}
    condition = " OR ".join(f"{name} IN {who}" for name in ADVISORS)
    _change(condition, values, keeps_figures=True)
    remove_names(names)


def remove_names(names: Collection[str]) -> None:
    """Delete these names from the texts of all contacts and of the before-images."""
    for texts, named in _find_naming(names):
        values = {x: rf"regexp_replace({x}, {named}, '\1…\2', 'gi')" for x in texts}
        _change(" OR ".join(f"regexp_matches({x}, {named}, 'i')" for x in texts), values)


def count_named(names: Collection[str]) -> int:
    """Count the contacts in whose texts one of these names stands."""
    tests = [
        f"regexp_matches({x}, {named}, 'i')" for texts, named in _find_naming(names) for x in texts
    ]
    rows = tables.select_from_files("contacts", tables.snapshot("contacts").files())
    with tables.scratch(0) as connection:
        count = f"SELECT count(*) FROM ({rows}) WHERE {' OR '.join(tests)}"
        return connection.execute(count).fetchone()[0]


def _find_naming(names: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find the columns in which a name may stand, and the pattern of the names there (SQL)."""
    in_full = [name for name in names if " " in name]
    for what, some in ((ColumnContent.TEXT, names), (ColumnContent.WORDING, in_full)):
        if some:
            of_names = "|".join(map(re.escape, some))
            named = tables.quote(rf"(^|[^\pL\pN_])(?:{of_names})($|[^\pL\pN_])")
            yield find_columns(schema.CONTACTS, what), named


def key_ids() -> DueContacts | None:
    """Key the telephone numbers in ids and tickets of contacts and of the before-images. Returns
    the contacts of this call and of interrupted ones.
    """
    if tables.version("contacts") < 0:
        return None
    for change in (_drop_twins, _key_ids):
        commit_with_retries("contacts", functools.partial(_with_keys, change))
    history = DeltaTable(tables.snapshot("contacts").folder).history()
    done = [entry["keyed"] for entry in history if "keyed" in entry]
    if not done:
        return None
    counts, oldest, newest = zip(*done, strict=True)
    return DueContacts(sum(counts), *map(date.fromisoformat, (min(oldest), max(newest))))


def _with_keys(
    change: Callable[[duckdb.DuckDBPyConnection, tables.Snapshot], None],
    connection: duckdb.DuckDBPyConnection,
    base: tables.Snapshot,
) -> None:
    from qa_core.base import masking  # its patterns take time at every start

    secret = functools.cache(environment.secret)  # read once, and made for no store without need

    def key_id(text: str) -> str:
        return masking.key_number(text, secret("pseudonyms"))

    with closing(connection.cursor()) as other:
        other.create_function("key_id", key_id, ["VARCHAR"], "VARCHAR")
        try:
            change(connection, base)
        finally:
            other.remove_function("key_id")


def _key_ids(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> None:
    names = find_columns(schema.CONTACTS, ColumnContent.CONTACT)
    condition = " OR ".join(map(_has_number, names))
    values = {
        name: f"CASE WHEN {_has_number(name)} THEN key_id({name}) ELSE {name} END" for name in names
    }
    _change_images(connection, condition, values)
    count, *days = connection.execute(
        "SELECT count(*), min(local_start), max(local_start) FROM "
        f"({tables.select_from_files('contacts', base.files())}) WHERE {condition}"
    ).fetchone()
    if count:
        keyed = {"keyed": [count, *(day.date().isoformat() for day in days)]}
        _rewrite_files(connection, base, EVER, condition, values, True, keyed)


def _has_number(column: str) -> str:
    from qa_core.base import masking

    return f"regexp_matches({column}, {tables.quote(masking.NUMBER_INSIDE)})"


def _drop_twins(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> None:
    """Remove one of two contacts that are one once their ids are keyed: the one that changed
    earlier.
    """
    from qa_core.base import masking

    rewrite = Rewrite(connection, base, ())
    connection.execute(
        f"CREATE TEMP VIEW stored AS {tables.select_from_files('contacts', base.files())}"
    )
    is_clear = _has_number("contact_id")
    is_keyed = f"regexp_matches(contact_id, '{masking.KEY_INSIDE}')"
    if not all(_has_rows(connection, "FROM stored", test) for test in (is_clear, is_keyed)):
        return
    connection.execute(
        "CREATE TEMP TABLE twins AS SELECT source_system, key_id(contact_id) AS keyed_id FROM "
        f"stored WHERE {is_clear} INTERSECT SELECT source_system, contact_id FROM stored "
        f"WHERE {is_keyed}"
    )
    if not _has_rows(connection, "FROM twins", "true"):
        return
    places = {entry["batch_id"]: place for place, entry in enumerate(current_commits(base))}
    batches = pa.array(places, pa.string()), pa.array(places.values(), pa.int64())
    connection.register("batches", pa.table(batches, names=["batch_id", "place"]))
    keyed_id = f"CASE WHEN {is_clear} THEN key_id(contact_id) ELSE contact_id END"
    connection.execute(f"""
        CREATE TEMP TABLE row_status AS
        SELECT {rewrite.list_key("s")}, month AS old_month, CAST(NULL AS VARCHAR) AS new_month,
            started_at AS old_clock, CAST(NULL AS TIMESTAMP) AS new_clock, 'deleted' AS status,
            customer_key AS before_customer, started_at AS before_start,
            CAST(NULL AS VARCHAR) AS after_customer, CAST(NULL AS TIMESTAMP) AS after_start
        FROM (SELECT *, {keyed_id} AS keyed_id FROM stored) s
            SEMI JOIN twins USING (source_system, keyed_id) LEFT JOIN batches USING (batch_id)
        QUALIFY row_number() OVER (PARTITION BY source_system, keyed_id
            ORDER BY place DESC NULLS LAST, contact_id = keyed_id DESC) > 1
    """)
    connection.execute("CREATE TEMP VIEW incoming AS SELECT * FROM row_status WHERE false")
    rewrite.run([], {})


def find_advisors(first_day: date) -> frozenset[str]:
    """Return the ids of all advisors that contacts from that day on name, read once per version
    of the lake.
    """
    return _find_advisors(first_day, tables.version("contacts"), tables.lake_folder())


@functools.lru_cache(maxsize=2)
def _find_advisors(first_day: date, _version: int, _lake: Path) -> frozenset[str]:
    files = tables.snapshot("contacts").files()
    rows = tables.select_from_files("contacts", files)
    with tables.scratch(0) as connection:
        since = f"local_start >= DATE '{first_day}'"
        selects = (f"SELECT {name} FROM ({rows}) WHERE {since}" for name in ADVISORS)
        return frozenset(name for (name,) in connection.execute(" UNION ".join(selects)).fetchall())


def mark(
    column: str,
    customer_keys: Collection[str] = (),
    contacts: Iterable[ContactKey] = (),
    value: bool = True,
    batch_id: str = "",
    days: Days = EVER,
) -> None:
    """Set one of the `RESTRAINTS` on every contact of these customers, also where their number
    is shared, and on these contacts (a system of None: of any system). With `batch_id`, only on
    those that it brought or changed, which are of these `days`; no before-image holds any.
    """
    ids: dict[str | None, list[str]] = {}
    for system, contact_id in contacts:
        ids.setdefault(system, []).append(contact_id)
    tests = [_is_among(name, customer_keys) for name in CUSTOMERS if customer_keys]
    for system, numbers in ids.items():
        of_system = f" AND source_system = {tables.quote(system)}" if system else ""
        tests.append(f"({_is_among('contact_id', numbers)}{of_system})")
    if tests:
        of_batch = f"batch_id = {tables.quote(batch_id)} AND " if batch_id else ""
        condition = f"{of_batch}{column} IS NOT {value} AND ({' OR '.join(tests)})"
        _change(condition, {column: str(value).lower()}, days, with_images=not batch_id)


def _is_among(column: str, values: Collection[str]) -> str:
    return f"{column} IN ({', '.join(map(tables.quote, values))})"


def touch() -> None:
    """Make a next version with the same contacts, so that nobody answers from what was
    kept of this one.
    """

    def attempt(_connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> None:
        if base.version >= 0:
            tables.commit(base, tables.Commit())

    commit_with_retries("contacts", attempt)


def mark_known_customers(day: date) -> None:
    """Mark the first inbound contact from that day on of each customer who had one before,
    so that nobody counts as new when the earlier ones name nobody any more.
    """

    def attempt(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> None:
        inbound = (
            f"({tables.select_from_files('contacts', base.files())}) WHERE customer_key IS NOT "
            "NULL AND coalesce(direction, 'inbound') = 'inbound'"
        )
        connection.execute(f"""
            CREATE TEMP TABLE known AS
            SELECT source_system, contact_id, seen_before FROM {inbound}
                AND local_start >= DATE '{day}' AND customer_key IN (
                    SELECT customer_key FROM {inbound} AND local_start < DATE '{day}')
            QUALIFY row_number() OVER (PARTITION BY customer_key ORDER BY started_at,
                source_system, contact_id) = 1
        """)
        connection.execute("DELETE FROM known WHERE seen_before")
        is_known = "(source_system, contact_id) IN (SELECT (source_system, contact_id) FROM known)"
        _rewrite_files(connection, base, EVER, is_known, {"seen_before": "true"}, True)

    commit_with_retries("contacts", attempt)


def _change(
    condition: str,
    values: Mapping[str, str],
    days: Days = EVER,
    keeps_figures: bool = False,
    with_images: bool = True,
) -> None:
    """Set columns of the contacts of these days that fulfil the condition, and of the
    before-images.
    """

    def attempt(connection: duckdb.DuckDBPyConnection, base: tables.Snapshot) -> None:
        if with_images:
            _change_images(connection, condition, values)
        _rewrite_files(connection, base, days, condition, values, keeps_figures)

    commit_with_retries("contacts", attempt)


def _rewrite_files(
    connection: duckdb.DuckDBPyConnection,
    base: tables.Snapshot,
    days: Days,
    condition: str,
    values: Mapping[str, str],
    keeps_figures: bool,
    metadata: Mapping[str, Any] = {},
) -> None:
    """Set columns of the rows that fulfil the condition, in one commit; neighbours stay.
    Where that `keeps_figures`, each file has the lineage of the one before.
    """
    replacements = ", ".join(
        f"CASE WHEN {condition} THEN {value} ELSE {name} END AS {name}"
        for name, value in values.items()
    )
    adds, changed = [], []
    for part in base.parts:
        if not part.overlaps(*days):
            continue
        rows = tables.select_from_files("contacts", [str(base.folder / part.path)])
        if not _has_rows(connection, rows, condition):
            continue
        changed.append(part)
        rewritten_rows = f"SELECT * REPLACE ({replacements}) FROM ({rows})"
        lineage = part.lineage if keeps_figures else None
        add = tables.write_part(connection, base, part.month, rewritten_rows, lineage)
        adds += [add] if add else []
    if changed:
        tables.commit(base, tables.Commit(adds, changed, metadata=dict(metadata)))


def _change_images(
    connection: duckdb.DuckDBPyConnection, is_due: str, values: Mapping[str, str]
) -> None:
    for image in sorted(image_folder().glob("contacts-*.parquet")):
        # An image of an earlier version may lack a column.
        rows = (
            f"({tables.select_from_files('contacts', [])} UNION ALL BY NAME SELECT * FROM "
            f"{read_image(image.name)})"
        )
        if status_of(image.name) == "new":  # keys alone
            names = [name for name in schema.CONTACT_KEY if name in values]
            differs = " OR ".join(f"{values[name]} <> {name}" for name in names)
            if names and _has_rows(connection, rows, differs):
                keys = (f"{values.get(name, name)} AS {name}" for name in schema.CONTACT_KEY)
                _replace_image(connection, image, f"SELECT {', '.join(keys)} FROM {rows}")
        elif _has_rows(connection, rows, is_due):
            columns = ", ".join(
                f"CASE WHEN {is_due} THEN {value} ELSE {name} END AS {name}"
                for name, value in values.items()
            )
            _replace_image(connection, image, f"SELECT * REPLACE ({columns}) FROM {rows}")


def _has_rows(connection: duckdb.DuckDBPyConnection, rows: str, condition: str) -> bool:
    found = connection.execute(f"SELECT 1 FROM ({rows}) WHERE {condition} LIMIT 1").fetchall()
    return bool(found)  # read to its end: an open result stops `register`


def _replace_image(connection: duckdb.DuckDBPyConnection, image: Path, select: str) -> None:
    draft = image.with_suffix(".draft")
    connection.execute(
        f"COPY ({select}) TO {tables.quote(str(draft))} (FORMAT parquet, COMPRESSION zstd)"
    )
    os.replace(draft, image)


def _until(before: date) -> Days:
    return date.min, before - timedelta(days=1)


def vacuum(at_once: bool = False) -> int:
    """Delete the files that no version of the last ten minutes holds, and what killed
    writers left behind. Returns the number of files.

    `at_once`: also the files of all earlier versions, as soon as nobody reads them, in
    at most ten minutes.
    """
    count = 0
    if at_once:
        tables.wait_for_readers(READER_SECONDS)
    for name in tables.TABLES:
        with tables.writing(name):
            base = tables.snapshot(name)
            count += _vacuum_table(base, 0 if at_once else READER_SECONDS) + _vacuum_images(base)
    if at_once:
        month_sums.forget()  # a reader of an earlier version may have kept some since
    month_sums.tidy()
    remove_dead_folders()
    return count


def _vacuum_table(base: tables.Snapshot, seconds: float) -> int:
    if base.version < 0:
        return 0
    table = DeltaTable(base.folder)
    horizon = (time.time() - seconds) * 1000
    superseded_at = float("inf")
    kept_versions = []
    for entry in table.history():
        if kept_versions and superseded_at <= horizon:
            break
        kept_versions.append(entry["version"])
        superseded_at = entry["timestamp"]
    return len(
        table.vacuum(
            retention_hours=0,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
            keep_versions=kept_versions,
        )
    )


def _vacuum_images(base: tables.Snapshot) -> int:
    horizon = time.time() - IMAGE_DAYS * 86400
    images = {
        image
        for entry in current_commits(base)
        if entry["timestamp"] / 1000 >= horizon
        for image in entry["undo"]
    }
    stale = [image for image in image_folder().glob(f"{base.name}-*") if image.name not in images]
    for image in stale:
        image.unlink(missing_ok=True)
    return len(stale)


def remove_dead_folders() -> None:
    """Remove the temporary folders of processes that were killed, by the process in their
    names: folders of this home, and folders of trials, which lie outside.
    """
    here, outside = environment.current().temporary_folder, Path(tempfile.gettempdir())
    patterns = [(here, f"{name}-*") for name in ("lake", "engine", "staged")]
    for parent, pattern in (*patterns, (outside, f"{TRIAL}-*")):
        for folder in parent.glob(pattern):
            maker = folder.name.removeprefix(pattern[:-1]).split("-")[0]
            try:
                number = int(maker.split(".")[0])
                os.kill(number, 0)
                is_alive = environment.name_process(number) in (maker, str(number))
            except ProcessLookupError:
                is_alive = False
            except (PermissionError, ValueError):
                is_alive = True  # under another user, or none of ours
            if not is_alive:
                shutil.rmtree(folder, ignore_errors=True)
