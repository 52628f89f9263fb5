"""Accounts from a table: one line a person, checked as a whole before any is added."""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from qa_core.access import accounts, mail_choices
from qa_core.access.accounts import AccountAction, AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.access.usernames import parse_username, require_unlike
from qa_core.base import declared
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Refusal, require_known
from qa_core.base.i18n import N_, _, format_refusal
from qa_core.files import archives, header_text, readers
from qa_core.files.options import ImportOptions

DECLARED = declared.read(__file__)
HEADERS = {word: field for field, words in DECLARED["headers"].items() for word in (field, *words)}
ROLES = {
    word: Role(role)
    for role, words in DECLARED["roles"].items()
    for word in (role, header_text.simplify(role), *words)
}
NAMES = ("name", "display", "last")
"""Columns that name a person: a list needs one beside the role."""
PASSWORD_COLUMNS = ("name", "role", "password")
MAX_LINES = 5_000
SEVERAL = re.compile(r"\s*[;,|\n]\s*")
"""Separators of several teams or sites in one cell."""


@dataclass(frozen=True)
class ListedPerson:
    """One line of the list. `state`: new, waits (for a second person), asked (it waits
    already), unchanged, refused (with its reason), and after the import added.
    """

    line: int
    name: str
    role: str
    state: str = "new"
    terms: AccountTerms = field(default_factory=lambda: AccountTerms(Role.ADVISOR))
    email: str = ""
    reason: str = ""
    password: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the line, who, what happened, and what it would create."""
        return {
            "line": self.line,
            "name": self.name,
            "role": self.role,
            "teams": list(self.terms.teams),
            "sites": list(self.terms.sites),
            "advisor": self.terms.advisor_id,
            "email": self.email or None,
            "state": self.state,
            "reason": self.reason or None,
            "password": self.password,
        }


def read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read a table of people: lines with their number and cells by field. Raises Refusal where
    the columns of name and role are not there.
    """
    source = readers.open_source(archives.open_content(path), ImportOptions(), _count_known)
    rows = [(line, row) for line, row in source.sample(MAX_LINES + 2) if any(row)]
    if len(rows) > MAX_LINES + 1:
        raise Refusal("too_many_lines", "The list has more than {n} lines.", n=MAX_LINES)
    headers = rows[0][1] if rows else []
    places: dict[str, int] = {}
    for place, header in enumerate(headers):
        places.setdefault(HEADERS.get(header_text.simplify(header), ""), place)
    if "role" not in places or not places.keys() & {*NAMES}:
        raise Refusal(
            "people_columns",
            "The list needs the columns name and role. It has: {columns}.",
            columns=", ".join(filter(None, headers)) or "–",
        )
    return [
        (line + source.line_offset, {field: row[at].strip() for field, at in places.items()})
        for line, row in ((line, [*row, *[""] * len(headers)]) for line, row in rows[1:])
    ]


def check(viewer: Viewer, lines: Iterable[tuple[int, dict[str, str]]]) -> list[ListedPerson]:
    """Say of each line what adding it would do. Needs MANAGE_ACCOUNTS."""
    known = {account["username"]: account for account in accounts.find_accounts(viewer)}
    lead_days = accounts.find_lead_days(viewer)
    advisors = accounts.find_advisors(viewer)
    bounds = {*accounts.find_teams(viewer), *accounts.find_sites(viewer)}
    asked = {one.username for one in accounts.find_requests(viewer)}
    taken, people = [*known], []
    for line, cells in map(_name_account, lines):
        person = ListedPerson(line, cells.get("name", ""), cells.get("role", ""))
        try:
            terms = _read_terms(person.role, cells, advisors)
            name, email = parse_username(person.name), cells.get("email", "")
            if email:
                mail_choices.check_address(email)
            if name in known:
                state = _compare(known[name], terms, lead_days.get(name, set()))
            else:
                require_unlike(name, taken)
                waits = accounts.needs_second(viewer, AccountAction.ADD, name, terms.role)
                state = "asked" if name in asked else "waits" if waits else "new"
            taken.append(name)
            notes = []
            if unknown := {*terms.teams, *terms.sites} - bounds:
                notes.append(_("Not known so far: {names}.", names=", ".join(sorted(unknown))))
            if email and state in ("waits", "asked"):
                notes.append(_("The address is not kept: the person enters it themselves."))
            found = {"terms": terms, "state": state, "email": email, "reason": " ".join(notes)}
            person = replace(person, name=name, role=str(terms.role), **found)
        except Refusal as refusal:
            person = replace(person, state="refused", reason=format_refusal(refusal))
        people.append(person)
    return people


