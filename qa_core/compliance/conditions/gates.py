"""Legal gates: values that drawing and listening require (docs/compliance.md, section 2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment
from qa_core.base.arguments import require_between
from qa_core.base.errors import Misuse, Refusal, require_known
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import PURGE
from qa_core.storage.records.listening import Accreditation, GateValue

PURPOSES = ("training", "evaluation", "quality")
"""Purposes of listening; `proof` is not one: it is never listened to (docs/compliance.md, R1)."""

COUNTS_AS = {"targeted": "quality", "calibration": "quality"}
"""Purposes of listening that the law counts as another purpose."""

DECLARED = declared.read(__file__)
PURPOSE_TITLES: dict[str, str] = DECLARED["purpose_titles"]


@dataclass(frozen=True)
class Gate:
    """Gate; `kind`: `day`, `switch` (a day, or off), `purposes`, `months` (1–`highest`),
    `text`, `people` (no value to enter); `rule` of docs/compliance.md; `actor`: who has to act
    for it to open; `act`: what it opens. Gates of machines close nothing: their rule is red
    without them.
    """

    name: str
    title: str
    meaning: str
    rule: str
    source: str
    kind: str
    example: str
    actor: str
    highest: int = 0
    act: str = "listening"

    @property
    def expects(self) -> str:
        """The expected value, in the reader's language."""
        match self.kind:
            case "day":
                return _("a day, such as {example}", example=self.example)
            case "purposes":
                return _(
                    "one or more of {choices}, separated by commas", choices=", ".join(PURPOSES)
                )
            case "switch":
                return _("a day, such as {example}, or {off}", example=self.example, off=OFF)
            case "months":
                return _("a number of months from 1 to {highest}", highest=self.highest)
            case "text":
                return _("a text")
            case _:
                return _("at least one person: {command}", command=ACCREDIT)

    def parse(self, text: str) -> str:
        """Parse a value into its stored form. Raises Misuse, naming the accepted values."""
        text = text.strip()
        match self.kind:
            case "switch" if text.casefold() == OFF:
                return ""
            case "day" | "switch":
                if day := self._parse_day(text):
                    return day.isoformat()
            case "purposes":
                words = set(re.split("[;, ]+", text)) - {""}
                if words and words <= set(PURPOSES):
                    return ",".join(word for word in PURPOSES if word in words)
            case "months":
                if text.isdecimal() and 1 <= int(text) <= self.highest:
                    return str(int(text))
            case "text" if text:
                return text
        message = N_("{name} must be {expected}.")
        raise Misuse("bad_gate", message, name=self.name, expected=self.expects)

    def _parse_day(self, text: str) -> date | None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        require_between(day, last=environment.today())
        return day


OFF = "off"
"""Value that closes a gate which a day has opened."""
ACCREDIT = "python -m qa_core accredit NAME --until DATE"
*_VALUED, LISTENERS_GATE = (Gate(**entry) for entry in DECLARED["gate"])
ALL: tuple[Gate, ...] = tuple(gate for gate in _VALUED if gate.act == LISTENERS_GATE.act)
"""Gates of listening with a value; the last one declared has none."""
OF_MACHINES = tuple(gate for gate in _VALUED if gate.act == "machine")
(OF_DELIVERY,) = (gate for gate in _VALUED if gate.act == "delivery")
ACTS = ("listening", "delivery", "machine")
"""Acts that gates open, in the order of lists."""
LISTENERS = LISTENERS_GATE.name
CONSULTATION = "works_council_consulted_on"
BY_NAME = {gate.name: gate for gate in (*_VALUED, LISTENERS_GATE)}


@dataclass(frozen=True)
class GateState:
    """A gate and its value; None while it is closed."""

    gate: Gate
    value: str | None
    set_by: str | None = None
    set_at: datetime | None = None


def find_all(viewer: Viewer) -> list[GateState]:
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        newest = _newest(session)
    return [
        GateState(gate, row.value or None, row.set_by, row.set_at)
        if (row := newest.get(gate.name))
        else GateState(gate, None)
        for gate in _VALUED
    ]


def set_gate(viewer: Viewer, name: str, text: str) -> None:
    """Enter the value of a gate, and log it. Raises Misuse for an unknown gate or bad value."""
    set_gates(viewer, [(name, text)])


