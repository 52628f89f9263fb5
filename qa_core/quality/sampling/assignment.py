"""Assignment of drawn contacts: evenly, never one's own, within the plan's limit."""

from collections import Counter
from collections.abc import Iterable

import sqlalchemy as sa

from qa_core.access import people
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.compliance.conditions import accreditations, evaluators
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.listening import Draw, DrawnContact, ListeningPlan
from qa_core.storage.records.store import Session


def find_listeners(session: Session, plan: ListeningPlan) -> dict[str, set[str]]:
    """Return evaluators who may listen today, with their own advisor ids. Raise Refusal
    `no_evaluator`.
    """
    accounts, own_ids = people.find_people(session), evaluators.find_own_ids(session)
    listeners = {
        name: own_ids[name]
        for name in plan.evaluators
        if name in accounts
        and accounts[name].is_active
        and accreditations.is_accredited(session, name, plan.purpose)
    }
    if not listeners:
        raise accreditations.build_unaccredited("no_evaluator", plan.evaluators)
    return listeners


def assign(session: Session, plan: ListeningPlan, advisors: Iterable[str]) -> list[str]:
    """Return the evaluator of each contact (given by its advisor, in drawn order): the
    one with the fewest, then with the fewest of that advisor, then first in the plan.

    Raise Refusal `evaluators_full` where all would exceed the plan's limit or have only
    their own contacts left.
    """
    listeners = find_listeners(session, plan)
    assigned = sa.select(DrawnContact.evaluator, DrawnContact.advisor_id).join(
        Draw, Draw.id == DrawnContact.draw_id
    )
    rows = session.execute(
        Unscoped(
            assigned.where(Draw.plan_id == plan.id, DrawnContact.state != "replaced"),
            "Work is shared evenly over the evaluators of a plan, so all its drawn contacts "
            "count. Only the number of each evaluator is used.",
        )
    ).all()
    load = Counter(row.evaluator for row in rows)
    of_advisor = Counter((row.evaluator, row.advisor_id) for row in rows)
    order = list(listeners)
    chosen = []
    for advisor in advisors:
        free = [
            name
            for name in order
            if advisor not in listeners[name]
            and (plan.most_per_evaluator is None or load[name] < plan.most_per_evaluator)
        ]
        if not free:
            message = N_(
                "The plan {plan} needs more evaluators who may listen today (maximum per "
                "evaluator: {most}; nobody listens to their own calls)."
            )
            raise Refusal(
                "evaluators_full", message, plan=plan.name, most=plan.most_per_evaluator or "–"
            )
        name = min(
            free, key=lambda name: (load[name], of_advisor[name, advisor], order.index(name))
        )
        load[name] += 1
        of_advisor[name, advisor] += 1
        chosen.append(name)
    return chosen
