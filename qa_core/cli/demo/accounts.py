"""Accounts of the demo centre, for this machine; passwords in a private file."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from qa_core.access import accounts, passwords, people
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.cli.demo.staff import EVALUATORS, SITES, TEAMS, Staff
from qa_core.storage.records import store

ACCOUNTS: tuple[tuple[Role, str, str | None], ...] = (
    (Role.MANAGER, "manager", "Sylvie Aubrac-Denis"),
    (Role.TEAM_LEAD, "lead", "Thomas Réveillaud"),
    (Role.EXECUTIVE, "executive", "Anne Courtavel"),
    (Role.EVALUATOR, "evaluator", EVALUATORS[0]),
    (Role.EVALUATOR, "evaluator2", EVALUATORS[1]),
    (Role.ADVISOR, "advisor", None),
    (Role.DPO, "dpo", "Pierre Malandain"),
    (Role.ADMIN, "admin", "Nora Belkasmi"),
)
"""Role, username and invented name; a calibration takes two evaluators."""


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
    """Write that file atomically."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    environment.write_private(credentials_file(), text.encode(), overwrite=True)


def choose_sign_ins() -> list[dict[str, str]]:
    """Choose a free username and a password for each account."""
    with store.reading() as session:
        taken = people.find_people(session)
    free = (
        (role, name if name not in taken else f"demo-{name}") for role, name, _shown in ACCOUNTS
    )
    return [
        {"role": str(role), "username": name, "password": passwords.make_one_time()}
        for role, name in free
    ]


def open_all(viewer: Viewer, sign_ins: list[dict[str, str]], staff: Staff) -> None:
    """Create the accounts, each bound to what its role shows best."""
    team, advisor = choose_team(staff), choose_advisor(staff)
    bounds: dict[Role, dict[str, Any]] = {
        # Missed contacts belong to no team: without them a manager would see a centre
        # that answers everybody.
        Role.MANAGER: {"sites": SITES, "sees_unassigned": True},
        Role.TEAM_LEAD: {"teams": (TEAMS[team][0],)},
        Role.ADVISOR: {"advisor_id": staff.ids[advisor]},
    }
    for entry, (role, _name, shown) in zip(sign_ins, ACCOUNTS, strict=True):
        accounts.add(
            viewer,
            entry["username"],
            role,
            password=entry["password"],
            display_name=shown or staff.names[advisor],
            demo=True,
            **bounds.get(role, {}),
        )


def choose_team(staff: Staff) -> int:
    """Choose the team where most advisors truly differ: its lead has most to see."""
    today = staff.team_on[-1]
    differs = (staff.resolves != 0) | (staff.pleases != 0) | (staff.scores != 0)
    return int(np.argmax([np.sum(differs[today == team]) for team in range(len(TEAMS))]))


def choose_advisor(staff: Staff) -> int:
    """Choose an ordinary advisor of that team, if possible present from the first day."""
    members = np.nonzero(staff.team_on[-1] == choose_team(staff))[0]
    ordinary = (
        (staff.resolves == 0)
        & (staff.pleases == 0)
        & (staff.scores == 0)
        & (staff.handles == 1)
        & (staff.declares == 0)
    )
    return int(
        max(members, key=lambda member: (ordinary[member], np.sum(staff.team_on[:, member] >= 0)))
    )
