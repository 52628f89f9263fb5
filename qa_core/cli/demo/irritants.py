"""Action list of the demo centre: three irritants at three stages."""

from dataclasses import dataclass
from datetime import time

from qa_core.access import accounts
from qa_core.access.roles import Role
from qa_core.analysis.irritants import action_list
from qa_core.analysis.irritants.action_list import ActionState
from qa_core.analysis.irritants.subject import IrritantKind, IrritantSubject
from qa_core.cli.demo.plan import DemoPlan
from qa_core.metrics.dimensions import Filters
from qa_core.storage.records import store
from qa_core.storage.records.irritants import Irritant, IrritantStep

CLOCK = time(10)
"""Time of day of all that happens here."""


@dataclass(frozen=True)
class IrritantStory:
    """Irritant in days before the end (negative: after it): its states, its due day."""

    subject: IrritantSubject
    steps: tuple[tuple[ActionState, int], ...]
    owner: Role
    due: int
    note: str


STORIES = (
    IrritantStory(
        IrritantSubject(IrritantKind.REPEATS, "reason", "Panne box"),
        ((ActionState.NEW, 75), (ActionState.LOOKED_AT, 70), (ActionState.IN_HAND, 63)),
        Role.TEAM_LEAD,
        -21,
        "Dérouler le diagnostic complet au premier appel ; fiche remise aux équipes.",
    ),
    IrritantStory(
        IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "Facturation"),
        ((ActionState.NEW, 24), (ActionState.LOOKED_AT, 17)),
        Role.MANAGER,
        4,
        "Relire la nouvelle facture avec le service qui l'édite.",
    ),
    IrritantStory(
        IrritantSubject(IrritantKind.CUSTOMER_WORDS, terms=("fr:factur",), shown="facture"),
        ((ActionState.NEW, 9),),
        Role.MANAGER,
        -14,
        "",
    ),
)


def set_up(plan: DemoPlan, sign_ins: list[dict[str, str]]) -> None:
    """Add them as the demo's manager would; existing entries stay."""
    names = {entry["role"]: entry["username"] for entry in sign_ins}
    with store.reading() as session:
        manager = accounts.get_viewer(session, names[Role.MANAGER])
    for story in STORIES:
        number = action_list.open_entry(manager, story.subject, Filters(), names[story.owner])
        with store.writing() as session:
            entry = session.get(Irritant, number)
            entry.steps = [
                IrritantStep(
                    state=state, taken_by=manager.username, taken_at=plan.moment(days, CLOCK)
                )
                for state, days in story.steps
            ]
            entry.state, entry.opened_at = story.steps[-1][0], entry.steps[0].taken_at
            entry.due_on, entry.note = plan.day(story.due), story.note
