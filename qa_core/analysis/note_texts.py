"""Notes of a value of `measure` in words."""

from collections.abc import Iterable, Sequence
from typing import Any

from qa_core.base.i18n import N_, NN_, _, ngettext, uncapitalise
from qa_core.metrics.kpis import formatting

POPULATIONS = {
    "missed_out_of_scope": N_("Missed contacts have no team, so they are outside your scope."),
    "answered_only": N_("Only answered contacts are counted: the missed ones have no team."),
    "missed_without_team": N_("Missed contacts count only where their source names their team."),
    "before_incomplete": N_("No comparison: the earlier period has data on too few days."),
    "spend_beyond_scope": N_("Spend covers the whole centre, not single teams."),
}
"""Words for what the viewer does not see of a value's contacts, by the note's code."""
NOTES = POPULATIONS | {
    "from_closed_months": N_(
        "Some months' evaluations or customers were deleted by age. These months count through "
        "totals kept from five advisors or more."
    ),
    "closed_months_left_out": N_(
        "Some months are left out: their data for this figure was deleted by age."
    ),
    "definition_changed": N_(
        "The definition changed: contacts of machines, and the time before a hand-over, no longer "
        "count."
    ),
    "mixed_handling": N_(
        "Totals by interval may hold contacts of machines; they count as people's."
    ),
    "from_totals": N_("Part of it comes from totals by interval, without single contacts."),
    "one_criterion": N_("Agreement covers one criterion: choose one, or break down by criterion."),
    "provisional_spend": N_("Spend of the last days may still arrive."),
}
COUNTED_NOTES = {
    "waits_missing": NN_(
        "{count} contact without a known wait is left out.",
        "{count} contacts without a known wait are left out.",
    ),
    "outcome_unknown": NN_(
        "{count} contact is left out: the source does not say how it ended.",
        "{count} contacts are left out: the source does not say how they ended.",
    ),
    "handle_time_unknown": NN_(
        "{count} answered contact is left out: part of its handling time is not known.",
        "{count} answered contacts are left out: part of their handling time is not known.",
    ),
    "unanswered": NN_(
        "{count} contact is counted as abandoned: the file does not say how it ended.",
        "{count} contacts are counted as abandoned: the file does not say how they ended.",
    ),
    "handled_by_unknown": NN_(
        "{count} answered contact counts as a person's: no file says who took it.",
        "{count} answered contacts count as a person's: no file says who took them.",
    ),
    "totals_left_out": NN_(
        "{count} contact from totals is left out: its platform does not tell enough for this "
        "figure.",
        "{count} contacts from totals are left out: their platform does not tell enough for this "
        "figure.",
    ),
}
"""Words for a note, by its code; `waits_missing:120` carries a count."""
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
