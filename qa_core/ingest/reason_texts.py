"""Texts of the codes for rows that were rejected, skipped or folded, as reports,
quarantines and batches use them.
"""

from __future__ import annotations

from qa_core.base.i18n import N_, _
from qa_core.metrics.query import legal_obstacles

REJECTED = {
    "ambiguous_contact": N_("several contacts could be meant; a contact's id would tell"),
    "bad_duration": N_("a duration that cannot be read"),
    "bad_number": N_("a number that cannot be read"),
    "cut_row": N_("the last row is cut: the export ended in the middle of it"),
    "damaged_audio": N_("audio that is empty, damaged or ends before its time"),
    **legal_obstacles.TITLES,
    "no_evaluator": N_("nothing says who evaluated it"),
    "image_attached": N_("a picture is attached to the audio"),
    "impossible_date": N_("a date that does not exist or cannot be read"),
    "missing_amount": N_("no amount"),
    "missing_call_id": N_("the event does not say of which call it is"),
    "missing_criterion": N_("no criterion"),
    "missing_key": N_("nothing says whom or what the row is about"),
    "missing_start": N_("no date"),
    "negative_duration": N_("a duration below zero"),
    "no_contact": N_("nothing says which contact is meant"),
    "no_date": N_("no date, and no contact that would give one"),
    "no_file": N_("the audio file is not there"),
    "no_purpose": N_("nothing says what the recording is kept for"),
    "not_a_record": N_("a line that is no record of a call"),
    "not_an_event": N_("a line that is no event of the log"),
    "not_audio": N_("no audio: only sound is kept"),
    "off_scale": N_("a value off its scale"),
    "outside_folder": N_("the audio file lies outside the folder of the manifest"),
    "purpose_not_entered": N_("a purpose that this centre has not entered"),
    "stored_otherwise": N_(
        "another recording of the contact is stored, or this one for another purpose; undo "
        "that import first"
    ),
    "too_few_cells": N_("fewer cells than the header has"),
    "too_long": N_("audio of more than four hours"),
    "too_many_cells": N_("more cells than the header has"),
    "unknown_purpose": N_("a purpose that is none of training, evaluation, quality, proof"),
    "unknown_word": N_("a word that is not known for this column"),
    "unlike_pattern": N_("a file name that does not fit the pattern"),
}
SKIPPED = {
    "blank": N_("blank rows"),
    "footer": N_("totals and remarks at the end"),
    "header": N_("header rows, second or repeated"),
    "login": N_("sign-ins of advisors"),
    "monitoring": N_("somebody listening in"),
    "recording_leg": N_("legs to a recorder, which are no calls"),
    "not_given": N_("nothing given: not evaluated, or not answered"),
    "note": N_("notes in a single cell"),
    "still_waiting": N_("events of calls that had not ended"),
    "types": N_("a second header row, of types"),
    "unmatched": N_("waiting for their contact, which has not come yet"),
}
FOLDED = {
    "criterion": N_("criteria of one evaluation"),
    "leg": N_("legs and events of one contact"),
    "repeated_event": N_("events that the log has twice"),
    "same_day_and_campaign": N_("same day and campaign, added up"),
}
TEXTS = {**REJECTED, **SKIPPED, **FOLDED}


def describe(code: str) -> str:
    """Describe the code in the current language. Kinds of events that platforms name
    themselves only lose their underscores.
    """
    return _(TEXTS[code]) if code in TEXTS else code.replace("_", " ")
