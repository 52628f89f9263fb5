"""Single contacts: lists, one in full, values for filters; nothing that the role may not see."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import dimension_sql, month_sums
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.interval_totals import find_totals
from qa_core.metrics.kpi.measure import build_query, measure
from qa_core.metrics.kpi.shared_cuts import SharedCuts
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, parts_of
from qa_core.metrics.kpis import dimensions
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import audit_log, engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import AFTER_DELETION, AS_GIVEN, CONTACTS, NEIGHBOURS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation, ScorecardVersion

TRACKING = (
    "tracking_number", "source", "medium", "campaign", "keyword", "landing_page", "tracking_match",
)  # fmt: skip
SURVEY = (
    "survey_sent", "csat", "csat_scale", "nps", "ces", "survey_resolved", "survey_contacts",
    "survey_comment",
)  # fmt: skip
NEEDS: dict[str, Permission] = {
    **dict.fromkeys(TRACKING, Permission.SEE_TRACKING),
    **dict.fromkeys(SURVEY, Permission.SEE_SATISFACTION),
}
NEVER_LISTED = (
    *NEIGHBOURS,
    *AS_GIVEN.values(),
    "month",
    "batch_id",
    "customer_key",
    "advisor_id",
    *AFTER_DELETION,
)
COMMENT_READERS = frozenset({Role.MANAGER, Role.TEAM_LEAD, Role.ADVISOR})
"""Those who take part in the contact's follow-up; nobody else reads what a customer wrote."""

LISTED_COLUMNS: tuple[str, ...] = (
    *(
        column.name
        for column in CONTACTS.columns
        if column.name not in NEVER_LISTED and column.name != "started_at"
    ),
    "advisor",
    "customer",
)
"""Columns of a list of contacts: the facts', `advisor` by name, `customer` as far as shown."""

ORDERS = {
    "newest": CONTACTS.c.started_at.desc(),
    "oldest": CONTACTS.c.started_at.asc(),
    "longest_wait": CONTACTS.c.wait_seconds.desc().nulls_last(),
    "longest_talk": CONTACTS.c.talk_seconds.desc().nulls_last(),
    "lowest_csat": CONTACTS.c.csat.asc().nulls_last(),
}


def contact_columns(viewer: Viewer) -> tuple[str, ...]:
    viewer.require(Permission.SEE_CONTACTS)
    hidden_columns = {name for name, permission in NEEDS.items() if not viewer.can(permission)}
    if not viewer.is_system and viewer.role not in COMMENT_READERS:
        hidden_columns.add("survey_comment")
    if not (viewer.is_system or viewer.role == Role.MANAGER):
        hidden_columns.add("customer")
    return tuple(name for name in LISTED_COLUMNS if name not in hidden_columns)


