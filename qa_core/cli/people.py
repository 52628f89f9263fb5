"""`people` and `journal`: accounts, and the audit log."""

import sys
from typing import Annotated

import typer

from qa_core.access.roles import Role, Viewer
from qa_core.base.arguments import parse_day
from qa_core.base.i18n import _
from qa_core.cli.options import Json, add_commands, add_family
from qa_core.cli.output import DONE, REFUSED, print_json

Name = Annotated[str, typer.Argument(metavar="NAME")]


def register(app: typer.Typer) -> None:
    accounts = add_family(app, "people", "Accounts.")
    accounts.command("add")(add)
    add_commands(accounts, disable=disable, enable=enable, reset=reset, list=list_accounts)
    add_family(app, "journal", "Who did what.", verify=verify_journal, anchor=anchor_journal)


def add(
    name: Name,
    role: str = typer.Option(..., "--role", metavar="ROLE", help=" ".join(Role)),
    team: list[str] | None = typer.Option(None, "--team", help="A team that this person leads."),
    site: list[str] | None = typer.Option(None, "--site", help="A site that this person manages."),
    advisor: str | None = typer.Option(
        None, "--advisor", metavar="ID", help="The advisor that this person is."
    ),
    since: str | None = typer.Option(
        None, "--since", metavar="DATE", help="The first day as team lead; default: the beginning."
    ),
    password_stdin: bool = typer.Option(
        False,
        "--password-stdin",
        help="Read the password from stdin; without it a one-time one is printed.",
    ),
) -> None:
    """Add an account."""
    from qa_core.access import accounts
    from qa_core.storage.records import store

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
    from qa_core.access import accounts

    accounts.disable(Viewer.SYSTEM, name)
    print(_("{name} is disabled.", name=name))


def enable(name: Name) -> None:
    """Open a closed account again."""
    from qa_core.access import accounts

    accounts.enable(Viewer.SYSTEM, name)
    print(_("{name} is enabled.", name=name))


def reset(name: Name) -> None:
    """Give an account a new one-time password."""
    from qa_core.access import accounts

    text = _(
        "One-time password, shown only now: {password}",
        password=accounts.reset(Viewer.SYSTEM, name),
    )
    print(text)


def list_accounts(as_json: Json = False) -> None:
    """List every account with its role, teams, sites or advisor."""
    from qa_core.access import accounts

    rows = accounts.find_accounts(Viewer.SYSTEM)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        bound = ", ".join(
            [*row["teams"], *row["sites"], *([row["advisor_id"]] if row["advisor_id"] else [])]
        )
        state = _("active") if row["active"] else _("disabled")
        print(f"{row['username']:20} {row['role']:10} {state:9} {bound}")


def anchor_journal(
    reason: str = typer.Option(..., "--reason", help="Why: a restored backup, a new file."),
) -> None:
    """Accept the present end of the journal, after you have checked it."""
    from qa_core.storage import audit_log
    from qa_core.storage.records import store

    with store.writing() as session:
        audit_log.anchor(session, "system", reason)
    print(_("The end of the journal is noted."))


def verify_journal(as_json: Json = False) -> int:
    """Recompute every seal of the journal."""
    from qa_core.compliance import audit_report
    from qa_core.storage import audit_log
    from qa_core.storage.records import store

    with store.reading() as session:
        found = audit_log.verify(session)
    if as_json:
        print_json({"rows": found.rows, "ok": found.ok, "first_bad": found.first_bad})
    else:
        print(audit_report.describe_for_operator(found))
    return DONE if found.ok else REFUSED
