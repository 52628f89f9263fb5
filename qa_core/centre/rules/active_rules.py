"""Rules in force as SQL over a relation of contacts, arriving or stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.centre import members, settings
from qa_core.centre.rules.opening_hours import SiteHours, load_hours
from qa_core.storage import name_merges
from qa_core.storage.facts.schema import AS_GIVEN, EMPTY_GIVEN, Direction, Handler, Outcome
from qa_core.storage.lake.tables import quote
from qa_core.storage.records.centre_rules import TrackingAssignment
from qa_core.storage.records.people import Team

SPELLED_COLUMNS = ("queue", "reason", "campaign")
SHARED_NUMBERS = "shared_numbers"
"""Relation of customer keys that are shared numbers; see `make_shared`."""


@dataclass(frozen=True)
class ActiveRules:
    """Rules in force. `kept_names`: by kind, spelling → name; `limits`: contacts of one
    number a day, by the first day of each setting; `machines`: ids of the roster.
    """

    kept_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hours: tuple[SiteHours, ...] = ()
    team_sites: Mapping[str, str | None] = field(default_factory=dict)
    limits: tuple[tuple[date | None, int], ...] = ()
    has_assignments: bool = False
    machines: frozenset[str] = frozenset()

    @staticmethod
    def load(session: Session) -> ActiveRules:
        return ActiveRules(
            name_merges.find_kept_names(session),
            load_hours(session),
            dict(session.execute(sa.select(Team.name, Team.site_name)).all()),
            tuple(
                (day, values.shared_number_contacts_a_day)
                for day, values in settings.find_settings_history(session)
            ),
            session.scalar(sa.select(TrackingAssignment.id).limit(1)) is not None,
            members.find_machines(session),
        )

    def with_teams(self, teams: Iterable[tuple[str, str | None]]) -> ActiveRules:
        """Add the teams of a file that are about to be created."""
        return replace(self, team_sites={**self.team_sites, **dict(teams)})

    def with_kinds(self, kinds: Mapping[str, str]) -> ActiveRules:
        """Add the machines, and take out the persons, that somebody is about to name so."""
        named = {advisor for advisor, kind in kinds.items() if kind == Handler.MACHINE}
        return replace(self, machines=self.machines - kinds.keys() | named)

    def change(
        self, source: Mapping[str, str], start: str, direction: str, team: str
    ) -> dict[str, str]:
        """Write the columns that a rule may change (name → SQL), each with the column
        that keeps its source value.

        `start` (null without a time of day), `direction` and `team` are SQL as well. Customer
        columns need the relation `shared_numbers`.
        """
        columns: dict[str, str] = {}
        for name in SPELLED_COLUMNS:
            kept_names = self.kept_names.get(name)
            if name in source and kept_names:
                columns |= _beside(name, source[name], name_merges.spell(source[name], kept_names))
        if "advisor_id" in source:
            columns |= self._change_advisor(source)
        if "outcome" in source and self.hours:
            outcomes = ", ".join(map(quote, (Outcome.ABANDONED, Outcome.UNANSWERED)))
            is_unanswered = f"{source['outcome']} IN ({outcomes})"
            is_inbound = (
                f"coalesce({direction}, {quote(Direction.INBOUND)}) = {quote(Direction.INBOUND)}"
            )
            outcome = (
                f"CASE WHEN {is_unanswered} AND {is_inbound} AND {self.is_outside(start, team)} "
                f"THEN {quote(Outcome.CLOSED)} ELSE {source['outcome']} END"
            )
            columns |= _beside("outcome", source["outcome"], outcome)
        if "customer_key" in source:
            key = source["customer_key"]
            columns |= _beside(
                "customer_key",
                key,
                f"CASE WHEN {key} IN (SELECT customer_key FROM {SHARED_NUMBERS}) THEN NULL "
                f"ELSE {key} END",
            )
        return columns

    def _change_advisor(self, source: Mapping[str, str]) -> dict[str, str]:
        """Write the advisor who is kept; a machine is none, and its contact is handled by it."""
        advisor, merged = source["advisor_id"], self.kept_names.get("advisor", {})
        kept = name_merges.spell(advisor, merged) if merged else advisor
        if not self.machines:
            return _beside("advisor_id", advisor, kept) if merged else {}
        is_machine = f"coalesce({kept} IN ({', '.join(map(quote, sorted(self.machines)))}), false)"
        given = source.get("handled_by", "CAST(NULL AS VARCHAR)")
        by_roster = f"CASE WHEN {is_machine} THEN coalesce({given}, {quote(Handler.MACHINE)}) "
        return {
            **_beside("advisor_id", advisor, f"CASE WHEN NOT {is_machine} THEN {kept} END"),
            **_beside("handled_by", given, f"{by_roster}ELSE {given} END"),
        }

    def is_outside(self, start: str, team: str) -> str:
        """Write whether a contact came while its site was closed (SQL); where its site
        is unknown, while every site with hours was.
        """
        sites = {hours.site: hours.is_open(start) for hours in self.hours}
        cases = [
            f"WHEN {team} IN ({', '.join(quote(name) for name in sorted(teams))}) THEN "
            f"{f'NOT ({sites[site]})' if site in sites else 'false'}"
            for site in sorted({site for site in self.team_sites.values() if site})
            if (teams := [name for name, other in self.team_sites.items() if other == site])
        ]
        return f"CASE {' '.join(cases)} ELSE NOT ({' OR '.join(sites.values())}) END"

    def limit_on(self, day: str) -> str:
        """Write the number of contacts that one number may have on that day (SQL)."""
        cases = [
            f"WHEN {day} >= DATE '{first}' THEN {limit}"
            for first, limit in reversed(self.limits)
            if first is not None
        ]
        least = next(limit for first, limit in self.limits if first is None)
        return f"CASE {' '.join(cases)} ELSE {least} END" if cases else str(least)

    def make_shared(self, contacts: str, known: str = "") -> str:
        """Write the statement that makes `shared_numbers` from a relation
        (customer_key, day), one row per contact; and from a SELECT of keys that are known
        to be shared.
        """
        # Few numbers have so many contacts on a day: they are found by the short hash of
        # their key first, because millions of whole keys would not fit into the memory.
        rows = f"FROM ({contacts}) WHERE customer_key IS NOT NULL"
        too_many = f"count(*) > {self.limit_on('day')}"
        often = (
            f"SELECT hash(customer_key) {rows} GROUP BY hash(customer_key), day HAVING {too_many}"
        )
        return (
            f"CREATE OR REPLACE TEMP TABLE {SHARED_NUMBERS} AS SELECT DISTINCT customer_key FROM ("
            f"SELECT customer_key {rows} AND hash(customer_key) IN ({often}) "
            f"GROUP BY customer_key, day HAVING {too_many}"
            f"{f' UNION ALL {known}' if known else ''})"
        )


def select_start(start: str, time_missing: str) -> str:
    """Write the start for `change`: null where the source gave no time of day."""
    return f"CASE WHEN {time_missing} IS NULL THEN {start} END"


MEMBERSHIP = "coalesce(m.team, p.team)"
"""Team of an advisor on the day of a contact, after `join_memberships`."""


def join_memberships(advisor: str, kept: str, start: str) -> str:
    """Write the joins with the relation `memberships`: of the advisor, and of the one that
    a merge keeps.
    """
    day = f"CAST({start} AS DATE)"
    return " ".join(
        f"LEFT JOIN memberships {name} ON {name}.advisor_id = {who} AND {day} >= {name}.starts_on "
        f"AND {day} < {name}.ends_on"
        for name, who in (("m", advisor), ("p", kept))
    )


def fill_team(own: str, membership: str = MEMBERSHIP) -> dict[str, str]:
    """Write the team of a contact by its source, else by membership, and which of them it is."""
    return {
        "team": f"coalesce({own}, {membership})",
        AS_GIVEN["team"]: f"CASE WHEN {own} IS NULL AND {membership} IS NOT NULL THEN '' END",
    }


def source_value(name: str) -> str:
    """Write the source's value of a column of stored contacts, the relation `c` (SQL)."""
    if name not in AS_GIVEN:
        return f'c."{name}"'
    value = f'coalesce(c."{AS_GIVEN[name]}", c."{name}")'
    return f"nullif({value}, '')" if name in EMPTY_GIVEN else value


def _beside(name: str, source: str, value: str) -> dict[str, str]:
    kept = f"coalesce({source}, '')" if name in EMPTY_GIVEN else source
    return {
        name: value,
        AS_GIVEN[name]: f"CASE WHEN {source} IS DISTINCT FROM {value} THEN {kept} END",
    }
