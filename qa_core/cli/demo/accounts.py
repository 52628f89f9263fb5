"""Accounts of the demo centre, for this machine; passwords in a private file."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qa_core.access import accounts, passwords, people
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.cli.demo.staff import SITES, TEAMS, Staff
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.storage.records import store


@dataclass(frozen=True)
class Cast:
    """People of the story: the demo accounts, the lead's team, its advisor."""

    plan: DemoPlan
    staff: Staff
    sign_ins: list[dict[str, str]]

    def name(self, role: str) -> str:
        """Return the username of that role: of two evaluators, the first."""
        return next(entry["username"] for entry in self.sign_ins if entry["role"] == role)

    def view(self, role: str) -> Viewer:
        with store.reading() as session:
            return accounts.get_viewer(session, self.name(role))

    @property
    def evaluators(self) -> list[str]:
        return [entry["username"] for entry in self.sign_ins if entry["role"] == Role.EVALUATOR]

    @functools.cached_property
    def team(self) -> str:
        return TEAMS[choose_team(self.staff)].name

    @functools.cached_property
    def advisor(self) -> int:
        return choose_advisor(self.staff)

    @property
    def advisor_id(self) -> str:
        return self.staff.ids[self.advisor]


def credentials_file() -> Path:
    """Locate the plan and the passwords of the demo centre."""
    return environment.current().secrets_folder / "demo"


def read() -> dict[str, Any]:
    """Read that file: `complete`, `plan`, `sign_ins`; empty when there is no demo centre."""
    try:
        return json.loads(credentials_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write(content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    environment.write_private(credentials_file(), text.encode(), overwrite=True)


def choose_sign_ins() -> list[dict[str, str]]:
    """Choose a free username and a password for each account."""
    with store.reading() as session:
        taken = people.find_people(session)
    return [
        {
            "role": entry.role,
            "username": f"demo-{entry.username}" if entry.username in taken else entry.username,
            "password": passwords.make_one_time(),
        }
        for entry in STORY.accounts
    ]


def open_all(viewer: Viewer, cast: Cast) -> None:
    """Create the accounts, each bound to what its role shows best."""
    bounds: dict[str, dict[str, Any]] = {
        # Missed contacts belong to no team: without them a manager would see a centre
        # that answers everybody.
        Role.MANAGER: {"sites": SITES, "sees_unassigned": True},
        Role.TEAM_LEAD: {"teams": (cast.team,)},
        Role.ADVISOR: {"advisor_id": cast.advisor_id},
    }
    for entry, account in zip(cast.sign_ins, STORY.accounts, strict=True):
        accounts.add(
            viewer,
            entry["username"],
            Role(entry["role"]),
            password=entry["password"],
            display_name=account.get("shown", cast.staff.names[cast.advisor]),
            demo=True,
            **bounds.get(entry["role"], {}),
        )


def choose_team(staff: Staff) -> int:
    """Choose the team where most advisors truly differ: its lead has most to see."""
    differs = (staff.resolves != 0) | (staff.pleases != 0) | (staff.scores != 0)
    return int(np.argmax([differs[staff.team_on[-1] == team].sum() for team in range(len(TEAMS))]))


def choose_advisor(staff: Staff) -> int:
    """Choose an ordinary advisor of that team, if possible present from the first day."""
    traits = (staff.resolves, staff.pleases, staff.scores, staff.handles - 1, staff.declares)
    ordinary = ~np.any(traits, axis=0)
    present = (staff.team_on >= 0).sum(axis=0)
    return max(_list_members(staff), key=lambda member: (ordinary[member], present[member]))


def choose_trained(staff: Staff) -> int:
    """Choose the advisor whose coaching on the criterion of the launch succeeds."""
    order = order_colleagues(staff)
    return order[min(2, len(order) - 1)]


def order_colleagues(staff: Staff) -> list[int]:
    """Order the other members of the team today, the truly lowest first."""
    spoken = choose_advisor(staff)
    members = [member for member in _list_members(staff) if member != spoken]
    return sorted(members, key=lambda member: (staff.scores[member], member)) or [spoken]


def _list_members(staff: Staff) -> list[int]:
    return np.nonzero(staff.team_on[-1] == choose_team(staff))[0].tolist()
