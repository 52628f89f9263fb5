"""`people`, `token` and `journal`: accounts, service tokens of scripts, the audit log."""

import sys
from dataclasses import asdict

import typer

from qa_core.access import accounts, service_tokens
from qa_core.access.roles import Role, Viewer
from qa_core.access.service_tokens import STATE_TITLES, TokenState
from qa_core.base.arguments import parse_day
from qa_core.base.errors import require_known
from qa_core.base.i18n import N_, _
from qa_core.cli.options import (
    DONE,
    REFUSED,
    As,
    Json,
    Name,
    add_commands,
    add_family,
    flag,
    option,
    print_json,
    read_as,
)
from qa_core.storage import audit_log
from qa_core.storage.records import store


def register(app: typer.Typer) -> None:
    family = add_family(app, "people", "Accounts.")
    family.command("add")(add)
    add_commands(family, disable=disable, enable=enable, reset=reset, list=list_accounts)
    add_family(app, "journal", "Who did what.", verify=verify_journal, anchor=anchor_journal)
    commands = {"add": add_token, "list": list_tokens, "revoke": revoke_token}
    add_family(app, "token", "Service tokens of scripts.", **commands)


def add(
    name: Name,
    role: str = typer.Option(..., metavar="ROLE", help=" ".join(Role)),
    team: list[str] | None = typer.Option(None, help="A team that this person leads."),
    site: list[str] | None = typer.Option(None, help="A site that this person manages."),
    unassigned: bool = flag(
        "--unassigned", "With --site: contacts of no team too, such as missed calls."
    ),
    advisor: str | None = option("--advisor", "ID", "The advisor that this person is."),
    since: str | None = option(
        "--since", "DATE", "The first day as team lead; default: the beginning."
    ),
    password_stdin: bool = flag(
        "--password-stdin", "Read the password from stdin; without it a one-time one is printed."
    ),
) -> None:
    """Add an account."""
    accounts.parse_role(role)
    store.require_ready()
    starts_on = parse_day(since)
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
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
    print(_("{name} is added.", name=name))
    if one_time:
        print(_("One-time password, shown only now: {password}", password=one_time))
    if role == Role.MANAGER and not site:
        print(_("Without --site, {name} sees what belongs to no site.", name=name))
    if role == Role.TEAM_LEAD and not team:
        print(_("Without --team, {name} sees nothing yet.", name=name))
    if role == Role.ADVISOR and not advisor:
        print(_("Without --advisor, {name} sees nothing yet.", name=name))


def disable(name: Name) -> None:
    """Close an account; its sessions end at once."""
    accounts.disable(Viewer.SYSTEM, name)
    print(_("{name} is disabled.", name=name))


def enable(name: Name) -> None:
    """Open a closed account again."""
    accounts.enable(Viewer.SYSTEM, name)
    print(_("{name} is enabled.", name=name))


def reset(name: Name) -> None:
    """Give an account a new one-time password."""
    text = _(
        "One-time password, shown only now: {password}",
        password=accounts.reset(Viewer.SYSTEM, name),
    )
    print(text)


def list_accounts(as_json: Json = False) -> None:
    """List every account with its role, teams, sites or advisor."""
    rows = accounts.find_accounts(Viewer.SYSTEM)
    if as_json:
        return print_json(rows)
    for row in rows:
        bound = ", ".join(filter(None, [*row["teams"], *row["sites"], row["advisor_id"]]))
        state = _("active") if row["active"] else _("disabled")
        print(f"{row['username']:20} {row['role']:10} {state:9} {bound}")


def anchor_journal(
    reason: str = typer.Option(..., help="Why: a restored backup, a new file."),
) -> None:
    """Accept the present end of the journal, after you have checked it."""
    with store.writing() as session:
        audit_log.anchor(session, "system", reason)
    print(_("The end of the journal is noted."))


def verify_journal(as_json: Json = False) -> int:
    """Recompute every seal of the journal."""
    from qa_core.compliance import audit_report

    with store.reading() as session:
        found = audit_log.verify(session)
    if as_json:
        print_json({"rows": found.rows, "ok": found.ok, "first_bad": found.first_bad})
    else:
        print(audit_report.describe_for_operator(found))
    return DONE if found.ok else REFUSED


def add_token(
    name: Name,
    role: str = typer.Option(..., metavar="ROLE", help=" ".join(service_tokens.ROLES)),
    team: list[str] | None = typer.Option(None, help="A team of a team lead's token."),
    site: list[str] | None = typer.Option(None, help="A site of a manager's token."),
    kpi: list[str] | None = typer.Option(
        None, help="A KPI that it may read; default: all of the role."
    ),
    unassigned: bool = flag(
        "--unassigned", "With --site: contacts of no team too, such as missed calls."
    ),
    days: int = typer.Option(
        service_tokens.USUAL_DAYS, "--days", metavar="N", help=f"1 to {service_tokens.MOST_DAYS}."
    ),
    until: str | None = option("--until", "DATE", "The last day on which it works."),
    purpose: str = typer.Option("", metavar="TEXT", help="What it is for."),
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Add a service token; its secret is printed once."""
    from qa_core.metrics import kpis

    known = kpis.find_open(accounts.parse_role(role))
    for key in kpi or ():
        message = N_("A token of this role cannot ask for the KPI {name}. Possible: {known}.")
        require_known(key, known, "unknown_kpi", message)
    terms = accounts.AccountTerms(
        accounts.parse_role(role),
        purpose,
        tuple(team or ()),
        tuple(site or ()),
        sees_unassigned=unassigned or None,
        kpis=tuple(kpi or ()),
    )
    token = service_tokens.add(read_as(as_), name, terms, days, parse_day(until))
    if as_json:
        return print_json(asdict(token))
    print(_("Token {name}, shown only now: {secret}", name=token.name, secret=token.secret))
    if token.state == TokenState.WAITING:
        print(_("It gives no access until a second person has confirmed it."))


def list_tokens(as_: As = None, as_json: Json = False) -> None:
    """List every service token, its bounds, its state and its last use."""
    rows = service_tokens.find_tokens(read_as(as_))
    if as_json:
        return print_json(rows)
    for row in rows:
        unassigned = [_("without a team")] if row["sees_unassigned"] else []
        bounds = ", ".join([*row["teams"], *row["sites"], *unassigned, *row["kpis"]])
        days = f"{row['expires_at'][:10]}  {row['last_used_on'] or '–':10}"
        title = STATE_TITLES[row["state"]]
        print(f"{row['name']:20} {row['role']:10} {days}  {_(title):9} {bounds}")


def revoke_token(name: Name, as_: As = None, as_json: Json = False) -> None:
    """End a service token at once."""
    service_tokens.revoke(read_as(as_), name)
    if as_json:
        print_json({"name": name, "state": TokenState.REVOKED})
    else:
        print(_("{name} is revoked.", name=name))