def find_contacts(
    viewer: Viewer,
    where: Filters = Filters(),
    columns: Iterable[str] | None = None,
    limit: int = 200,
    offset: int = 0,
    order: str = "newest",
    behind: str | None = None,
    overrides: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Find the contacts in the viewer's scope that match, one row each; may be empty.

    `columns`: some of `contact_columns` (default: all). `order`: newest, oldest,
    longest_wait, longest_talk or lowest_csat. `behind`: only the rows that a KPI on
    contacts counts in its denominator, with settings replaced by `overrides`.
    """
    allowed_columns = contact_columns(viewer)
    columns_read = tuple(columns) if columns is not None else allowed_columns
    if set(columns_read) - set(allowed_columns):
        raise AccessDenied()
    require_known(order, ORDERS, "unknown_order")
    conditions, names = _conditions(
        viewer, where, behind, overrides, with_advisors="advisor" in columns_read
    )
    key = (CONTACTS.c.source_system, CONTACTS.c.contact_id)
    page = (
        sa.select(*key, CONTACTS.c.started_at, CONTACTS.c.month)
        .where(*conditions)
        .order_by(ORDERS[order], *key)
    )
    contacts = engine.current().run(
        Scoped(page.limit(int(limit)).offset(int(offset)), viewer),
        **dimension_sql.months(where.period),
    )
    frame = _read_page(viewer, columns_read, contacts)
    if "advisor" in columns_read:
        frame["advisor"] = _texts(
            names.advisor_label(_missing_is_none(key)) for key in frame["advisor"]
        )
    if "customer" in columns_read:
        frame["customer"] = _texts(
            shown_customer(viewer, _missing_is_none(key)) for key in frame["customer"]
        )
    return frame


def _read_page(viewer: Viewer, columns: tuple[str, ...], page: pd.DataFrame) -> pd.DataFrame:
    """Read all the columns of the contacts found, in their order; by itself, because
    sorting whole rows reads every column of every contact.
    """
    key = (CONTACTS.c.source_system.label("key_system"), CONTACTS.c.contact_id.label("key_contact"))
    statement = sa.select(*key, *(_column(name) for name in columns))
    if page.empty:
        none = engine.current().run(Scoped(statement.where(sa.false()), viewer))
        return none.drop(columns=[column.name for column in key])
    first, last = (
        moment.to_pydatetime() for moment in (page["started_at"].min(), page["started_at"].max())
    )
    keys = (
        CONTACTS.c.started_at.between(first, last),
        CONTACTS.c.contact_id.in_(page["contact_id"].tolist()),
    )
    rows = engine.current().run(
        Scoped(statement.where(*keys), viewer),
        first_month=page["month"].min(),
        last_month=page["month"].max(),
    )
    rows_by_key = rows.set_index([column.name for column in key])
    return rows_by_key.loc[
        list(zip(page["source_system"], page["contact_id"], strict=True))
    ].reset_index(drop=True)


def count_contacts(
    viewer: Viewer,
    where: Filters = Filters(),
    behind: str | None = None,
    overrides: Mapping[str, str] | None = None,
) -> int:
    viewer.require(Permission.SEE_CONTACTS)
    conditions, _ = _conditions(viewer, where, behind, overrides)
    statement = sa.select(sa.func.count()).select_from(CONTACTS).where(*conditions)
    frame = engine.current().run(Scoped(statement, viewer), **dimension_sql.months(where.period))
    return int(frame.iloc[0, 0])


def get_contact(viewer: Viewer, source_system: str, contact_id: str) -> dict[str, Any]:
    """Return one contact in full, as far as the viewer may see it, with `evaluations`
    (a list) where scores may be seen.

    Raises AccessDenied for a contact out of scope, and the same for an unknown one.
    """
    names_wanted = (*contact_columns(viewer), *NEIGHBOURS)
    contact_id = masking.key_number(contact_id)  # links in earlier mails have numbers
    key = (CONTACTS.c.source_system == source_system, CONTACTS.c.contact_id == contact_id)
    statement = sa.select(*(_column(name) for name in names_wanted)).where(*key)
    frame = engine.current().run(Scoped(statement, viewer))
    if len(frame) != 1:
        raise AccessDenied()
    contact = dimension_sql.plain_records(frame)[0]
    with store.reading() as session:
        contact["advisor"] = Names.load(session, frozenset({"advisor"})).advisor_label(
            contact["advisor"]
        )
        if viewer.can(Permission.SEE_SCORES):
            contact["evaluations"] = _evaluations(session, viewer, source_system, contact_id)
    if "customer" in contact:
        contact["customer"] = shown_customer(viewer, contact["customer"])
    return contact


def read_contact(viewer: Viewer, source_system: str, contact_id: str) -> dict[str, Any]:
    """Open one contact for a reader: `get_contact`, noted in the audit log."""
    contact = get_contact(viewer, source_system, contact_id)
    what = f"{source_system}/{contact['contact_id']}"
    audit_log.note_reading(viewer.username, "contact_read", what)
    return contact


def find_by_id(viewer: Viewer, contact_id: str, limit: int = 10) -> list[dict[str, Any]]:
    """Find the contacts in the viewer's scope that have that id, in whatever system, newest
    first: `source_system`, `contact_id`, `local_start`, `channel`, `queue`.
    """
    viewer.require(Permission.SEE_CONTACTS)
    columns = ("source_system", "contact_id", "local_start", "channel", "queue")
    statement = (
        sa.select(*(CONTACTS.c[name] for name in columns))
        .where(CONTACTS.c.contact_id == masking.key_number(contact_id))
        .order_by(CONTACTS.c.started_at.desc(), CONTACTS.c.source_system)
        .limit(limit)
    )
    return dimension_sql.plain_records(engine.current().run(Scoped(statement, viewer)))


def read_by_id(viewer: Viewer, contact_id: str) -> list[dict[str, Any]]:
    """Search contacts for a reader: `find_by_id`, noted in the audit log if any is found."""
    key = find_by_id(viewer, contact_id)
    if key:
        audit_log.note_reading(viewer.username, "contacts_read", "search")
    return key


def read_contacts(viewer: Viewer, page: int, **arguments: Any) -> pd.DataFrame:
    """Open a page of a list for a reader: `find_contacts`, noted in the audit log."""
    contacts = find_contacts(viewer, **arguments)
    audit_log.note_reading(viewer.username, "contacts_read", f"page {page}")
    return contacts


def find_values(
    viewer: Viewer, dimension: str, where: Filters = Filters()
) -> list[tuple[Any, int]]:
    """Find the values that a dimension has in the viewer's scope, most frequent first,
    with their number of contacts, single or in intervals (of evaluations for the
    dimensions of quality); None is missing. An executive meets only values that are
    shown to them.
    """
    return find_all_values(viewer, (dimension,), where)[dimension]


def find_all_values(
    viewer: Viewer, names: Sequence[str], where: Filters = Filters()
) -> dict[str, list[tuple[Any, int]]]:
    """Find the values of several dimensions: for each what `find_values` returns."""
    for name in names:
        if not viewer.can_cut_by(name):
            raise AccessDenied()
    of_quality = {name for name in names if dimensions.get_dimension(name).family == "quality"}
    together = SharedCuts(tuple((name,) for name in names if name not in of_quality))
    values_of = {}
    for name in names:
        if viewer.needs_suppression or name in of_quality:
            kpi = "evaluations" if name in of_quality else "received"
            counts = _count_measured(viewer, kpi, name, where)
        else:
            viewer.require(Permission.SEE_CALL_STATISTICS)
            counts = _count_values(viewer, name, where, together)
        values_of[name] = sorted(counts.items(), key=_most_frequent)
    return values_of


def _count_measured(viewer: Viewer, kpi: str, dimension: str, where: Filters) -> dict[Any, int]:
    # A value that is hidden in one month of many is still offered to executives.
    by = (dimension, "month") if viewer.needs_suppression else (dimension,)
    counts: dict[Any, int] = {}
    for row in measure(viewer, (kpi,), by, where).to_dict("records"):
        if row["n"] == row["n"]:
            value = _missing_is_none(row[dimension])
            counts[value] = counts.get(value, 0) + int(row["n"])
    return counts


def shown_customer(viewer: Viewer, customer_key: str | None) -> str | None:
    """Mask a customer as the viewer may see one: the last two characters of the
    pseudonym; the whole of it for the operator's command line only.
    """
    if customer_key is None:
        return None
    return customer_key if viewer.is_system else f"•• {customer_key[-2:]}"


def _column(name: str) -> sa.ColumnElement[Any]:
    return CONTACTS.c[{"advisor": "advisor_id", "customer": "customer_key"}.get(name, name)].label(
        name
    )


def _conditions(
    viewer: Viewer,
    where: Filters,
    behind: str | None,
    overrides: Mapping[str, str] | None,
    *,
    with_advisors: bool = False,
) -> tuple[list[sa.ColumnElement[bool]], Names]:
    filtered_dimensions = dimension_sql.dimensions_of((), where)
    for dimension in filtered_dimensions:
        if not viewer.can_cut_by(dimension):
            raise AccessDenied()
        if dimensions.get_dimension(dimension).family == "quality":
            raise Refusal(
                "cannot_cut", "Contacts cannot be filtered by {dimension}.", dimension=dimension
            )
    question = build_query(viewer, ("advisor",) if with_advisors else (), where, overrides)
    question = replace(question, by=())  # the names are read, nothing is cut
    conditions = conditions_on(question)
    if behind is not None:
        kpi = declared.get_kpi(behind)
        viewer.require(kpi.needs)
        if kpi.subject != declared.FactTable.CONTACTS:
            raise Refusal(
                "not_on_contacts", "{kpi} does not count contacts one by one.", kpi=kpi.key
            )
        conditions += [declared.COUNTED_DIRECTION, parts_of(question, kpi, CONTACTS.c).denominator]
    return conditions, question.names


def _count_values(
    viewer: Viewer, dimension: str, where: Filters, together: SharedCuts
) -> dict[Any, int]:
    question = build_query(viewer, (dimension,), where)

    def build(part: MetricQuery) -> Scoped:
        statement = part.select(CONTACTS.c, [sa.func.count().label("n")])
        return Scoped(statement.where(*conditions_on(part)), part.viewer)

    def find(asked: MetricQuery) -> list[dict[str, Any]]:
        return month_sums.collect(asked, build, is_of_teams=True)

    counts = {
        question.group_of(record)[dimension]: int(record["n"])
        for record in together.find_records("values", question, find)
    }
    for record in find_totals(question, (declared.get_kpi("received"),)):
        value = question.group_of(record)[dimension]
        n = record["present"]
        counts[value] = counts.get(value, 0) + (int(n) if n == n else 0)
    return counts


def _most_frequent(entry: tuple[Any, int]) -> tuple[bool, int, str]:
    return entry[0] is None, -entry[1], str(entry[0])


def _evaluations(
    session, viewer: Viewer, source_system: str, contact_id: str
) -> list[dict[str, Any]]:
    statement = (
        sa.select(
            Evaluation.id,
            Evaluation.evaluated_at,
            Evaluation.evaluator,
            sa.func.coalesce(ScorecardVersion.title, Evaluation.grid_name).label("grid"),
        )
        .add_columns(Evaluation.score, Evaluation.calculated_score, Evaluation.outcome)
        .outerjoin(ScorecardVersion, ScorecardVersion.id == Evaluation.grid_id)
        .where(Evaluation.source_system == source_system, Evaluation.contact_id == contact_id)
        .where(*PUBLISHED)
        .order_by(Evaluation.evaluated_at)
    )
    evaluations = [dict(row) for row in session.execute(Scoped(statement, viewer)).mappings()]
    names = people.find_names(session)
    for entry in evaluations:
        username = entry.pop("evaluator")
        if viewer.can(Permission.SEE_EVALUATORS):
            entry["evaluator"] = names.get(username, username)
    return evaluations


def _texts(values: Iterable[str | None]) -> pd.Series:
    return pd.Series(list(values), dtype=object)


def _missing_is_none(value: Any) -> Any:
    return None if value is pd.NaT or value is pd.NA or value != value else value
