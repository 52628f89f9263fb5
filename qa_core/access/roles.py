"""Roles, permissions and row scope, as data. Deny by default."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_

if TYPE_CHECKING:
    import sqlalchemy as sa


class Role(StrEnum):
    EXECUTIVE = "executive"
    MANAGER = "manager"
    TEAM_LEAD = "team_lead"
    EVALUATOR = "evaluator"
    ADVISOR = "advisor"
    DPO = "dpo"
    ADMIN = "admin"


TOKEN_ROLES = (Role.EXECUTIVE, Role.MANAGER, Role.TEAM_LEAD)
"""Roles that a service token may have: those that see figures of more than one person."""
DEFAULT_TOKEN_DAYS, MAX_TOKEN_DAYS = 90, 365
ROLE_TITLES: dict[Role, str] = {
    Role.EXECUTIVE: N_("Executive"),
    Role.MANAGER: N_("Manager"),
    Role.TEAM_LEAD: N_("Team lead"),
    Role.EVALUATOR: N_("Evaluator"),
    Role.ADVISOR: N_("Advisor"),
    Role.DPO: N_("Data protection officer"),
    Role.ADMIN: N_("Administrator"),
}


class Permission(StrEnum):
    """Permission: `SEE_` reads, `EDIT_` writes one's own work, `MANAGE_` writes for others."""

    SEE_CALL_STATISTICS = "see_call_statistics"
    SEE_TRACKING = "see_tracking"
    SEE_SATISFACTION = "see_satisfaction"
    SEE_SCORES = "see_scores"
    SEE_TEAMS = "see_teams"
    SEE_ADVISORS = "see_advisors"
    SEE_EVALUATORS = "see_evaluators"
    SEE_CONTACTS = "see_contacts"
    SEE_OWN_QUALITY = "see_own_quality"
    SEE_OWN_EVALUATIONS = "see_own_evaluations"
    SEE_BOARD = "see_board"
    SEE_IRRITANTS = "see_irritants"
    MANAGE_IRRITANTS = "manage_irritants"
    EXPORT_FIGURES = "export_figures"
    EXPORT_CONTACTS = "export_contacts"
    EDIT_TARGETS = "edit_targets"
    EDIT_NOTES = "edit_notes"
    SEE_ALERTS = "see_alerts"
    EDIT_ALERTS = "edit_alerts"
    MANAGE_ALERTS = "manage_alerts"
    MANAGE_IMPORTS = "manage_imports"
    MANAGE_ACCOUNTS = "manage_accounts"
    CONFIRM_ACCOUNTS = "confirm_accounts"
    MANAGE_ADVISORS = "manage_advisors"
    MANAGE_SETTINGS = "manage_settings"
    LISTEN = "listen"
    FILL_SCORECARDS = "fill_scorecards"
    SEE_EVALUATIONS = "see_evaluations"
    ANSWER_EVALUATIONS = "answer_evaluations"
    DECIDE_DISPUTES = "decide_disputes"
    MANAGE_LISTENING = "manage_listening"
    SEE_CALIBRATIONS = "see_calibrations"
    MANAGE_CALIBRATIONS = "manage_calibrations"
    SEE_SCORECARDS = "see_scorecards"
    EDIT_SCORECARDS = "edit_scorecards"
    PUBLISH_SCORECARDS = "publish_scorecards"
    SEE_COACHING = "see_coaching"
    MANAGE_COACHING = "manage_coaching"
    SEE_RULES = "see_rules"
    SEE_COMPLIANCE = "see_compliance"
    MANAGE_COMPLIANCE = "manage_compliance"
    SEE_JOURNAL = "see_journal"
    SEE_HEALTH = "see_health"
    SHARE_VIEWS = "share_views"
    HANDLE_CALLBACKS = "handle_callbacks"


