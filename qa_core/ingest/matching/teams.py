"""Teams of a file: one site for each, and one for an advisor at a time."""

import duckdb
import sqlalchemy as sa

from qa_core.base.errors import Refusal
from qa_core.files.header_text import simplify
from qa_core.ingest.staging.staged import Staged
from qa_core.storage.records.people import Team
from qa_core.storage.records.store import Session


def find_teams(
    connection: duckdb.DuckDBPyConnection, staged: Staged, session: Session
) -> dict[str, str | None]:
    """Find every team that the file names, with its site where one is known. Raises Refusal
    where a team is on several sites, in the file or beside what is known, and where a list puts
    an advisor into several teams at once. A list may move a team to another site.
    """
    if "team" not in staged.columns:
        return {}
    sites_by_team: dict[str, str | None] = {}
    if staged.kind == "advisors":
        _require_one_team(connection, staged)
    else:
        sites_by_team |= dict(session.execute(sa.select(Team.name, Team.site_name)).all())
    site = staged.select_column("site")
    pairs = f"SELECT DISTINCT team, {site} FROM staged WHERE team IS NOT NULL ORDER BY ALL"
    found = {}
    for team, given in connection.execute(pairs).fetchall():
        known = sites_by_team.get(team) or given
        if given and simplify(known) != simplify(given):
            raise Refusal(
                "several_sites",
                "The team {team} is on the sites {sites}. A team has one site, which decides who "
                "sees its figures. Give the teams different names, or leave the sites out.",
                options=(_leave_out(staged, "site"),),
                team=team,
                sites=f"{known}, {given}",
            )
        sites_by_team[team] = found[team] = known
    return found


def _require_one_team(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    advisor = f"coalesce({staged.select_column('advisor_id')}, {staged.select_column('name')})"
    starts_on, ends_on = (staged.select_column(name, kind="DATE") for name in ("from", "to"))
    several = connection.execute(
        "WITH spans AS (SELECT DISTINCT "
        f"{advisor} AS advisor, team, {starts_on} AS starts_on, {ends_on} AS ends_on FROM staged) "
        "SELECT advisor, string_agg(DISTINCT one.team || ', ' || other.team, '; ') "
        "FROM spans one JOIN spans other USING (advisor) WHERE one.team <> other.team AND "
        "(one.starts_on IS NOT DISTINCT FROM other.starts_on AND one.team < other.team OR "
        "coalesce(one.starts_on, DATE '-infinity') < other.starts_on AND "
        "one.ends_on > other.starts_on) GROUP BY advisor ORDER BY 1"
    ).fetchone()
    if several:
        raise Refusal(
            "several_teams",
            "{advisor} is in the teams {teams} at once. Say from when in a column, keep one row "
            "each, or leave the teams out.",
            options=(_leave_out(staged, "team"),),
            advisor=several[0],
            teams=several[1],
        )


def _leave_out(staged: Staged, field: str) -> str:
    return f"--map ignore={staged.mapping.get(field, field)}"
