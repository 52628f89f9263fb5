"""Ids that a tool uses again, such as counters that restart each day or on each device.
The key of a contact then includes its day or its start.
"""

from pathlib import Path

import duckdb

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import DAY_IN_KEY
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns.header_matching import name_field
from qa_core.ingest.reading import registry
from qa_core.ingest.staging.staged import Staged
from qa_core.storage import lake
from qa_core.storage.lake import tables
from qa_core.storage.lake.tables import quote

_SCOPES: dict[tuple[str, int, Path], str | None] = {}
BY_DAY, BY_START = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"
MAX_REUSED_SHARE = 0.01
"""Share of rows with ids of several contacts up to which ids are taken for unique."""
MAX_IDS = 0.9
HOURS_APART = 20
MAX_OVERLAPPING = 0.05
"""Share of rows that may overlap with another of the same customer."""
_NUMBERS, _PARTS = ("customer", "caller", "from_party"), ("wait", "talk")
_TOLD = ("advisor", "queue", "outcome", "wait_seconds", "talk_seconds")
"""Columns in which rows differ that are no copies."""


def find_key_scope(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: ImportOptions
) -> tuple[str | None, Decision | None]:
    """Find what the key of a contact includes besides its id, as a format of its start
    (None: nothing), and the decision about it. Raises Refusal where some repeated ids
    belong to several contacts and others to one.
    """
    if staged.kind != "contacts" or "contact_id" not in staged.columns:
        if staged.kind == "contacts":
            _require_apart(connection, staged, options)
        return None, None
    known_scope = _find_known_scope(connection, staged)
    if staged.repeated_ids is None:
        counting = _count_repeated(staged, "contact_id")
        staged.repeated_ids = connection.execute(counting).fetchone()
    rows, ids, repeats, other_ids, other_rows, same_day = staged.repeated_ids
    column = staged.mapping.get("contact_id", "contact_id")
    contacts = rows - (repeats or 0)
    params = {"column": column, "ids": ids, "others": other_ids, "rows": rows, "contacts": contacts}
    is_reused = (other_rows or 0) > MAX_REUSED_SHARE * rows
    is_mixed = is_reused and other_ids < MAX_IDS * ids
    scope = BY_START if known_scope == BY_START or same_day else BY_DAY
    others = _find_other_ids(staged) if repeats else []
    is_guess = _is_guess(staged, options, "contact_id")
    is_merged = is_guess and is_reused and _has_repeats(connection, scope)
    is_open = known_scope is None and "contact_id" not in options.columns
    if is_open and (is_mixed or (is_guess and others) or is_merged):
        raise Refusal(
            "mixed_ids",
            "In {column}, {ids} ids repeat; {others} of them belong to several contacts (other "
            "days or customers). Name the column if the same id is the same contact ({contacts} "
            "contacts). Or leave it aside: then every row is a contact ({rows} contacts).",
            options=(
                *(f"--map contact_id={name}" for name in (*others, column)),
                f"--map ignore={column}",
            ),
            **params,
        )
    if is_open and is_guess and not repeats:
        _require_apart(connection, staged, options, column)
    elif is_open and is_guess and not is_reused:
        _require_whole(connection, staged, column)
    if known_scope is None and (is_mixed or not is_reused):
        message = N_("a repeated id is the same contact: {contacts} contacts in {rows} rows")
        same = Decision.of("contact_id", message, str(ids), **params)
        return None, same if repeats else None
    decision = Decision.of(
        "contact_id",
        N_("ids are reused: id and day together identify a contact")
        if scope == BY_DAY
        else N_("ids are reused: id and start together identify a contact"),
        f"{other_ids} / {ids}",
        **params,
    )
    return scope, decision


def _is_guess(staged: Staged, options: ImportOptions, name: str) -> bool:
    """Return whether a field of a table was recognised by its header, not named as ours."""
    is_table = not registry.is_platform(staged.profile) and not options.is_stated
    return is_table and staged.mapping.get(name, name) != name


def _require_apart(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: ImportOptions, own_id: str = ""
) -> None:
    """Raise Refusal where many calls overlap, with one customer: parts of contacts, without an
    id or each with its own.
    """
    name = next((name for name in _NUMBERS if _is_guess(staged, options, name)), None)
    is_stated = not own_id and (name in options.columns or bool(options.ignored))
    if name is None or is_stated or "customer_key" not in staged.columns:
        return
    parts = (staged.select_column(f"{part}_seconds", kind="DOUBLE") for part in _PARTS)
    seconds = " + ".join(f"coalesce({part}, 0)" for part in parts)
    told, channel = ", ".join(map(staged.select_column, _TOLD)), staged.select_column("channel")
    counting = (
        "SELECT count(*), count(*) FILTER (local_start <= ended + INTERVAL 1 SECOND AND told IS "
        "DISTINCT FROM told_before AND local_start > date_trunc('day', local_start)) FROM (SELECT "
        f"local_start, ({told}) AS told, lag(({told})) OVER w AS told_before, "
        f"lag(local_start + to_seconds({seconds})) OVER w AS ended FROM staged "
        f"WHERE customer_key IS NOT NULL AND coalesce({channel}, 'phone') = 'phone' "
        "WINDOW w AS (PARTITION BY customer_key ORDER BY local_start, line))"
    )
    staged.overlaps = staged.overlaps or connection.execute(counting).fetchone()
    rows, overlaps = staged.overlaps
    if overlaps > MAX_OVERLAPPING * rows:
        raise Refusal(
            "rows_of_contacts",
            "{count} of {rows} rows begin while another with the same {column} lasts, such as the "
            "parts of a transferred call. Each would count as a contact. Export one row per "
            "contact, name the column with its id, or name {own} if every row is a contact.",
            options=(
                f"--map contact_id={own_id}" if own_id else f"--map {name}={staged.mapping[name]}",
                "--map contact_id=COLUMN",
            ),
            column=staged.mapping[name],
            own=own_id or staged.mapping[name],
            count=overlaps,
            rows=rows,
        )


