"""`people`, `token` and `journal`: accounts, service tokens of scripts, the audit log."""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from qa_core.access.roles import DEFAULT_TOKEN_DAYS, MAX_TOKEN_DAYS, TOKEN_ROLES, Role, Viewer
from qa_core.base.arguments import parse_day
from qa_core.base.errors import require_known
from qa_core.base.i18n import _
from qa_core.cli.output import (
    DONE,
    REFUSED,
    CommandResult,
    Lines,
    Output,
    describe_done,
    show_progress,
)
from qa_core.cli.registry import AS_USERNAME, NAME, ROOT, argument, flag, option, read_as

PEOPLE = ROOT.add_group("people", "Accounts.")
JOURNAL = ROOT.add_group("journal", "Who did what.")
TOKEN = ROOT.add_group("token", "Service tokens of scripts.")


@PEOPLE.command("add", needs_records=False)
def add(
    name: str = NAME,
    role: str = option(" ".join(Role), "ROLE", default=...),
    team: list[str] | None = option("A team that this person leads."),
    site: list[str] | None = option("A site that this person manages."),
    unassigned: bool = flag("With --site: contacts of no team too, such as missed calls."),
    advisor: str | None = option("The advisor that this person is.", "ID"),
    since: str | None = option("The first day as team lead; default: the beginning.", "DATE"),
    password_stdin: bool = flag(
        "Read the password from stdin; without it a one-time one is printed."
    ),
) -> Lines:
    """Add an account."""
    from qa_core.access import accounts
    from qa_core.storage.records import store

    accounts.parse_role(role)
    store.require_ready()
    starts_on = parse_day(since)
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    unknown = accounts.find_unknown(Viewer.SYSTEM, team or (), site or (), advisor)
    one_time = accounts.add(
        Viewer.SYSTEM,
        name,
        Role(role),
        teams=tuple(team or ()),
        sites=tuple(site or ()),
        sees_unassigned=unassigned or None,
        advisor_id=advisor,
        since=starts_on,
        password=given,
    )
    yield describe_done(name)
    if one_time:
        yield _("One-time password, shown only now: {secret}", secret=one_time)
    if unknown:
        yield _("Not known so far: {names}.", names=", ".join(unknown))
    needed = {Role.TEAM_LEAD: ("--team", team), Role.ADVISOR: ("--advisor", advisor)}
    if role in needed and not needed[role][1]:
        yield _("Without {option}, {name} sees nothing yet.", option=needed[role][0], name=name)
    if role == Role.MANAGER and accounts.is_without_site(name):
        yield _("Without sites, a manager sees only what belongs to no site.")


PEOPLE.act("disable", "access.accounts:disable", "Close an account; its sessions end at once.")
PEOPLE.act("enable", "access.accounts:enable", "Open a closed account again.")


@PEOPLE.command("reset")
def reset(name: str = NAME) -> Lines:
    """Give an account a new one-time password."""
    from qa_core.access import accounts

    password = accounts.reset(Viewer.SYSTEM, name)
    yield _("One-time password, shown only now: {secret}", secret=password)


@PEOPLE.command("import")
def import_list(
    file: Path = argument("FILE", "Columns: name, role, team, site, advisor, email, since, …"),
    dry_run: bool = flag("Check the list and add nobody."),
    out: Path | None = option("A new file for the one-time passwords, readable by you.", "FILE"),
) -> Output:
    """Add the accounts of a table; who is there already stays as they are."""
    from qa_core.access import account_list

    people = account_list.check(Viewer.SYSTEM, account_list.read(file))
    if not dry_run:
        secret = account_list.create_table(out) if out else contextlib.nullcontext()
        with secret as table, show_progress() as report:
            done = []
            for person in account_list.add(Viewer.SYSTEM, people):
                if table:
                    account_list.write_passwords(table, [person])
                    person = replace(person, password=None)
                done.append(person)
                report("", len(done) / len(people))
        people = done
    is_whole = all(person.state != "refused" for person in people)
    yield CommandResult([person.as_json() for person in people], DONE if is_whole else REFUSED)
    for person in people:
        rest = " ".join(filter(None, (person.password, person.reason)))
        yield f"{person.line:5} {person.name:20} {person.role:10} {person.state:9} {rest}".rstrip()


