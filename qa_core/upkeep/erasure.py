"""Erasure of a customer, an advisor or an account from every store, as the map of personal
data says (`storage.records.data_map`, docs/decisions/personal-data-map.md).
"""

import functools
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.centre.advisors import normalise_name
from qa_core.compliance import recordings, restrictions
from qa_core.compliance.recordings import deletion
from qa_core.compliance.recordings.deletion import KeptRecordings
from qa_core.files import uploads
from qa_core.ingest.load import recovery
from qa_core.ingest.matching import attach
from qa_core.ingest.watch import queue_log
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import audit_log, erased_people, lake, name_merges, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import (
    ACCOUNT,
    ADVISOR,
    BLANK,
    CUSTOMER,
    CUT,
    IDENTIFIER,
    KEEP,
    RECORD,
    ROW,
    STAND_IN,
    TEXT,
    WORDING,
    ColumnContent,
    Datum,
)
from qa_core.storage.records import data_map, store
from qa_core.storage.records.base import now
from qa_core.storage.records.data_map import StoredTable
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import BeforeImage, WaitingRow
from qa_core.storage.records.listening import OPEN, ConfirmedEvaluator, DrawnContact, Recording
from qa_core.storage.records.people import Account, Advisor, AdvisorAlias
from qa_core.storage.records.store import Session

References = set[tuple[str, str | None]]
"""Ids or tickets with their system, and each of them also with None, since a row
without a system may mean any.
"""
GONE = "…"
SHARED_KEY = "given_customer_key"
"""Column with the pseudonym of a number that several people share."""
NAMING = (TEXT, RECORD, WORDING, IDENTIFIER)
"""Contents in which a name may stand."""


@dataclass(frozen=True)
class StoredPerson:
    """Person in the stores: `id` is a pseudonym, an advisor's id or a username.

    `names`: all spellings of an advisor or account, the id first · `contacts`, `tickets`:
    of a customer · `stand_in`: anonymous account for the acts of an erased account.
    """

    kind: str
    id: str
    names: tuple[str, ...] = ()
    contacts: frozenset[tuple[str, str | None]] = frozenset()
    tickets: frozenset[tuple[str, str | None]] = frozenset()
    stand_in: str | None = None

    def holds(self, column: sa.Column[Any], datum: Datum) -> sa.ColumnElement[bool]:
        """Build the predicate of the rows in which this identifier is the person."""
        is_theirs = column.in_(self.names) if self.kind == ACCOUNT else column == self.id
        if datum.only is None:
            return is_theirs
        name, values = datum.only
        return sa.and_(is_theirs, column.table.c[name].in_(values))

    def owns(self, entry: StoredTable) -> sa.ColumnElement[bool] | None:
        """Build the predicate of the rows that name one of the customer's contacts, and of
        their parts; None for a table without.
        """
        for column, _datum in entry.find(ColumnContent.CONTACT, CUSTOMER):
            system = entry.table.c.get("source_system")
            if system is None:
                return None  # a row of a file, see `_erase_imported`
            keys = [(number, name) for number, name in self.contacts if name]
            is_named = sa.tuple_(column, system).in_(keys)
            ids = {number for number, _name in self.contacts}
            return sa.or_(is_named, sa.and_(system.is_(None), column.in_(ids)))
        return entry.find_parts(self.owns)

    def forget(self, value: Any, is_list: bool = False) -> Any:
        """Return a text or a JSON value without the person's names. `is_list`: a list, or
        the keys, of persons, from which an advisor is left out.
        """
        match value:
            case str() if value in self.names:
                return self.stand_in or GONE
            case str():
                return self._pattern.sub(GONE, value) if self._pattern else value
            case dict():
                items = ((self.forget(key), self.forget(item)) for key, item in value.items())
                return {key: item for key, item in items if not (is_list and key == GONE)}
            case list():
                items = (self.forget(item) for item in value)
                return [item for item in items if not (is_list and item == GONE)]
        return value

    @functools.cached_property
    def in_full(self) -> "StoredPerson":
        """The person by the names of several words alone: others are words of every day."""
        return replace(self, names=tuple(name for name in self.names if " " in name))

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        names = [re.escape(name) for name in self.names if audit_log.is_telling(name)]
        return re.compile(rf"\b(?:{'|'.join(names)})\b", re.IGNORECASE) if names else None