def set_gates(viewer: Viewer, entries: Sequence[tuple[str, str]]) -> None:
    """Enter several gates, all or none of them."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    for name, _text in entries:
        require_known(name, BY_NAME, "unknown_gate")
    values = [(name, BY_NAME[name].parse(text)) for name, text in entries]
    values.sort(key=lambda entry: entry[0] == CONSULTATION)  # it was about the others
    with store.writing() as session:
        for name, value in values:
            session.add(GateValue(name=name, value=value, set_by=viewer.username))
            audit_log.record(session, viewer.username, "gate_set", f"{name}={value}")
            if BY_NAME[name].kind == "months":
                due_work.request(session, PURGE)


def value_of(session: Session, name: str) -> str | None:
    """Return the newest value of a gate; None where there is none."""
    row = store.remember(session, "gates", _newest).get(name)
    return row.value if row else None


def find_delivery_start(session: Session) -> datetime | None:
    """Return the moment from which deliveries may be due: the entry of their gate; None while
    it is closed.
    """
    row = store.remember(session, "gates", _newest).get(OF_DELIVERY.name)
    return row.set_at if row and row.value else None


def find_purposes(session: Session) -> list[str]:
    return [name for name in (value_of(session, "purposes") or "").split(",") if name]


def retention_months(session: Session, name: str) -> int:
    """Return the months kept of `recording` or `analysis`: as entered, else the legal maximum."""
    gate = BY_NAME[f"{name}_retention_months"]
    return min(gate.highest, int(value_of(session, gate.name) or gate.highest))


def describe_listening(missing: Sequence[str], uninformed: int) -> str:
    """Describe whether anybody may listen: the missing gates, else the advisors not informed."""
    if missing:
        return ngettext(
            "Not yet: {n} gate is closed, so nobody draws, listens or evaluates. Missing: "
            "{titles}.",
            "Not yet: {n} gates are closed, so nobody draws, listens or evaluates. Missing: "
            "{titles}.",
            len(missing),
            titles=formatting.listing(missing),
        )
    if not uninformed:
        return _("Every gate is open, and every advisor is informed.")
    return ngettext(
        "Every gate is open. {n} advisor is not informed yet, so none of their contacts is drawn.",
        "Every gate is open. {n} advisors are not informed yet, so none of their contacts is "
        "drawn.",
        uninformed,
    )


def find_missing(session: Session) -> tuple[str, ...]:
    """List the names of the closed gates."""
    newest = _newest(session)
    today = environment.today()
    stands = sa.select(Accreditation.id).where(
        Accreditation.ended_at.is_(None),
        Accreditation.starts_on <= today,
        Accreditation.ends_on >= today,
    )
    listeners = () if session.scalar(stands.limit(1)) else (LISTENERS,)
    return (*(gate.name for gate in ALL if gate.name not in newest), *listeners)


def name_command(name: str) -> str:
    """Name the command that opens a gate, with an example of its value."""
    if name == LISTENERS:
        return ACCREDIT
    return f"python -m qa_core gate set {name}={BY_NAME[name].example}"


def require_open(session: Session, purpose: str | None = None) -> None:
    """Refuse while a gate is closed, naming it, and for a purpose the centre has not entered."""
    if missing := find_missing(session):
        titles = ", ".join(_(BY_NAME[name].title) for name in missing)
        message = N_(
            "Listening is not open yet. Still missing: {titles}. Your data protection officer "
            "enters them on the page “Compliance”."
        )
        commands = tuple(name_command(name) for name in missing)
        raise Refusal("gate_closed", message, commands, titles=titles, missing=",".join(missing))
    required_purpose = COUNTS_AS.get(purpose, purpose)
    if required_purpose is not None and required_purpose not in find_purposes(session):
        raise Refusal(
            "purpose_not_entered",
            "{purpose} is not among the listening purposes of this centre. The data "
            "protection officer can add it.",
            purpose=required_purpose,
        )


def _newest(session: Session) -> dict[str, GateValue]:
    return {row.name: row for row in session.scalars(sa.select(GateValue).order_by(GateValue.id))}