def add(viewer: Viewer, people: Iterable[ListedPerson]) -> Iterator[ListedPerson]:
    """Add the new ones, each with a one-time password, and ask for those that wait for a
    second person; yield each line when it is done. After an interruption, the same list goes
    on: who is there stays.
    """
    for person in people:
        try:
            if person.state == "new":
                person = replace(person, state="added", password=_add_one(viewer, person))
            elif person.state == "waits":
                accounts.propose(viewer, AccountAction.ADD, person.name, person.terms)
                person = replace(person, state="asked")
        except Refusal as refusal:
            person = replace(person, state="refused", reason=format_refusal(refusal))
        yield person


@contextmanager
def create_table(path: Path) -> Iterator[TextIO]:
    """Create a table of one-time passwords that its owner alone can read. Raises Refusal for
    a file that is there already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        message = N_("{name} already exists. Choose another name.")
        raise Refusal("file_exists", message, name=path) from error
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        write_passwords(file, ())
        yield file


def write_passwords(file: TextIO, people: Iterable[ListedPerson]) -> None:
    """Write the people with a one-time password into a table, at its start under headers."""
    writer = csv.writer(file)
    if not file.tell():
        writer.writerow(PASSWORD_COLUMNS)
    for person in people:
        if person.password:
            writer.writerow(getattr(person, name) for name in PASSWORD_COLUMNS)
    file.flush()


def _name_account(entry: tuple[int, dict[str, str]]) -> tuple[int, dict[str, str]]:
    """Turn a full name into a username (`Éva Le Goff`: `eva.le.goff`), and show it as written."""
    line, cells = entry
    both = " ".join(filter(None, (cells.get("first"), cells.get("last"))))
    shown = cells.get("display") or both
    name = cells.get("name") or both or shown
    if " " in name:
        shown, name = shown or name, ".".join(header_text.simplify(name).split())
    return line, {**cells, "name": name, "display": shown}


def _count_known(rows: list[list[str]]) -> int:
    return max(
        (sum(header_text.simplify(cell) in HEADERS for cell in row) for row in rows), default=0
    )


def _read_terms(text: str, cells: dict[str, str], advisors: list[tuple[str, str]]) -> AccountTerms:
    word = header_text.simplify(text)
    if word not in ROLES:
        require_known(text, Role, "unknown_role")
    role = ROLES[word]
    terms = AccountTerms(
        role, cells.get("display", ""), since=parse_day(cells.get("since") or None)
    )
    if role == Role.TEAM_LEAD:
        if not (teams := _split(cells, "team")):
            raise Refusal("no_team", "A team lead needs a team in the column team.")
        return replace(terms, teams=teams)
    if role == Role.MANAGER:
        unassigned = _read_yes(cells.get("unassigned"))
        return replace(terms, sites=_split(cells, "site"), sees_unassigned=unassigned)
    if role == Role.ADVISOR:
        return replace(terms, advisor_id=_find_advisor(cells, advisors))
    return terms


def _split(cells: dict[str, str], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, SEVERAL.split(cells.get(field, "")))))


def _read_yes(text: str | None) -> bool | None:
    words = DECLARED["words"]
    if text is None or header_text.simplify(text) in words["no"]:
        return None if text is None else False
    if header_text.simplify(text) in words["yes"]:
        return True
    raise Refusal("bad_word", "{text} is neither yes nor no (column unassigned).", text=text)


def _find_advisor(cells: dict[str, str], advisors: list[tuple[str, str]]) -> str:
    """Find the advisor by identifier or name: an account of nobody would show nothing."""
    text = cells.get("advisor", "")
    found = [key for key, _name in advisors if key == text] or [
        key for key, name in advisors if text and name.casefold() == text.casefold()
    ]
    if len(found) != 1:
        raise Refusal(
            "unknown_advisor",
            "An advisor’s account needs one known advisor in the column advisor: identifier or "
            "full name. {n} advisors match “{text}”. Import the list of advisors first.",
            text=text,
            n=len(found),
        )
    return found[0]


def _compare(account: dict[str, Any], terms: AccountTerms, lead_days: set[date | None]) -> str:
    """Return that the account is as in the list. Raises Refusal where it differs or is closed."""
    if not account["active"]:
        raise Refusal(
            "account_closed",
            "The account {name} is closed. Open it again under People.",
            name=account["username"],
        )
    here = account["role"], account["teams"], account["sites"], account["advisor_id"]
    is_same = here == (terms.role, sorted(terms.teams), sorted(terms.sites), terms.advisor_id)
    if terms.since and terms.role == Role.TEAM_LEAD:
        is_same &= lead_days == {terms.since}
    if not is_same or terms.sees_unassigned not in (None, account["sees_unassigned"]):
        raise Refusal(
            "account_differs",
            "There is an account {name} with another role or scope. Change it under People.",
            name=account["username"],
        )
    return "unchanged"


def _add_one(viewer: Viewer, person: ListedPerson) -> str | None:
    password = accounts.add_under(viewer, person.name, person.terms)
    if person.email:
        mail_choices.note_provider_address(person.name, person.email)
    return password
