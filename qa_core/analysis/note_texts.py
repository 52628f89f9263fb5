"""Notes of a value of `measure` in words."""

from collections.abc import Iterable, Sequence
from typing import Any

from qa_core.base import declared
from qa_core.base.i18n import N_, _, ngettext, uncapitalise
from qa_core.metrics.kpis import formatting

_DECLARED = declared.read(__file__)
POPULATIONS: dict[str, str] = _DECLARED["populations"]
NOTES: dict[str, str] = POPULATIONS | _DECLARED["notes"]
COUNTED_NOTES: dict[str, list[str]] = _DECLARED["counted"]
COMPONENTS = {"talk": N_("Talk time"), "hold": N_("Hold time"), "wrap": N_("After-contact work")}


def describe_populations(rows: Iterable[Any]) -> list[str]:
    """Return in words what the viewer does not see behind these rows of `measure`, once each."""
    codes = dict.fromkeys(note for row in rows for note in row.notes or ())
    if "missed_out_of_scope" in codes:  # It says why only answered contacts are counted, too.
        codes.pop("answered_only", None)
    return [_(POPULATIONS[code]) for code in codes if code in POPULATIONS]


def describe_sample(row: Any) -> list[str]:
    """Return in words that a value rests on few contacts; nothing where it rests on enough."""
    return [_("small sample")] if row.status == "small_sample" else []


def describe(notes: Sequence[str]) -> list[str]:
    """Return in words the notes of a value that a reader must know."""
    texts = []
    for note in notes:
        code, _colon, detail = note.partition(":")
        if code in NOTES:
            texts.append(_(NOTES[code]))
        elif code in COUNTED_NOTES:
            count = int(detail)
            texts.append(ngettext(*COUNTED_NOTES[code], count, count=formatting.number(count)))
        elif code == "component_missing":
            text = _(
                "Some sources never provide {component}; it is left out there.",
                component=uncapitalise(_(COMPONENTS[detail])),
            )
            texts.append(text)
    return texts
