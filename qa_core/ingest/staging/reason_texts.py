"""Texts of the codes for rows that were rejected, skipped or folded."""

from qa_core.base.i18n import N_, _
from qa_core.metrics.law import legal_obstacles

REJECTED = {
    "ambiguous_contact": N_("several contacts match; the contact's id would decide"),
    "bad_duration": N_("a duration that cannot be read"),
    "bad_number": N_("a number that cannot be read"),
    "cut_row": N_("the last row is cut: the export stopped too early"),
    "damaged_audio": N_("audio that is empty, damaged or cut short"),
    **legal_obstacles.TITLES,
    "never_evaluates": N_("the evaluator's role never listens"),
    "no_evaluator": N_("no evaluator"),
    "image_attached": N_("a picture is attached to the audio"),
    "impossible_date": N_("a date that does not exist or cannot be read"),
    "missing_amount": N_("no amount"),
    "missing_call_id": N_("the event does not name its call"),
    "missing_criterion": N_("no criterion"),
    "missing_key": N_("nothing says who or what the row is about"),
    "missing_start": N_("no date"),
    "negative_duration": N_("a negative duration"),
    "no_contact": N_("nothing says which contact it is"),
    "no_date": N_("no date"),
    "no_file": N_("the audio file is missing"),
    "no_purpose": N_("no purpose for keeping the recording"),
    "not_a_record": N_("a line that is not a call record"),
    "not_an_event": N_("a line that is not an event of the log"),
    "not_audio": N_("not audio: only sound is kept"),
    "off_scale": N_("a value outside its scale"),
    "own_evaluation": N_("advisors do not evaluate themselves"),
    "outside_folder": N_("the audio file is outside the manifest's folder"),
    "purpose_not_entered": N_("a purpose that this centre has not entered"),
    "stored_otherwise": N_(
        "another recording of the contact is stored, or this one for another purpose; undo "
        "that import first"
    ),
    "too_few_cells": N_("another number of cells than the header has"),
    "too_long": N_("audio of more than four hours"),
    "unpacks_too_far": N_("audio that would take too much space"),
    "too_many_cells": N_("another number of cells than the header has"),
    "unknown_evaluator": N_(
        "the evaluator has no account and is not confirmed by the data protection officer"
    ),
    "unknown_purpose": N_("a purpose other than training, evaluation, quality"),
    "class_not_entered": N_("a class that the data protection officer has not entered"),
    "deleted_before": N_("its audio was deleted by hand, or erased with a person"),
    "unknown_word": N_("an unknown word for this column"),
    "unlike_pattern": N_("a file name that does not fit the pattern"),
}
SKIPPED = {
    "blank": N_("blank rows"),
    "footer": N_("totals and remarks at the end"),
    "header": N_("header rows, second or repeated"),
    "login": N_("sign-ins of advisors"),
    "monitoring": N_("somebody listening in"),
    "recording_leg": N_("legs to a recorder, which are not calls"),
    "not_given": N_("empty: not evaluated, or not answered"),
    "note": N_("notes in a single cell"),
    "still_waiting": N_("events of calls that had not ended"),
    "trial": N_("previews and tests of the survey"),
    "types": N_("header rows, second or repeated"),
    "before_accreditation": N_("waiting: the evaluator was not accredited on that day"),
    "unmatched": N_("waiting for their contact, not yet imported"),
}
FOLDED = {
    "criterion": N_("criteria of one evaluation"),
    "leg": N_("legs and events of one contact"),
    "repeated_event": N_("events that the log has twice"),
    "same_day_and_campaign": N_("same day and campaign, added up"),
}
TEXTS = {**REJECTED, **SKIPPED, **FOLDED}


def describe(code: str) -> str:
    """Describe a code; kinds of events that platforms name only lose their underscores."""
    return _(TEXTS[code]) if code in TEXTS else code.replace("_", " ")