@PEOPLE.command("list")
def list_accounts() -> Output:
    """List every account with its role, teams, sites or advisor."""
    from qa_core.access import accounts

    rows = accounts.find_accounts(Viewer.SYSTEM)
    yield rows
    for row in rows:
        bound = ", ".join([*_describe_bounds(row), *filter(None, [row["advisor_id"]])])
        state = _("active") if row["active"] else _("disabled")
        yield f"{row['username']:20} {row['role']:10} {state:9} {bound}"


def _describe_bounds(row: Mapping[str, Any]) -> list[str]:
    """List the teams and sites of an account or a token; a manager without sites has the rest."""
    bounds = [*row["teams"], *row["sites"]]
    if row["role"] == Role.MANAGER and not row["sites"]:
        bounds.append(_("teams without a site"))
    return [*bounds, _("without a team")] if row["sees_unassigned"] else bounds


@JOURNAL.command("verify")
def verify_journal() -> Output:
    """Recompute every seal of the journal."""
    from qa_core.compliance import audit_report
    from qa_core.storage import audit_log
    from qa_core.storage.records import store

    with store.reading() as session:
        verification = audit_log.verify(session)
    document = {
        "rows": verification.rows,
        "ok": verification.ok,
        "first_bad": verification.first_bad,
        "warnings": list(verification.warnings),
    }
    yield CommandResult(document, DONE if verification.ok else REFUSED)
    yield audit_report.describe_for_operator(verification)


@JOURNAL.command("anchor")
def anchor_journal(
    reason: str = option("Why: a restored backup, a new file.", default=...),
) -> Lines:
    """Accept the present end of the journal, after you have checked it."""
    from qa_core.storage import audit_log
    from qa_core.storage.records import store

    with store.writing() as session:
        audit_log.anchor(session, "system", reason)
    yield describe_done(reason)


@TOKEN.command("add")
def add_token(
    name: str = NAME,
    role: str = option(" ".join(TOKEN_ROLES), "ROLE", default=...),
    team: list[str] | None = option("A team of a team lead's token."),
    site: list[str] | None = option("A site of a manager's token."),
    kpi: list[str] | None = option("A KPI that it may read; default: all of the role."),
    unassigned: bool = flag("With --site: contacts of no team too, such as missed calls."),
    days: int = option(f"1 to {MAX_TOKEN_DAYS}.", "N", default=DEFAULT_TOKEN_DAYS),
    until: str | None = option("The last day on which it works.", "DATE"),
    purpose: str = option("What it is for.", "TEXT", default=""),
    display: bool = flag("It opens the wallboard of its teams, and nothing else."),
    as_: str | None = AS_USERNAME,
) -> Output:
    """Add a service token; its secret is printed once."""
    from qa_core.access import accounts, service_tokens
    from qa_core.metrics import kpis

    known = kpis.find_open(accounts.parse_role(role))
    for key in kpi or ():
        require_known(key, known, "unknown_kpi")
    terms = accounts.AccountTerms(
        accounts.parse_role(role),
        purpose,
        tuple(team or ()),
        tuple(site or ()),
        sees_unassigned=unassigned or None,
        kpis=tuple(kpi or ()),
    )
    token = service_tokens.add(read_as(as_), name, terms, days, parse_day(until), display)
    yield asdict(token)
    yield _("Token {name}, shown only now: {secret}", name=token.name, secret=token.secret)
    if token.state == service_tokens.TokenState.WAITING:
        yield _("It gives no access until a second person has confirmed it.")


@TOKEN.command("list")
def list_tokens(as_: str | None = AS_USERNAME) -> Output:
    """List every service token, its bounds, its state and its last use."""
    from qa_core.access import service_tokens

    rows = service_tokens.find_tokens(read_as(as_))
    yield rows
    for row in rows:
        display = [_("wallboard")] if row["is_display"] else []
        bounds = ", ".join([*_describe_bounds(row), *row["kpis"], *display])
        days = f"{row['expires_at'][:10]}  {row['last_used_on'] or '–':10}"
        title = service_tokens.STATE_TITLES[row["state"]]
        yield f"{row['name']:20} {row['role']:10} {days}  {_(title):9} {bounds}"


@TOKEN.command("revoke")
def revoke_token(name: str = NAME, as_: str | None = AS_USERNAME) -> Output:
    """End a service token at once."""
    from qa_core.access import service_tokens

    service_tokens.revoke(read_as(as_), name)
    yield {"name": name, "state": service_tokens.TokenState.REVOKED}
    yield describe_done(name)