@dataclass(frozen=True)
class Erasure:
    """Items that an erasure deleted, by kind, and the recordings that an obligation keeps."""

    counts: Counter[str]
    kept: list[KeptRecordings]


def find_identifiers(session: Session, kind: str, identifier: str) -> list[str]:
    """Find all identifiers of that person: an advisor has those that were merged, too."""
    return name_merges.find_same_advisors(session, identifier) if kind == ADVISOR else [identifier]


def find_person(
    session: Session, kind: str, identifier: str, is_copied: bool = False
) -> StoredPerson:
    """Find all that an erasure or a copy looks for, by pseudonym, advisor id or username. Of a
    shared number, an erasure looks for all contacts; a copy would show what others said.
    """
    if kind == CUSTOMER:
        keys = ("customer_key",) if is_copied else ("customer_key", SHARED_KEY)
        names = () if is_copied and is_shared(identifier) else (identifier,)
        return StoredPerson(kind, identifier, names, *_find_references(identifier, keys))
    if kind == ACCOUNT:
        # A name that is another's username means that one.
        shown = sa.select(Account.display_name).where(
            Account.username == identifier,
            Account.display_name.not_in(sa.select(Account.username)),
        )
        title = sa.select(ConfirmedEvaluator.title).where(ConfirmedEvaluator.name == identifier)
        names = session.scalars(exempt(shown.union(title))).all()
        return StoredPerson(kind, identifier, (identifier, *names))
    names = [identifier]
    for column in (Advisor.name, AdvisorAlias.alias):
        of_advisor = sa.select(column).where(column.class_.advisor_id == identifier)
        names += session.scalars(exempt(of_advisor)).all()
    return StoredPerson(kind, identifier, tuple(dict.fromkeys(names)))


def find_names(session: Session) -> set[str]:
    """Find the names of all advisors and accounts, with their ids."""
    names: set[str] = set()
    for column in (Advisor.advisor_id, Advisor.name, AdvisorAlias.alias, Account.username,
                   Account.display_name):  # fmt: skip
        names.update(session.scalars(exempt(sa.select(column))))
    return names


def erase(viewer: Viewer, kind: str, identifier: str, actor: str = "system") -> Erasure:
    """Remove every trace of a person from the stores, but sealed recordings (R23); can be
    repeated, also after an interruption. Only `Viewer.SYSTEM` may call it, after a decision.

    Not erased, since they are not ours to change: files as they were delivered, with clear
    numbers, also in `.taken` and `.refused` of a watched folder (`watch --keep DAYS` deletes
    them in time), the logs of the telephony, and backups; a backup that is restored is
    erased from again (`upkeep.restore`). The map names what else is kept, and why.
    """
    if not viewer.is_system:
        raise AccessDenied()
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        with store.reading() as session:
            identifiers = find_identifiers(session, kind, identifier)
            people = [find_person(session, kind, name) for name in identifiers]
        replay_list.add(kind, *(replay_list.digest(kind, name) for name in identifiers))
        for person in people:
            erased_people.remember(person.contacts, person.tickets)
            if kind == ADVISOR:
                erased_people.remember_names(map(normalise_name, person.names))
        erased = erase_held(kind, *identifiers, actor=actor)
    lake.vacuum(at_once=True)
    return erased


def erase_held(kind: str, *identifiers: str, actor: str = "system") -> Erasure:
    """Erase people likewise. The caller holds the lock of imports, and vacuums afterwards."""
    counts: Counter[str] = Counter()
    kept: list[KeptRecordings] = []
    names: set[str] = set()
    for identifier in identifiers:
        replay_list.drop("exclusion", json.dumps({"advisor_id": identifier}))
        for column in ("customer_key", "advisor_id"):
            replay_list.drop("restriction", restrictions.write_key(**{column: identifier}))
        replay_list.drop("objection", restrictions.write_key(advisor_id=identifier))
        with store.writing() as session:
            person = find_person(session, kind, identifier)
            names.update(filter(audit_log.is_telling, person.names))
            erased = _erase_from_records(session, person, actor)
            counts.update(erased.counts)
            kept += erased.kept
    # Contacts are erased last: after an interruption, a second call still finds by them
    # what waits for them.
    if kind == CUSTOMER:
        counts["contacts"] = sum(map(lake.erase, identifiers))
        counts["events"] = sum(map(queue_log.erase_customer, identifiers))
    elif kind == ADVISOR:
        lake.remove_advisors(*identifiers, names=names)
    recordings.delete_orphans()
    _empty_files()
    lake.remove_dead_folders()
    return Erasure(counts, kept)


