"""People whose evaluations may come from a file (docs/compliance.md, R7, R18 and R20): accounts
whose role listens, and persons whom the data protection officer has confirmed.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer, has_on_others
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import clean_text
from qa_core.centre.advisors import find_by_spelling, fold_name, normalise_name
from qa_core.compliance.conditions.accreditations import MAX_REASON, holds_on
from qa_core.storage import audit_log
from qa_core.storage.name_merges import find_kept_names
from qa_core.storage.records import store
from qa_core.storage.records.listening import Accreditation, ConfirmedEvaluator

BEFORE_ACCREDITATION, UNKNOWN = "before_accreditation", "unknown_evaluator"
MACHINES = re.compile(r"\b(ai|analytics|auto\w*|bot|gpt|ia|llm|machine|robot|speech|system\w*)\b")
"""Words in the names of programs that score, in the spelling of `normalise_name`."""
EMOTIONS = re.compile(
    r"\b(emotion\w*|sentiment\w*|stress\w*|tone|ton|tonalite|mood|humeur|anger|colere)\b"
)
"""Words in the names of criteria that read emotions, in the spelling of `normalise_name`."""


@dataclass(frozen=True)
class EvaluationAuthor:
    """Person who evaluates: `name` as it is stored with their evaluations; `own_ids` of the
    advisor who they are, or may be by their names.
    """

    name: str
    may_listen: bool
    own_ids: Collection[str]
    accreditations: Sequence[Accreditation]

    def is_accredited(self, day: date, moment: datetime | None) -> bool:
        """Return whether they were accredited on that day, at that moment where it is known."""
        return any(holds_on(item, day, moment) for item in self.accreditations)


class EvaluationAuthors:
    """All persons who may have evaluated, by the spellings of their names."""

    def __init__(self, session: Session) -> None:
        by_person: dict[tuple[str | None, str | None], list[Accreditation]] = {}
        for item in session.scalars(sa.select(Accreditation)):
            by_person.setdefault((item.username, item.evaluator), []).append(item)
        self._known: dict[str, list[EvaluationAuthor]] = {}
        own_ids = find_own_ids(session)
        for username, person in people.find_people(session).items():
            may_listen = has_on_others(person.role, Permission.LISTEN)
            given = by_person.get((username, None), ())
            evaluator = EvaluationAuthor(username, may_listen, own_ids[username], given)
            for spelling in {normalise_name(username), normalise_name(person.name)}:
                self._known.setdefault(spelling, []).append(evaluator)
        by_spelling = find_by_spelling(session)
        for row in session.scalars(sa.select(ConfirmedEvaluator)):
            given = by_person.get((None, row.name), ())
            called = by_spelling.get(fold_name(row.title), ())
            self._known[row.name] = [EvaluationAuthor(row.title, True, called, given)]

    def find(self, name: str | None) -> EvaluationAuthor | None:
        """Find the one person who is meant by a name of a file."""
        meant = self._known.get(normalise_name(name), ()) if name else ()
        return meant[0] if len(meant) == 1 else None

    def judge(
        self, name: str, advisor_id: str | None, day: date | None, moment: datetime | None
    ) -> str | None:
        """Return the code of what forbids to import an evaluation of that advisor by that
        person, or `BEFORE_ACCREDITATION` where it has to wait; None: nothing.
        """
        evaluator = self.find(name)
        if evaluator is None:
            return UNKNOWN
        if not evaluator.may_listen:
            return "never_evaluates"
        if advisor_id in evaluator.own_ids:
            return "own_evaluation"
        if day is None or not evaluator.is_accredited(day, moment):
            return BEFORE_ACCREDITATION
        return None


def find_own_ids(session: Session, among: str | None = None) -> dict[str, set[str]]:
    """Find, by username, the ids of the advisor who that person is, and of those who are called
    as they are: nobody evaluates themselves. `among`: of the names, compare that advisor's alone.
    """
    by_spelling, kept_ids = find_by_spelling(session, among), find_kept_names(session)["advisor"]
    found = {}
    for username, person in people.find_people(session).items():
        bound = person.advisor_id
        found[username] = {bound, kept_ids.get(bound, bound)} - {None}
        for name in (username, person.name):
            found[username] |= by_spelling.get(fold_name(name), set())
    return found


def confirm(viewer: Viewer, name: str, reason: str) -> str:
    """Confirm that a person without an account evaluated here, so that their evaluations may
    be imported for the days of their accreditation. Returns the name. Raises Refusal.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    title, spelling = " ".join(name.split()), normalise_name(name)
    reason = clean_text(reason, MAX_REASON, "no_reason", is_needed=False)
    if not spelling or not reason:
        raise Refusal("no_reason", N_("Give the person's name and the reason."))
    if MACHINES.search(spelling):
        raise Refusal(
            "machine_evaluator",
            N_("{name} looks like a program. Only a person makes and signs an evaluation."),
            name=title,
        )
    with store.writing() as session:
        if EvaluationAuthors(session).find(title) is not None:
            raise Refusal(
                "known_evaluator", N_("{name} is known already: accredit them."), name=title
            )
        session.add(
            ConfirmedEvaluator(
                name=spelling,
                title=title,
                reason=reason,
                confirmed_by=viewer.username,
            )
        )
        audit_log.record(session, viewer.username, "evaluator_confirmed", reason=reason)
    return title


def is_emotion(name: str) -> bool:
    """Return whether a criterion or column of that name reads emotions."""
    return EMOTIONS.search(normalise_name(name)) is not None


def refuse_emotions(names: Iterable[str]) -> None:
    """Refuse criteria and columns that read emotions from a voice or words (R20)."""
    if emotions := list(filter(is_emotion, names)):
        raise Refusal(
            "emotion_criteria",
            N_(
                "The file rates emotions ({names}). Emotions of employees are not rated here (AI "
                "Act, art. 5(1)(f)). Remove these columns or rows from the file."
            ),
            names=", ".join(dict.fromkeys(emotions)),
        )
