"""Preparation of the rows of a contacts file for the lake: ids for rows without one,
the newest row of each id, advisors and teams by name.
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from qa_core.centre.advisors import AdvisorReference, ResolvedNames, normalise_name
from qa_core.centre.rules.active_rules import (
    MEMBERSHIP,
    ActiveRules,
    fill_team,
    join_memberships,
    select_start,
    source_value,
)
from qa_core.centre.rules.number_assignments import BY_NUMBER
from qa_core.ingest.staging.duckdb_session import PreparedRows, write_rows
from qa_core.ingest.staging.staged import Staged
from qa_core.storage import lake, name_merges
from qa_core.storage.erased_people import ErasedPeople
from qa_core.storage.facts.schema import AS_GIVEN
from qa_core.storage.lake.tables import quote, select_from_files
from qa_core.storage.replay_list import ADVISOR_NAME

NOT_IN_LAKE = (
    "line", "source_system", "contact_id", "advisor", "advisor_name", "site", "updated_at", "team",
    "started_at", "local_start", "excluded_line",
)  # fmt: skip
NOT_IN_ROW_ID = frozenset(
    {"line", "source_system", "contact_id", "ticket", "csat_scale", "local_start", "time_missing"}
    | {"excluded_line"}
)
"""Columns that are no part of a row's id: the scale is inferred from the column, the
wall clock follows from the moment, several contacts may belong to one ticket, and lines
are excluded at any time.
"""

KEY_JOIN = "k.source_system = c.source_system AND k.contact_id = c.contact_id"
STORED_COLUMNS = (
    "c.source_system", "c.contact_id", "local_start", "direction", "advisor_id", "team",
    "tracking_match", "private_line", "handled_by",
    *(AS_GIVEN[name] for name in ("advisor_id", "team", "customer_key", "handled_by")),
)  # fmt: skip
"""Columns of a stored contact that are asked for when its row comes again."""
_NO_CONTACTS = "SELECT NULL::VARCHAR AS customer_key, NULL::DATE AS day WHERE false"
MAX_LOOKUPS = 100_000
"""Rows up to which the stored contacts are looked up once and kept beside."""


def deduplicate_keys(
    connection: duckdb.DuckDBPyConnection, staged: Staged, scope: str | None = None
) -> int:
    """Assign a key to every row and keep the newest row of each. Creates the table
    `keyed` (line, source_system, contact_id), and `known`, the stored contacts with one of
    these keys. Returns the number of duplicates.

    A row without an id gets one from its mapped values and its rank among equals:
    identical rows stay two contacts, and the same file again gets the same ids. `scope`:
    format of the start, which is part of the key where ids are used again.
    """
    reference = staged.select_column("contact_id")
    if scope:
        reference = f"({reference} || '@' || strftime(local_start, {quote(scope)}))"
    system = staged.select_system()
    values = ", ".join(
        f"""coalesce(CAST("{name}" AS VARCHAR), chr(30))"""
        for name in sorted(set(staged.columns) - NOT_IN_ROW_ID)
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE keyed AS
        SELECT line, {system} AS source_system, {reference} AS contact_id FROM staged
            WHERE {reference} IS NOT NULL
        UNION ALL
        SELECT line, source_system, 'row-' || content || '-' || row_number() OVER (PARTITION BY
            source_system, content ORDER BY line)
        FROM (SELECT line, {system} AS source_system, substr(sha256(concat_ws(chr(31), {values})),
            1, 24) AS content FROM staged WHERE {reference} IS NULL)"""
    )
    newest = "s.updated_at DESC NULLS LAST, " if "updated_at" in staged.columns else ""
    source = "keyed k JOIN staged s USING (line)" if newest else "keyed k"
    row_count = connection.execute("SELECT count(*) FROM keyed").fetchone()[0]
    connection.execute(
        f"""
        CREATE TEMP TABLE older AS
        SELECT line FROM (
            SELECT k.line, row_number() OVER (PARTITION BY k.source_system, k.contact_id
                ORDER BY {newest}k.line DESC) AS place
            FROM {source} SEMI JOIN (SELECT source_system, contact_id FROM keyed
                GROUP BY ALL HAVING count(*) > 1) t
                ON t.source_system = k.source_system AND t.contact_id = k.contact_id
        ) WHERE place > 1"""
    )
    connection.execute("DELETE FROM keyed WHERE line IN (SELECT line FROM older)")
    stored = "SELECT * FROM contacts"
    if staged.accepted <= MAX_LOOKUPS:
        stored = (
            f"SELECT {', '.join(STORED_COLUMNS)} FROM contacts c SEMI JOIN keyed k ON {KEY_JOIN}"
        )
    kind = "TABLE" if staged.accepted <= MAX_LOOKUPS else "VIEW"
    connection.execute(f"CREATE TEMP {kind} known AS {stored}")
    return row_count - connection.execute("SELECT count(*) FROM keyed").fetchone()[0]


