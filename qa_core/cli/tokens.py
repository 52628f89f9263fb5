"""`token`: service tokens, by which scripts ask for figures."""

from dataclasses import asdict
from typing import Annotated

import typer

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms, parse_role
from qa_core.access.service_tokens import STATE_TITLES, TokenState
from qa_core.base.errors import require_known
from qa_core.base.i18n import N_, _
from qa_core.cli.options import As, Json, add_family, read_as
from qa_core.cli.output import print_json

Name = Annotated[str, typer.Argument(metavar="NAME")]


def register(app: typer.Typer) -> None:
    add_family(app, "token", "Service tokens of scripts.", add=add, list=list_tokens, revoke=revoke)


def add(
    name: Name,
    role: str = typer.Option(..., "--role", metavar="ROLE", help=" ".join(service_tokens.ROLES)),
    team: list[str] | None = typer.Option(None, "--team", help="A team of a team lead's token."),
    site: list[str] | None = typer.Option(None, "--site", help="A site of a manager's token."),
    kpi: list[str] | None = typer.Option(
        None, "--kpi", help="A KPI that it may read; default: all of the role."
    ),
    days: int = typer.Option(
        service_tokens.USUAL_DAYS, "--days", metavar="N", help=f"1 to {service_tokens.MOST_DAYS}."
    ),
    purpose: str = typer.Option("", "--purpose", metavar="TEXT", help="What it is for."),
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Add a service token; its secret is printed once."""
    from qa_core.metrics import kpis

    known = kpis.find_open(parse_role(role))
    for key in kpi or ():
        message = N_("A token of this role cannot ask for the KPI {name}. Possible: {known}.")
        require_known(key, known, "unknown_kpi", message)
    terms = AccountTerms(
        parse_role(role), purpose, tuple(team or ()), tuple(site or ()), kpis=tuple(kpi or ())
    )
    token = service_tokens.add(read_as(as_), name, terms, days)
    if as_json:
        print_json(asdict(token))
        return
    print(_("Token {name}, shown only now: {secret}", name=token.name, secret=token.secret))
    if token.state == TokenState.WAITING:
        print(_("It gives no access until a second person has confirmed it."))


def list_tokens(as_: As = None, as_json: Json = False) -> None:
    """List every service token, its bounds, its state and its last use."""
    rows = service_tokens.find_tokens(read_as(as_))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        bounds = ", ".join([*row["teams"], *row["sites"], *row["kpis"]])
        days = f"{row['expires_at'][:10]}  {row['last_used_on'] or '–':10}"
        title = STATE_TITLES[row["state"]]
        print(f"{row['name']:20} {row['role']:10} {days}  {_(title):9} {bounds}")


def revoke(name: Name, as_: As = None, as_json: Json = False) -> None:
    """End a service token at once."""
    service_tokens.revoke(read_as(as_), name)
    if as_json:
        print_json({"name": name, "state": TokenState.REVOKED})
    else:
        print(_("{name} is revoked.", name=name))