P = Permission
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.EXECUTIVE: frozenset({
        P.SEE_CALL_STATISTICS, P.SEE_TRACKING, P.SEE_SATISFACTION, P.SEE_SCORES, P.SEE_BOARD,
        P.SEE_IRRITANTS, P.EXPORT_FIGURES, P.EDIT_TARGETS, P.SEE_ALERTS, P.SHARE_VIEWS,
    }),
    Role.MANAGER: frozenset({
        P.SEE_CALL_STATISTICS, P.SEE_TRACKING, P.SEE_SATISFACTION, P.SEE_SCORES, P.SEE_TEAMS,
        P.SEE_ADVISORS, P.SEE_EVALUATORS, P.SEE_CONTACTS, P.SEE_IRRITANTS, P.MANAGE_IRRITANTS,
        P.EXPORT_FIGURES, P.EXPORT_CONTACTS, P.EDIT_TARGETS, P.EDIT_NOTES, P.SEE_ALERTS,
        P.EDIT_ALERTS, P.MANAGE_ALERTS, P.LISTEN, P.SEE_EVALUATIONS, P.DECIDE_DISPUTES,
        P.MANAGE_LISTENING, P.SEE_CALIBRATIONS, P.MANAGE_CALIBRATIONS, P.SEE_SCORECARDS,
        P.PUBLISH_SCORECARDS, P.SEE_COACHING, P.CONFIRM_ACCOUNTS, P.SEE_RULES, P.SEE_BOARD,
        P.SHARE_VIEWS, P.HANDLE_CALLBACKS,
    }),
    Role.TEAM_LEAD: frozenset({
        P.SEE_CALL_STATISTICS, P.SEE_TRACKING, P.SEE_SATISFACTION, P.SEE_SCORES, P.SEE_TEAMS,
        P.SEE_ADVISORS, P.SEE_CONTACTS, P.SEE_IRRITANTS, P.MANAGE_IRRITANTS, P.EXPORT_FIGURES,
        P.EXPORT_CONTACTS, P.EDIT_NOTES, P.SEE_ALERTS, P.EDIT_ALERTS, P.LISTEN, P.SEE_EVALUATIONS,
        P.SEE_COACHING, P.MANAGE_COACHING, P.SHARE_VIEWS, P.HANDLE_CALLBACKS,
    }),
    Role.EVALUATOR: frozenset({
        P.SEE_SCORES, P.SEE_OWN_EVALUATIONS, P.LISTEN, P.FILL_SCORECARDS, P.SEE_EVALUATIONS,
        P.SEE_CALIBRATIONS,
    }),
    Role.ADVISOR: frozenset({
        P.SEE_CALL_STATISTICS, P.SEE_SATISFACTION, P.SEE_SCORES, P.SEE_OWN_QUALITY, P.SEE_CONTACTS,
        P.EXPORT_FIGURES, P.LISTEN, P.FILL_SCORECARDS, P.SEE_EVALUATIONS, P.ANSWER_EVALUATIONS,
        P.SEE_COACHING,
    }),
    Role.DPO: frozenset({
        P.SEE_JOURNAL, P.SEE_HEALTH, P.SEE_RULES, P.SEE_COMPLIANCE, P.MANAGE_COMPLIANCE,
        P.CONFIRM_ACCOUNTS,
    }),
    Role.ADMIN: frozenset({
        P.MANAGE_IMPORTS, P.MANAGE_ACCOUNTS, P.CONFIRM_ACCOUNTS, P.MANAGE_ADVISORS,
        P.MANAGE_SETTINGS, P.EDIT_TARGETS, P.SEE_HEALTH, P.EDIT_NOTES, P.MANAGE_ALERTS,
        P.SEE_SCORECARDS, P.EDIT_SCORECARDS,
    }),
}  # fmt: skip

WHOLE_CENTRE = frozenset({
    P.MANAGE_IMPORTS, P.MANAGE_ACCOUNTS, P.CONFIRM_ACCOUNTS, P.MANAGE_ADVISORS, P.MANAGE_SETTINGS,
    P.SEE_SCORECARDS, P.EDIT_SCORECARDS, P.PUBLISH_SCORECARDS, P.SEE_RULES, P.SEE_COMPLIANCE,
    P.MANAGE_COMPLIANCE, P.SEE_JOURNAL, P.SEE_HEALTH,
})  # fmt: skip
"""Permissions on what belongs to no team, such as accounts and scorecards."""


class Reach(StrEnum):
    """Rows that a permission opens to a role."""

    GROUPS = "groups"
    OWN = "own"
    ALL = "all"


def find_reach(role: Role, permission: Permission) -> Reach | None:
    """Find the rows that a permission opens to a role; None where it lacks the permission."""
    if permission not in GRANTS[role]:
        return None
    if role == Role.EXECUTIVE:
        return Reach.GROUPS
    is_whole = role == Role.ADMIN or permission in WHOLE_CENTRE
    return Reach.ALL if is_whole else Reach.OWN


def has_on_others(role: str, permission: Permission) -> bool:
    """Return whether a role has a permission on the contacts of others: advisors listen to
    their own without an accreditation, and evaluate themselves.
    """
    return role in set(Role) and role != Role.ADVISOR and permission in GRANTS[Role(role)]


DIMENSION_PERMISSIONS: dict[str, Permission] = {
    "team": P.SEE_TEAMS,
    "advisor": P.SEE_ADVISORS,
    "evaluator": P.SEE_EVALUATORS,
    "surveyed": P.SEE_SATISFACTION,
}
"""Permissions of dimensions that name people; other dimensions need the KPI's permission only."""

EXECUTIVE_DIMENSIONS = frozenset({
    "month", "channel", "queue", "reason", "direction", "handled_by", "site", "source", "medium",
    "campaign", "grid",
})  # fmt: skip
"""Dimensions of executives: none fine enough to single out a person (docs/access.md, section 6)."""

MINIMUM_ADVISORS, MINIMUM_CONTACTS = 5, 10
"""Least distinct advisors and rows behind a cell shown to executives."""
MINIMUM_CUSTOMERS = 10
"""Least distinct customers behind a cell of machines, which has no advisors."""