def _empty_files() -> None:
    """Delete what the records' log and files that were read or pulled still hold."""
    store.empty_log()
    uploads.remove_leftovers()
    uploads.remove_pulled()


def erase_words(
    viewer: Viewer,
    words: str,
    actor: str = "system",
    is_trial: bool = False,
    is_known: bool = False,
) -> Mapping[str, int]:
    """Replace words in every text of the stores, such as a caller's own name in a note of
    coaching, which no erasure finds. Returns texts by table; with `is_trial`, they are only
    counted. Only `Viewer.SYSTEM` may. The audit log and older backups keep them; a backup that
    is restored loses them again (`is_known`: they were checked). Raises Refusal for a name of
    the centre's people, who are erased as such, and for a word too short.
    """
    if not viewer.is_system:
        raise AccessDenied()
    words = re.sub(r"^\W+|\W+$", "", words)
    person, counts = StoredPerson(CUSTOMER, "", (words,)), Counter[str]()
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        with store.rehearsing() if is_trial else store.writing() as session:
            known = map(str.casefold, find_names(session))
            is_refused = not audit_log.is_telling(words) or words.casefold() in known
            if is_refused and not is_known:
                message = N_("{words} is too short, or names somebody of the centre.")
                raise Refusal("bad_words", message, words=words)
            if not is_trial:
                number = str(len(re.findall(r"\w+", words)))
                replay_list.add("words", replay_list.digest("words", words.lower()), value=number)
            for entry in data_map.find_records().values():
                for what in (TEXT, RECORD, WORDING) if " " in words else (TEXT, RECORD):
                    for column, datum in entry.find(what):
                        if datum.on_erasure != KEEP:
                            where, change = names_any([column], person), person.forget
                            counts[entry.name] += _rewrite(session, entry, column, where, change)
            counts["contacts"] = lake.count_named(person.names)
            if not is_trial:
                total = str(counts.total())
                audit_log.record(session, actor, "words_erased", reason=total)
        if not is_trial:
            lake.remove_names(person.names)
            _rewrite_quarantine(person)
            _empty_files()
            lake.vacuum(at_once=True)
    return +counts


def _erase_from_records(session: Session, person: StoredPerson, actor: str) -> Erasure:
    kind, identifier = person.kind, person.id
    counts = Counter(_erase_imported(session, person))
    bound, counts["recording"] = [], 0
    for recording in _find_recordings(session, person):
        if deletion.is_bound(recording, "erased"):
            bound.append(recording)
        else:
            recordings.delete(session, recording, "erased", actor)
            counts["recording"] += 1
    kept = deletion.sum_up(session, bound)
    if kind == CUSTOMER:
        _withdraw(session, person, actor)
    elif kind == ADVISOR:
        theirs = sa.select(Account.username).where(Account.advisor_id == identifier)
        for username in session.scalars(exempt(theirs)).all():
            account = _add_stand_in(session, find_person(session, ACCOUNT, username))
            counts += _walk(session, account)
            # Nothing refers to it: what an advisor did goes with the advisor.
            gone = sa.delete(Account).where(Account.username == account.stand_in)
            session.execute(gone, execution_options=QUIETLY)
    else:
        person = _add_stand_in(session, person)
    counts.update(_walk(session, person))
    if kind != CUSTOMER:
        _rewrite_quarantine(person)
    left = (f"kept: {len(item.contacts)} {item.kept_as} until {item.until}" for item in kept)
    audit_log.record(session, actor, f"{kind}_erased", reason=", ".join(left))
    return Erasure(counts, kept)


def _find_references(customer_key: str, columns: Collection[str]) -> tuple[References, References]:
    """Find the contacts that name the customer in one of these columns, and their tickets."""
    with lake.working() as connection:
        rows = connection.execute(
            "SELECT source_system, contact_id, ticket FROM contacts WHERE ? IN "
            f"({', '.join(columns)})",
            [customer_key],
        ).fetchall()
    contacts, tickets = set(), set()
    for system, contact_id, ticket in rows:
        contacts |= {(contact_id, system), (contact_id, None)}
        tickets |= {(ticket, system), (ticket, None)} if ticket is not None else set()
    return frozenset(contacts), frozenset(tickets)