def find_advisors(connection: duckdb.DuckDBPyConnection, staged: Staged) -> list[AdvisorReference]:
    """Find every advisor that the file names, as (text, name)."""
    if not {"advisor", "advisor_name"} & set(staged.columns):
        return []
    return connection.execute(
        f"SELECT DISTINCT {staged.select_column('advisor')}, "
        f"{staged.select_column('advisor_name')} FROM staged"
    ).fetchall()


def find_forgotten(
    connection: duckdb.DuckDBPyConnection, staged: Staged, moment: str = "started_at"
) -> set[AdvisorReference]:
    """Find the references to erased advisors whom the file names before their erasure alone."""
    erased = ErasedPeople.load()
    if not erased or not {"advisor", "advisor_name"} & set(staged.columns):
        return set()
    last = f"max({staged.select_column(moment, kind='TIMESTAMP')})"
    rows = connection.execute(
        f"SELECT {staged.select_column('advisor')}, {staged.select_column('advisor_name')}, "
        f"{last} FROM staged GROUP BY 1, 2"
    ).fetchall()
    return {
        (text, name)
        for text, name, at in rows
        if any(
            erased.is_gone(ADVISOR_NAME, normalise_name(word), at) for word in (text, name) if word
        )
    }


def register_shared_numbers(
    connection: duckdb.DuckDBPyConnection, staged: Staged, rules: ActiveRules
) -> bool:
    """Create the relation of the file's shared numbers, counted together with stored
    contacts. Returns whether the rules must be applied to stored contacts too: some carry
    one of them as a customer, or the file gives a shared number's contacts to others.
    """
    if "customer_key" not in staged.columns:
        return False
    # A number that had too many contacts on a day that is not in the file is known: its
    # stored contacts keep it beside.
    stored_key, source_key = source_value("customer_key"), AS_GIVEN["customer_key"]
    days = "SELECT min(local_start), max(local_start) FROM staged"
    [(first, last)] = connection.execute(days).fetchall()  # an open result stops `register`
    if first is None:  # no row of the file is left
        connection.execute(rules.make_shared(_NO_CONTACTS))
        return False
    base = lake.snapshot("contacts")
    files = [
        str(base.folder / part.path)
        for part in base.parts
        if part.overlaps(first.date(), last.date())
    ]
    stored_rows = (
        f"SELECT {stored_key}, CAST(c.local_start AS DATE) FROM "
        f"({select_from_files('contacts', files)}) c ANTI JOIN keyed k ON {KEY_JOIN} WHERE "
        f"{stored_key} IN (SELECT customer_key FROM staged) AND "
        f"c.local_start >= DATE '{first:%Y-%m-%d}' AND "
        f"c.local_start < DATE '{last:%Y-%m-%d}' + INTERVAL 1 DAY"
    )
    file_rows = (
        "SELECT s.customer_key, CAST(s.local_start AS DATE) AS day FROM staged s JOIN keyed "
        "USING (line)"
    )
    # Look the numbers of the file up among those that contacts keep beside, which are few. A hash
    # table of all numbers of the file would not fit into the memory.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE known_shared AS WITH beside AS MATERIALIZED (SELECT "
        f"source_system, contact_id, {source_key} AS customer_key FROM contacts WHERE "
        f"{source_key} IS NOT NULL), kept AS MATERIALIZED (SELECT DISTINCT customer_key FROM "
        f"beside c ANTI JOIN keyed k ON {KEY_JOIN}) SELECT DISTINCT s.customer_key FROM staged s "
        "SEMI JOIN kept ON s.customer_key = kept.customer_key"
    )
    connection.execute(
        rules.make_shared(
            f"{file_rows} UNION ALL {stored_rows}", "SELECT customer_key FROM known_shared"
        )
    )
    corrected = (
        f"SELECT 1 FROM known c JOIN keyed k ON {KEY_JOIN} JOIN staged s USING (line) WHERE "
        f"c.{source_key} IS NOT NULL AND (c.{source_key} IS DISTINCT FROM s.customer_key OR "
        "CAST(c.local_start AS DATE) <> CAST(s.local_start AS DATE)) LIMIT 1"
    )
    if connection.execute(corrected).fetchall():
        return True
    newly_shared = (
        "SELECT customer_key FROM shared_numbers EXCEPT SELECT customer_key FROM known_shared"
    )
    if not connection.execute(f"{newly_shared} LIMIT 1").fetchall():
        return False
    stored = f"SELECT 1 FROM contacts WHERE customer_key IN ({newly_shared}) LIMIT 1"
    return bool(connection.execute(stored).fetchall())


