"""Validation of a scorecard: all faults at once, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa_core import scoring
from qa_core.base.errors import Refusal

PLACEHOLDER = "stand-in"
"""Prefix of placeholders for unchecked parts: each is parsed alone, at its own number."""


@dataclass(frozen=True)
class Fault:
    """Fault with its section, criterion (from 1; None: no single one) and field."""

    refusal: Refusal
    section: int | None = None
    criterion: int | None = None

    @property
    def field(self) -> str:
        """Return the field at fault, such as `points`; empty for no single one."""
        return str(self.refusal.params.get("place", "")).rpartition(".")[2]


def find_faults(content: Mapping[str, Any]) -> list[Fault]:
    """Return every fault of a scorecard; without any it may be published."""
    if not isinstance(content, Mapping):
        return _parse(content)
    faults = _parse({**content, "section": [_placeholder_section(0)]})
    sections = content.get("section")
    if isinstance(sections, list):
        for number, section in enumerate(sections, start=1):
            faults += _check_section(section, number)
    # Faults between parts, such as a duplicate key, show only in the whole.
    return faults or _parse(content)


def _check_section(section: Any, number: int) -> list[Fault]:
    before = [_placeholder_section(position) for position in range(number)]
    criteria = section.get("criterion") if isinstance(section, Mapping) else None
    if not isinstance(criteria, list) or not criteria:
        return _parse({"section": [*before[1:], section, before[0]]}, number)
    faults = _parse(
        {
            "section": [
                *before[1:],
                {**section, "criterion": [_placeholder_criterion(0)]},
                before[0],
            ]
        },
        number,
    )
    for position, criterion in enumerate(criteria, start=1):
        others = [_placeholder_criterion(other) for other in range(position)]
        name = (
            section.get("name")
            if isinstance(section.get("name"), str) and section["name"].strip()
            else str(number)
        )
        faults += _parse(
            {"section": [{"name": name, "criterion": [*others[1:], criterion, others[0]]}]},
            number,
            position,
        )
    return faults


def _parse(content: Any, section: int | None = None, criterion: int | None = None) -> list[Fault]:
    try:
        scoring.parse_scorecard(content)
    except Refusal as refusal:
        return [Fault(refusal, section, criterion)]
    return []


def _placeholder_section(number: int) -> dict[str, Any]:
    return {
        "name": f"{PLACEHOLDER} {number}",
        "criterion": [_placeholder_criterion(f"section {number}")],
    }


def _placeholder_criterion(position: int | str) -> dict[str, Any]:
    return {"key": f"{PLACEHOLDER} {position}", "points": 1}
