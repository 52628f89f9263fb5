"""Legal gates: values that drawing and listening require (docs/compliance.md, section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal, require_known
from qa_core.base.i18n import N_, _
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.listening import Accreditation, GateValue

PURPOSES = ("training", "evaluation", "quality")
"""Purposes of listening; proof is kept apart, never listened to (docs/compliance.md, R1)."""

COUNTS_AS = {"targeted": "quality", "calibration": "quality"}
"""Purposes of a listening that are no purposes of their own before the law."""

PURPOSE_TITLES = {
    "training": N_("training"),
    "evaluation": N_("evaluation"),
    "quality": N_("quality of service"),
    "proof": N_("proof of a contract"),
}


@dataclass(frozen=True)
class Gate:
    """Gate; `kind`: `day`, `purposes`, `months` (1–`highest`); `rule` of docs/compliance.md."""

    name: str
    title: str
    meaning: str
    rule: str
    source: str
    kind: str
    example: str
    highest: int = 0

    @property
    def expects(self) -> str:
        """The expected value as a gettext message, with places for `expects_params`."""
        match self.kind:
            case "day":
                return N_("a day, such as {example}")
            case "purposes":
                return N_("one or more of {choices}, separated by commas")
            case _:
                return N_("a number of months from 1 to {highest}")

    @property
    def expects_params(self) -> dict[str, str | int]:
        return {"example": self.example, "choices": ", ".join(PURPOSES), "highest": self.highest}

    def parse(self, text: str) -> str:
        """Parse a value into its stored form. Raises Misuse, naming the accepted values."""
        text = text.strip()
        match self.kind:
            case "day":
                try:
                    day = date.fromisoformat(text)
                except ValueError as error:
                    raise Misuse(
                        "bad_gate", "{name} is a date, written as 2026-11-24.", name=self.name
                    ) from error
                if day > environment.today():
                    raise Misuse(
                        "bad_gate",
                        "{name} is a date in the future. Enter it after the event.",
                        name=self.name,
                    )
                return day.isoformat()
            case "purposes":
                purposes = [
                    word for word in text.replace(";", ",").replace(" ", ",").split(",") if word
                ]
                if not purposes or set(purposes) - set(PURPOSES):
                    raise Misuse(
                        "bad_gate",
                        "{name} is one or more of: {choices}, separated by commas.",
                        name=self.name,
                        choices=", ".join(PURPOSES),
                    )
                return ",".join(word for word in PURPOSES if word in purposes)
            case _:
                if not text.isdecimal() or not 1 <= int(text) <= self.highest:
                    raise Misuse(
                        "bad_gate",
                        "{name} is a number of months from 1 to {highest}.",
                        name=self.name,
                        highest=self.highest,
                    )
                return str(int(text))


ALL: tuple[Gate, ...] = (
    Gate(
        "works_council_consulted_on",
        N_("Works council consulted on"),
        N_(
            "The staff representatives are informed and consulted before calls are recorded or "
            "listened to."
        ),
        "R4",
        "Code du travail L2312-38",
        "day",
        "2026-01-15",
    ),
    Gate(
        "purposes",
        N_("Purposes"),
        N_(
            "What calls may be listened to for: training, evaluation, quality of service. Nothing "
            "else is allowed."
        ),
        "R1",
        "CNIL, 25/04/2022",
        "purposes",
        "training,evaluation,quality",
    ),
    Gate(
        "callers_informed_since",
        N_("Callers informed since"),
        N_(
            "Since when a message tells callers that the call may be recorded, why, and that they "
            "may refuse."
        ),
        "R3",
        N_("GDPR art. 13 and 21"),
        "day",
        "2026-01-15",
    ),
    Gate(
        "recording_retention_months",
        N_("Recordings kept for (months)"),
        N_("Six months at most. Older recordings cannot be played, and are deleted within a day."),
        "R5",
        "NS-57, délibération 2014-474",
        "months",
        "6",
        6,
    ),
    Gate(
        "analysis_retention_months",
        N_("Evaluations kept for (months)"),
        N_(
            "Twelve months at most, for evaluations, comments, calibrations and coaching. Older "
            "ones are deleted within a day."
        ),
        "R6",
        "NS-57, délibération 2014-474",
        "months",
        "12",
        12,
    ),
)
BY_NAME = {gate.name: gate for gate in ALL}
ACTORS = {
    "works_council_consulted_on": N_(
        "Management consults; the data protection officer enters the date"
    ),
    "purposes": N_("Management decides; the data protection officer enters the purposes"),
    "callers_informed_since": N_(
        "The telephony team plays the message; the data protection officer enters the date"
    ),
    "recording_retention_months": N_("The data protection officer"),
    "analysis_retention_months": N_("The data protection officer"),
    "accredited_listeners": N_("The data protection officer, for people named by management"),
}
"""Who has to act for a gate to open."""
LISTENERS = "accredited_listeners"
ACCREDIT = "python -m qa_core accredit NAME --until DATE"
LISTENERS_TITLE = N_("Accredited listeners")
LISTENERS_RULE = "R7"
LISTENERS_MEANING = N_(
    "Only people who need to listen are accredited, each for named purposes and until a date."
)
LISTENERS_SOURCE = "NS-57, délibération 2014-474"
"""The sixth gate has no value: the first accreditation opens it (docs/compliance.md, R7)."""


@dataclass(frozen=True)
class GateState:
    """A gate and its value; None while it is closed."""

    gate: Gate
    value: str | None
    set_by: str | None = None
    set_at: datetime | None = None


def find_all(viewer: Viewer) -> list[GateState]:
    """List every gate with its value."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        newest = _newest(session)
    return [
        GateState(gate, row.value, row.set_by, row.set_at)
        if (row := newest.get(gate.name))
        else GateState(gate, None)
        for gate in ALL
    ]