def is_shared(customer_key: str) -> bool:
    """Return whether a pseudonym is of a number that several people share."""
    return bool(_find_references(customer_key, (SHARED_KEY,))[0])


def _erase_imported(session: Session, person: StoredPerson) -> Mapping[str, int]:
    """Delete what a customer's imports left: rows that wait, and texts in before-images.

    Pending evaluations have no key of a customer, and stay without their texts, since they
    are about the advisor.
    """
    if person.kind != CUSTOMER:
        return {}
    records = data_map.find_records()
    texts = {
        column.name
        for name in ("evaluation", "evaluation_answer")
        for column, _datum in records[name].find(ColumnContent.TEXT, CUSTOMER)
    }
    count = 0
    for row in session.scalars(exempt(sa.select(WaitingRow))).all():
        system = row.content.get("system")
        is_named = (row.contact_id, system) in person.contacts
        is_named |= (row.content.get("ticket"), system) in person.tickets
        is_theirs = person.id in json.dumps(row.content)
        if is_theirs or (row.kind in attach.VALUES and is_named):
            session.delete(row)
            count += 1
        elif row.kind == "evaluations" and is_named:
            row.content = _strip(row.content, texts)
    images = sa.select(BeforeImage).where(BeforeImage.object == "evaluation")
    for image in session.scalars(exempt(images)).all():
        content = image.content or {}
        if (content.get("contact_id"), content.get("source_system")) in person.contacts:
            image.content = _strip(content, texts)
    return {"rows": count}


def _withdraw(session: Session, person: StoredPerson, actor: str) -> None:
    """Take a customer's contacts off the lists of their evaluators, with what they had begun."""
    evaluations, drawn = (data_map.find_records()[name] for name in ("evaluation", "drawn_contact"))
    begun = sa.delete(Evaluation).where(person.owns(evaluations), Evaluation.state == "draft")
    session.execute(begun, execution_options=QUIETLY)
    listed = sa.select(DrawnContact).where(person.owns(drawn), DrawnContact.state.in_(OPEN))
    for contact in session.scalars(exempt(listed)).all():
        withdrawal.remove_from_list(session, actor, contact)


def _strip(value: Any, texts: Collection[str]) -> Any:
    """Empty the free texts of a JSON value, by their keys."""
    if isinstance(value, list):
        return [_strip(item, texts) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: (({} if isinstance(item, dict) else None) if key in texts else _strip(item, texts))
        for key, item in value.items()
    }


def _find_recordings(session: Session, person: StoredPerson) -> list[Recording]:
    if person.kind == ADVISOR:
        live = sa.select(Recording).where(Recording.file_name.is_not(None))
        return session.scalars(exempt(live.where(Recording.advisor_id == person.id))).all()
    found = deletion.find_live(session, {number for number, _system in person.contacts})
    return [item for item in found if (item.contact_id, item.source_system) in person.contacts]


def _add_stand_in(session: Session, person: StoredPerson) -> StoredPerson:
    """Add the anonymous account that what the erased one did is attributed to; of who never had
    one, a restored backup may hold the name alone.
    """
    role = session.scalar(exempt(sa.select(Account.role).where(Account.username == person.id)))
    name = f"{STAND_IN}{secrets.token_hex(4)}"
    if role is not None or session.get(ConfirmedEvaluator, person.id) is not None:
        stands = {"role": role or Role.EVALUATOR, "active": False, "closed_at": now()}
        session.add(Account(username=name, display_name=name, password_hash="", **stands))
        session.flush()
    return StoredPerson(person.kind, person.id, person.names, stand_in=name)


def _walk(session: Session, person: StoredPerson) -> Counter[str]:
    """Do in every table what its columns say: links and texts first, then rows."""
    counts: Counter[str] = Counter()
    for entry in data_map.find_records().values():
        if person.contacts and (is_theirs := person.owns(entry)) is not None:
            _blank(session, entry, is_theirs)
        for column, datum in entry.find_identifiers(person.kind):
            if datum.on_erasure == CUT:
                values = {column.name: person.stand_in or _find_empty(column)}
                values |= {
                    text.name: _find_empty(text)
                    for text, other in entry.find(ColumnContent.TEXT, person.kind)
                    if other.on_erasure == CUT
                }
                _update(session, entry, person.holds(column, datum), values)
        if person.kind != CUSTOMER:
            counts[entry.name] += _replace_names(session, entry, person)
    for entry in data_map.find_records().values():
        for column, datum in entry.find(ColumnContent.IDENTIFIER, person.kind):
            if datum.on_erasure == ROW:
                gone = sa.delete(entry.model).where(person.holds(column, datum))
                counts[entry.name] += session.execute(gone, execution_options=QUIETLY).rowcount
    return +counts


