"""Application of the centre's rules to everything stored: contacts in one commit,
evaluations in one transaction. Values are computed anew from the sources: it can run at
any time, and changes nothing twice.
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import doors, environment
from qa_core.centre import advisors
from qa_core.centre.rules import number_assignments
from qa_core.centre.rules.active_rules import (
    SPELLED_COLUMNS,
    ActiveRules,
    fill_team,
    join_memberships,
    select_start,
    source_value,
)
from qa_core.ingest.rules import reattach
from qa_core.ingest.staging.duckdb_session import write_rows
from qa_core.ingest.staging.pseudonyms import find_number
from qa_core.ingest.staging.staged import create_batch_id
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import lake, name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import AS_GIVEN
from qa_core.storage.lake.tables import quote
from qa_core.storage.records import due_work, store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import CENTRE_RULES, DueWork
from qa_core.storage.records.store import Session


def apply_if_due() -> int:
    """Apply changed rules, if requested. Returns contacts changed; the caller locks imports."""
    if not due_work.is_due(CENTRE_RULES):
        return 0
    changed, advisor_ids = _apply_to_contacts()
    withdrawal.withdraw_forbidden("system")  # of advisors who are others now
    with store.writing() as session:
        apply_to_evaluations(session)
        session.flush()
        reattach.update_listening(session)
        reattach.update_teams(session, advisor_ids)
        session.execute(sa.delete(DueWork).filter_by(name=CENTRE_RULES))
    return changed


def apply_to_evaluations(session: Session) -> None:
    """Set advisors of evaluations to those they were merged into, with the team; or back."""
    kept_advisors = ActiveRules.load(session).kept_names["advisor"]
    spans = advisors.group_spans(advisors.find_memberships(session)) if kept_advisors else {}
    may_differ = sa.or_(
        Evaluation.given_advisor_id.is_not(None),
        Evaluation.given_team.is_not(None),
        Evaluation.advisor_id.in_(kept_advisors),
    )
    merged = Unscoped(
        sa.select(Evaluation).where(may_differ),
        "When advisors are merged or separated, all their evaluations are renamed. None is shown.",
    )
    for evaluation in session.scalars(merged).all():
        source_advisor = evaluation.given_advisor_id or evaluation.advisor_id
        team = None if evaluation.given_team == "" else evaluation.team
        advisor_id = kept_advisors.get(source_advisor, source_advisor)
        filled_team = None
        if team is None and advisor_id != source_advisor:
            filled_team = advisors.find_team(spans, advisor_id, evaluation.local_day)
        evaluation.advisor_id = advisor_id
        evaluation.given_advisor_id = source_advisor if advisor_id != source_advisor else None
        evaluation.team, evaluation.given_team = team or filled_team, "" if filled_team else None


@doors.writes("contacts")
def _apply_to_contacts() -> tuple[int, set[str]]:
    """Return how many contacts changed, and the ids of their advisors."""
    if lake.version("contacts") < 0:
        return 0, set()
    with store.reading() as session:
        rules, memberships = ActiveRules.load(session), advisors.find_memberships(session)
    with lake.scratch_folder() as folder:
        path = folder / "contacts.parquet"
        with lake.working(spill_folder=folder / "spill") as connection:
            connection.register("memberships", memberships)
            connection.execute(
                rules.make_shared(
                    f"SELECT {source_value('customer_key')} AS customer_key, CAST(c.local_start AS "
                    "DATE) AS day FROM contacts c"
                )
            )
            with store.reading() as session:
                _register_assignments(connection, session)
            rows = write_rows(connection, _select_changes(rules), path)
            concerned = f"SELECT DISTINCT advisor_id FROM read_parquet({quote(str(path))})"
            advisor_ids = {advisor_id for (advisor_id,) in connection.execute(concerned).fetchall()}
        if rows:
            lake.merge_contacts(
                path, CARRIED, f"conventions-{create_batch_id()}", create=False, is_derived=True
            )
    return rows, advisor_ids - {None}


CARRIED = (*AS_GIVEN, *AS_GIVEN.values(), "source", "medium", "tracking_match")


def _select_changes(rules: ActiveRules) -> str:
    """Build a SELECT of contacts whose values differ from the rules, with the right values."""
    kept_advisor = name_merges.spell("c.given_or_own_advisor", rules.kept_names["advisor"])
    by_number = "c.is_by_number AND a.tracking_number IS NOT NULL"
    source_values = {name: f"c.raw_{name}" for name in AS_GIVEN} | {
        "campaign": f"CASE WHEN {by_number} THEN a.campaign WHEN c.is_by_number THEN NULL ELSE "
        "c.raw_campaign END"
    }
    values = {name: source_values[name] for name in AS_GIVEN} | dict.fromkeys(
        AS_GIVEN.values(), "CAST(NULL AS VARCHAR)"
    )
    # Who answered is no longer known after the period of contacts: the team stays.
    of_team = {
        name: f"CASE WHEN c.given_or_own_advisor IS NULL THEN c.{name} ELSE {value} END"
        for name, value in fill_team("c.raw_team").items()
    }
    start = select_start("c.local_start", "c.time_missing")
    values |= rules.change(source_values, start, "c.direction", of_team["team"]) | of_team
    for name in ("source", "medium"):
        values[name] = (
            f"CASE WHEN {by_number} THEN a.{name} WHEN c.is_by_number THEN NULL ELSE c.{name} END"
        )
    values["tracking_match"] = (
        f"CASE WHEN {by_number} THEN '{number_assignments.BY_NUMBER}' WHEN c.is_by_number THEN "
        "NULL ELSE c.tracking_match END"
    )
    raw = ", ".join(f'{source_value(name)} AS "raw_{name}"' for name in AS_GIVEN)
    # A contact gets the campaign of its number where nothing else gives its source.
    free = (
        "c.tracking_match IS NULL AND c.source IS NULL AND c.medium IS NULL AND "
        f"{source_value('campaign')} IS NULL AND c.tracking_number IS NOT NULL"
    )
    differs = " OR ".join(f'n."{name}" IS DISTINCT FROM n."old_{name}"' for name in CARRIED)
    compared = (f'{values[name]} AS "{name}", c."{name}" AS "old_{name}"' for name in CARRIED)
    return f"""
        SELECT source_system, contact_id, {", ".join(f'"{name}"' for name in CARRIED)} FROM (
            SELECT c.source_system, c.contact_id,
                {", ".join(compared)}
            FROM (
                SELECT c.*, {raw}, {source_value("advisor_id")} AS given_or_own_advisor,
                    coalesce(c.tracking_match = '{number_assignments.BY_NUMBER}', false)
                        OR ({free}) AS is_by_number
                FROM contacts c
            ) c
            LEFT JOIN numbers k ON k.tracking_number = c.tracking_number
            LEFT JOIN assignments a ON c.is_by_number AND a.tracking_number = k.number
                AND CAST(c.local_start AS DATE) >= a.starts_on
                    AND CAST(c.local_start AS DATE) < a.ends_on
            {join_memberships("c.given_or_own_advisor", kept_advisor, "c.local_start")}
        ) n WHERE {differs}"""


def _register_assignments(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Register `assignments`, by normalised number, and `numbers`: normalised forms of numbers."""
    known = {row[0] for row in number_assignments.find_known(session)}
    country, numbers = environment.current().country, set(known)
    if known:
        carried = connection.execute(
            "SELECT DISTINCT tracking_number FROM contacts WHERE tracking_number IS NOT NULL"
        ).fetchall()
        numbers |= {number for (number,) in carried}
    normalised = {number: find_number(number, country) or number.strip() for number in numbers}
    connection.register("assignments", number_assignments.build_table(session, normalised))
    columns = [pa.array(list(values), pa.string()) for values in (normalised, normalised.values())]
    connection.register("numbers", pa.table(columns, names=["tracking_number", "number"]))


def apply_merged_names(
    values: Mapping[str, object], kept_names: Mapping[str, Mapping[str, str]]
) -> dict[str, object]:
    """Replace names of a row by the spellings that are kept; the source's own stay beside them."""
    result = dict(values)
    for name in SPELLED_COLUMNS:
        if name in values:
            kept_name = kept_names[name].get(values[name], values[name])
            result |= {
                name: kept_name,
                AS_GIVEN[name]: values[name] if kept_name != values[name] else None,
            }
    return result