def set_gate(viewer: Viewer, name: str, text: str) -> None:
    """Enter the value of a gate, and log it. Raises Misuse for an unknown gate or bad value."""
    set_gates(viewer, [(name, text)])


def set_gates(viewer: Viewer, entries: Sequence[tuple[str, str]]) -> None:
    """Enter several gates, all or none of them."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    for name, _text in entries:
        if name == LISTENERS:
            message = N_(
                "{name} has no value to enter. It opens with the first accreditation. Accredit "
                "somebody on the page “Are we in order?”."
            )
            raise Misuse("unknown_gate", message, (ACCREDIT,), name=name)
        message = N_("There is no gate {name}. Known: {known}.")
        require_known(name, BY_NAME, "unknown_gate", message)
    values = [(name, BY_NAME[name].parse(text)) for name, text in entries]
    with store.writing() as session:
        for name, value in values:
            session.add(GateValue(name=name, value=value, set_by=viewer.username))
            audit_log.record(session, viewer.username, "gate_set", f"{name}={value}")


def value_of(session: Session, name: str) -> str | None:
    """Return the newest value of a gate; None where there is none."""
    row = store.remember(session, "gates", _newest).get(name)
    return row.value if row else None


def retention_months(session: Session, name: str) -> int:
    """Return the months kept of `recording` or `analysis`: as entered, else the legal maximum."""
    gate = BY_NAME[f"{name}_retention_months"]
    return int(value_of(session, gate.name) or gate.highest)


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
        titles = ", ".join(
            _(BY_NAME[name].title) if name in BY_NAME else _(LISTENERS_TITLE) for name in missing
        )
        message = N_(
            "Listening is not open yet. Still missing: {titles}. Your data protection officer "
            "enters them on the page “Are we in order?”."
        )
        commands = tuple(name_command(name) for name in missing)
        raise Refusal("gate_closed", message, commands, titles=titles, missing=",".join(missing))
    required_purpose = COUNTS_AS.get(purpose, purpose)
    if required_purpose is not None and required_purpose not in (
        value_of(session, "purposes") or ""
    ).split(","):
        raise Refusal(
            "purpose_not_entered",
            "{purpose} is not among the listening purposes of this centre. The data "
            "protection officer can add it.",
            purpose=required_purpose,
        )


def _newest(session: Session) -> dict[str, GateValue]:
    return {row.name: row for row in session.scalars(sa.select(GateValue).order_by(GateValue.id))}