def have_moved(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether stored contacts come with another day, by which rules hold."""
    moved = (
        f"SELECT 1 FROM known c JOIN keyed k ON {KEY_JOIN} JOIN staged s USING (line) "
        "WHERE c.local_start <> s.local_start LIMIT 1"
    )
    return bool(connection.execute(moved).fetchall())


def prepare_contacts(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    resolved_names: ResolvedNames,
    memberships: pa.Table,
    rules: ActiveRules,
) -> PreparedRows:
    """Write the rows of the lake from `staged` and `keyed`, with the rules of the
    centre applied. Needs the relation of `register_shared_numbers`.
    """
    own_columns = [name for name in staged.columns if name not in NOT_IN_LAKE]
    select = {name: f's."{name}"' for name in own_columns}
    joins = ["FROM staged s JOIN keyed k USING (line)"]
    carried = [*own_columns]
    reads_stored = False
    if {"advisor", "advisor_name"} & set(staged.columns):
        connection.register("names", build_names_table(resolved_names.ids))
        text, name = (
            f"coalesce({staged.select_column(column, 's.')}, '')"
            for column in ("advisor", "advisor_name")
        )
        joins.append(f"LEFT JOIN names n ON n.advisor = {text} AND n.advisor_name = {name}")
        select["advisor_id"] = "n.advisor_id"
        carried.append("advisor_id")
    merged_advisors = rules.kept_names.get("advisor", {}) if "advisor_id" in select else {}
    advisor_ids = set(resolved_names.ids.values())
    advisor_ids |= {merged_advisors.get(advisor_id, advisor_id) for advisor_id in advisor_ids}
    members = set(memberships["advisor_id"].to_pylist())
    # Without a team in the file, a stored contact that changes its advisor loses the former one's.
    may_lose_team = "team" not in staged.columns and bool(lake.snapshot("contacts").parts)
    from_memberships = "advisor_id" in select and (may_lose_team or bool(members & advisor_ids))
    if from_memberships or "team" in staged.columns:
        own_team, membership = "s.team", "CAST(NULL AS VARCHAR)"
        if "team" not in staged.columns:
            # The team of an earlier file stays while the advisor is the same.
            reads_stored = True
            is_same = f"{source_value('advisor_id')} = n.advisor_id"
            own_team = f"CASE WHEN {is_same} THEN {source_value('team')} END"
        if from_memberships:
            connection.register("memberships", memberships)
            kept_advisor = name_merges.spell("n.advisor_id", merged_advisors)
            joins.append(join_memberships("n.advisor_id", kept_advisor, "s.local_start"))
            membership = MEMBERSHIP
        select |= fill_team(own_team, membership)
        carried += ["team", AS_GIVEN["team"]]
    if rules.has_assignments and {"source", "medium", "campaign"} & set(own_columns):
        # A campaign that the file names overrides the one of its tracking number.
        reads_stored = True
        names = [name for name in ("source", "medium", "campaign") if name in own_columns]
        stated_columns = ", ".join(f's."{name}"' for name in names)
        select["tracking_match"] = (
            f"CASE WHEN coalesce({stated_columns}) IS NOT NULL THEN nullif(c.tracking_match, "
            f"'{BY_NUMBER}') ELSE c.tracking_match END"
        )
        carried.append("tracking_match")
    if "excluded_line" in staged.columns:
        reads_stored = True
        own = select.get("private_line", "c.private_line")
        select["private_line"] = f"CASE WHEN s.excluded_line THEN true ELSE {own} END"
        carried += [] if "private_line" in carried else ["private_line"]
    if rules.machines and "advisor_id" in select and "handled_by" not in select:
        # What an earlier file said of the same contact stays.
        reads_stored = True
        select["handled_by"] = source_value("handled_by")
        carried.append("handled_by")
    if "handled_by" in select:
        select[AS_GIVEN["handled_by"]] = "CAST(NULL AS VARCHAR)"
        carried.append(AS_GIVEN["handled_by"])
    if rules.hours and "outcome" in select and not {"direction", "team"} <= select.keys():
        reads_stored = True
    if reads_stored:
        joins.append(f"LEFT JOIN known c ON {KEY_JOIN}")
    missing = "c.{}" if reads_stored else "CAST(NULL AS VARCHAR)"
    direction, team = (select.get(name, missing.format(name)) for name in ("direction", "team"))
    timeless = staged.select_column("time_missing", "s.", kind="BOOLEAN")
    changes = rules.change(select, select_start("s.local_start", timeless), direction, team)
    carried += [name for name in changes if name not in carried]
    select |= changes
    for_new = {name: value for name, value in staged.defaults.items() if name not in select}
    expressions = select | {name: quote(value) for name, value in for_new.items()}
    select_list = (
        "k.source_system, k.contact_id, s.started_at, s.local_start, "
        "strftime(s.local_start, '%Y-%m') AS month"
    ) + "".join(f', {expression} AS "{name}"' for name, expression in expressions.items())
    path = staged.folder / "contacts.parquet"
    rows = write_rows(connection, f"SELECT {select_list} {' '.join(joins)}", path)
    return PreparedRows(path, rows, tuple(carried), tuple(for_new))


def build_names_table(ids: Mapping[AdvisorReference, str]) -> pa.Table:
    """Build the table (advisor, advisor_name, advisor_id) of the advisors of a file;
    empty text where the file has none.
    """
    columns = [[pair[0] or "" for pair in ids], [pair[1] or "" for pair in ids], list(ids.values())]
    names = ("advisor", "advisor_name", "advisor_id")
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in names]))