QUIETLY = {"synchronize_session": False}


def _update(
    session: Session, entry: StoredTable, where: sa.ColumnElement[bool], values: dict[str, Any]
) -> None:
    changed = sa.update(entry.model).where(where).values(values)
    session.execute(changed, execution_options=QUIETLY)


def _find_empty(column: sa.Column[Any]) -> str | None:
    return None if column.nullable else ""


def _blank(session: Session, entry: StoredTable, is_theirs: sa.ColumnElement[bool]) -> None:
    """Empty what was written about a customer's contacts."""
    plain: dict[str, Any] = {}
    for column, datum in entry.find(ColumnContent.TEXT, CUSTOMER):
        if datum.on_erasure == ROW and datum.if_named == BLANK:
            session.execute(sa.delete(entry.model).where(is_theirs), execution_options=QUIETLY)
            return
        if datum.texts:
            strip = lambda value, texts=datum.texts: _strip(value, texts)  # noqa: E731
            _rewrite(session, entry, column, is_theirs, strip)
        elif datum.on_erasure == BLANK:
            plain[column.name] = _find_empty(column)
    if plain:
        _update(session, entry, is_theirs, plain)


def _rewrite(
    session: Session,
    entry: StoredTable,
    column: sa.Column[Any],
    where: sa.ColumnElement[bool],
    change: Callable[[Any], Any],
) -> int:
    """Change a column where it may be needed. Returns the number of rows that changed."""
    changed = 0
    keys = list(entry.table.primary_key.columns)
    rows = session.execute(exempt(sa.select(*keys, column).where(where))).all()
    for *key, value in rows:
        fresh = change(value)
        if fresh != value:
            changed += 1
            here = sa.and_(*(name == part for name, part in zip(keys, key, strict=True)))
            if fresh is None:
                gone = sa.delete(entry.model).where(here)
                session.execute(gone, execution_options=QUIETLY)
            else:
                _update(session, entry, here, {column.name: fresh})
    return changed


def _replace_names(session: Session, entry: StoredTable, person: StoredPerson) -> int:
    """Replace the names of an advisor or an account in texts and lists, or delete the row, as
    the map says. Returns the number of rows deleted.
    """
    deleted = 0

    def change(value: Any) -> Any:
        nonlocal deleted
        fresh = who.forget(value, what == ColumnContent.IDENTIFIER)
        is_gone = fresh != value and datum.if_named == ROW and person.kind in datum.whose
        deleted += is_gone
        return None if is_gone else fresh

    for what in NAMING:
        who = person.in_full if what == WORDING else person
        for column, datum in entry.find(what):
            is_json = isinstance(column.type, sa.JSON)
            if datum.on_erasure != KEEP and (is_json or what != ColumnContent.IDENTIFIER):
                _rewrite(session, entry, column, names_any([column], who), change)
    return deleted


def names_any(columns: Iterable[sa.Column[Any]], person: StoredPerson) -> sa.ColumnElement[bool]:
    """Build the predicate of the rows in which a name of the person may stand in one of these."""
    tests = [
        sa.cast(column, sa.Text).icontains(
            json.dumps(name)[1:-1] if isinstance(column.type, sa.JSON) else name, autoescape=True
        )
        for column in columns
        for name in person.names
    ]
    return sa.or_(sa.false(), *tests)


def _rewrite_quarantine(person: StoredPerson) -> None:
    for path in (environment.current().folder / "quarantine").glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        cleared = re.sub(r"[^,;\n\"]+", lambda cell: person.forget(cell.group()), text)
        if cleared != text:
            environment.write_private(path, cleared.encode(), overwrite=True)


def exempt(statement: Any) -> Unscoped:
    """Exempt a statement about one person from the viewer's scope."""
    return Unscoped(
        statement, "A person's own data is searched in every table, to erase it or to copy it."
    )