def _find_known_scope(connection: duckdb.DuckDBPyConnection, staged: Staged) -> str | None:
    """Find what stored keys of this system include, once per version of the lake."""
    state = (staged.system, lake.version("contacts"), tables.lake_folder())
    try:
        return _SCOPES[state]
    except KeyError:
        suffix_length = connection.execute(
            f"SELECT max(length(regexp_extract(contact_id, '{DAY_IN_KEY}'))) FROM contacts "
            f"WHERE source_system = {quote(staged.system)} AND contains(contact_id, '@') AND "
            f"regexp_matches(contact_id, '{DAY_IN_KEY}')"
        ).fetchone()[0]
    is_day = suffix_length == len("@2026-01-01")
    scope = None if suffix_length is None else BY_DAY if is_day else BY_START
    _SCOPES.clear()
    _SCOPES[state] = scope
    return scope


def _require_whole(connection: duckdb.DuckDBPyConnection, staged: Staged, column: str) -> None:
    """Raise Refusal where rows of one id are parts of a contact, with other starts or advisors."""
    if "updated_at" in staged.columns:
        return
    advisors = f"count(DISTINCT {staged.select_column('advisor')})"
    ids, legs = connection.execute(
        "SELECT count(*), count(*) FILTER (starts > 1 OR advisors > 1) FROM (SELECT count(*) AS "
        f"rows, count(DISTINCT local_start) AS starts, {advisors} AS advisors "
        "FROM staged WHERE contact_id IS NOT NULL GROUP BY contact_id) WHERE rows > 1"
    ).fetchone()
    if 2 * legs > ids:
        raise Refusal(
            "legs_of_contacts",
            "In {column}, {ids} ids are on rows with other starts or advisors, such as the parts "
            "of a transferred call. Only the last row of each would count. The waits and "
            "talk times of the others would be lost. Export one row per contact, or say what a row "
            "is.",
            options=(f"--map contact_id={column}", f"--map ignore={column}"),
            column=column,
            ids=legs,
        )


def _find_other_ids(staged: Staged) -> list[str]:
    """Find the unused columns whose header names an id of contacts too."""
    fields = registry.get_profile("contacts", None).fields
    return [text for text in staged.dropped if name_field(text, fields) == "contact_id"]


def _has_repeats(connection: duckdb.DuckDBPyConnection, scope: str) -> bool:
    """Return whether ids repeat within that scope: rows of the file would be merged."""
    return connection.execute(
        "SELECT count(*) > count(DISTINCT (contact_id, strftime(local_start, ?))) FROM staged "
        "WHERE contact_id IS NOT NULL",
        [scope],
    ).fetchone()[0]


def _count_repeated(staged: Staged, reference: str) -> str:
    """Build SQL that counts the rows of the file, ids that come more than once, rows
    beyond the first of each, ids of several contacts, their rows, and whether any of
    them are on one day.
    """

    def distinct(name: str) -> str:
        return f"count(DISTINCT {name})" if name in staged.columns else "0"

    other_people = (
        f"({distinct('customer_key')} > 1 OR ({distinct('advisor')} > 1 "
        "AND max(local_start) - min(local_start) > INTERVAL 1 HOUR))"
    )
    return f"""
        WITH again AS MATERIALIZED (
            SELECT * FROM staged SEMI JOIN (
                SELECT {reference} FROM staged WHERE {reference} IS NOT NULL
                GROUP BY {reference} HAVING count(*) > 1
            ) USING ({reference})
        ), repeated AS (
            SELECT {reference}, count(*) AS rows,
                max(local_start) - min(local_start) > INTERVAL {HOURS_APART} HOUR AS is_apart,
                {other_people} AS is_other
            FROM again GROUP BY {reference}
        ), days AS (
            SELECT {reference}, {other_people} AS is_other FROM again
            GROUP BY {reference}, CAST(local_start AS DATE) HAVING count(*) > 1
        )
        SELECT (SELECT count(*) FROM staged), count(*), sum(rows) - count(*),
            count(*) FILTER (is_apart OR is_other),
            sum(rows) FILTER (is_apart OR is_other),
            (SELECT coalesce(bool_or(is_other), false) FROM days)
        FROM repeated"""