@dataclass(frozen=True)
class TeamSpan:
    """Team seen from a day (None: the beginning) to the day before `ends_on` (None: no end).
    A team of None: the rows of no team.
    """

    team: str | None
    starts_on: date | None = None
    ends_on: date | None = None

    @property
    def is_dated(self) -> bool:
        """Return whether some days are outside."""
        return bool(self.starts_on or self.ends_on)

    def holds_on(self, day: date) -> bool:
        return (self.starts_on is None or self.starts_on <= day) and (
            self.ends_on is None or day < self.ends_on
        )


@dataclass(frozen=True)
class Viewer:
    """Person or script that reads or writes, built on each run. Frozen: it keys caches."""

    SYSTEM: ClassVar[Viewer]

    username: str
    role: Role | None
    led_teams: tuple[TeamSpan, ...] = ()
    managed_teams: tuple[str, ...] = ()
    """Teams of a manager's sites, today."""
    sees_unassigned: bool = False
    advisor_id: str | None = None
    display_name: str = ""
    language: str | None = None
    is_system: bool = False
    kpis: tuple[str, ...] = ()
    """KPIs of a service token; empty: all that the role sees."""

    def can(self, permission: Permission) -> bool:
        return self.is_system or permission in GRANTS.get(self.role, frozenset())

    def require(self, permission: Permission) -> None:
        """Raise AccessDenied unless this viewer has the permission."""
        if not self.can(permission):
            raise AccessDenied()

    def can_cut_by(self, dimension: str) -> bool:
        """Return whether this viewer may group or filter by that dimension."""
        if self.is_system:
            return True
        if self.role == Role.EXECUTIVE:
            return dimension in EXECUTIVE_DIMENSIONS
        permission = DIMENSION_PERMISSIONS.get(dimension)
        return self.role in GRANTS and (permission is None or self.can(permission))

    def without_name(self) -> Viewer:
        """Return a viewer of the same rows who is the same for everybody who sees them."""
        username = self.username if self.role == Role.EVALUATOR else ""
        return replace(self, username=username, display_name="")

    @property
    def teams(self) -> frozenset[str]:
        """Teams that this viewer manages, leads or ever led."""
        return frozenset((*self.managed_teams, *(span.team for span in self.led_teams)))

    def teams_on(self, day: date) -> frozenset[str]:
        """Find the teams that this viewer manages, or leads on that day."""
        return frozenset(
            (*self.managed_teams, *(span.team for span in self.led_teams if span.holds_on(day)))
        )

    @property
    def sees_unassigned_contacts(self) -> bool:
        """Return whether contacts without a team, such as missed calls, are in the scope."""
        is_whole = self.is_system or self.role == Role.EXECUTIVE
        return is_whole or (self.role == Role.MANAGER and self.sees_unassigned)

    @property
    def needs_suppression(self) -> bool:
        """Return whether small cells are hidden from this viewer."""
        return not self.is_system and self.role == Role.EXECUTIVE

    @property
    def spans(self) -> tuple[TeamSpan, ...] | None:
        """Teams with their days that make up this viewer's rows; None where teams do not
        decide. From here come `scope`, and the rows of sums that are kept for everybody
        (`kept_rows`).
        """
        if self.is_system or self.role not in (Role.MANAGER, Role.TEAM_LEAD):
            return None
        if self.role == Role.TEAM_LEAD:
            return self.led_teams
        return tuple(map(TeamSpan, (*self.managed_teams, *([None] * self.sees_unassigned))))

    def scope(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """Build the predicate of the rows this viewer may count, on a table with
        `advisor_id`, `team`, `evaluator`, and `local_start` (facts) or `local_day`
        (records).

        A table without the column that decides for their role gives no row.
        """
        import sqlalchemy as sa

        columns = table.c
        if self.is_system or self.role == Role.EXECUTIVE:
            return sa.true()
        if self.spans is not None and "team" in columns:
            teams = [span.team for span in self.spans if span.team and not span.is_dated]
            rest = [span for span in self.spans if span.is_dated or not span.team]
            in_teams = columns.team.in_(teams) if teams else sa.false()
            return sa.or_(in_teams, *(self._within(columns, span) for span in rest))
        if self.role == Role.ADVISOR and self.advisor_id and "advisor_id" in columns:
            return columns.advisor_id == self.advisor_id
        if self.role == Role.EVALUATOR and "evaluator" in columns:
            return columns.evaluator == self.username
        return sa.false()

    @staticmethod
    def _within(columns: sa.ColumnCollection, span: TeamSpan) -> sa.ColumnElement[bool]:
        import sqlalchemy as sa

        clock, at = (
            (columns.local_start, lambda day: datetime.combine(day, time.min))
            if "local_start" in columns
            else (columns.local_day, lambda day: day)
        )
        parts = [columns.team == span.team] if span.team else [columns.team.is_(None)]
        if span.starts_on:
            parts.append(clock >= at(span.starts_on))
        if span.ends_on:
            parts.append(clock < at(span.ends_on))
        return sa.and_(*parts)


Viewer.SYSTEM = Viewer("system", None, is_system=True, display_name="system")
