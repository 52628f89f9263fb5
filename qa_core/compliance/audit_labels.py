"""Titles of the acts in the audit log, which itself holds language-free codes."""

from __future__ import annotations

from qa_core.base.i18n import N_, _

TITLES = {
    "sign_in": N_("Signed in"),
    "sign_in_failed": N_("Sign-in failed"),
    "sign_out": N_("Signed out"),
    "session_ended": N_("Session ended"),
    "password_changed": N_("Password changed"),
    "language_changed": N_("Language changed"),
    "contacts_read": N_("List of contacts read"),
    "contact_read": N_("Contact read"),
    "chains_read": N_("Chains of repeats read"),
    "advisor_read": N_("Results of an advisor read"),
    "irritant_read": N_("Examples of an irritant read"),
    "irritant_opened": N_("Irritant put on the action list"),
    "irritant_changed": N_("Irritant changed"),
    "export": N_("File exported"),
    "import": N_("File imported"),
    "import_failed": N_("Import failed"),
    "import_undone": N_("Import undone"),
    "customer_erased": N_("Customer erased"),
    "purged": N_("Data deleted by age"),
    "second_factor_added": N_("Second factor added"),
    "second_factor_removed": N_("Second factor removed"),
    "journal_verified": N_("Seals verified"),
    "journal_anchored": N_("End of the journal noted"),
    "names_merged": N_("Names counted as one"),
    "names_kept_apart": N_("Names kept apart"),
    "names_undone": N_("Decision on names undone"),
    "opening_hours_changed": N_("Opening hours changed"),
    "holidays_changed": N_("Public holidays changed"),
    "closed_days_changed": N_("Closed days changed"),
    "setting_changed": N_("Setting changed"),
    "target_set": N_("Target set"),
    "target_removed": N_("Target removed"),
    "note_added": N_("Note on days added"),
    "note_removed": N_("Note on days removed"),
    "alert_rule_added": N_("Alert rule added"),
    "alert_rule_ended": N_("Alert rule ended"),
    "alert_acknowledged": N_("Alert acknowledged"),
    "alerts_evaluated": N_("Alert rules evaluated"),
    "alerts_failed": N_("Alert rules could not be evaluated"),
    "grid_publish": N_("Grid published"),
    "grid_draft_saved": N_("Draft of a grid saved"),
    "grid_draft_deleted": N_("Draft of a grid deleted"),
    "gate_set": N_("Legal gate set"),
    "accredited": N_("Listener accredited"),
    "accreditation_ended": N_("Accreditation ended"),
    "advisor_informed": N_("Advisor informed"),
    "coaching_opened": N_("Coaching plan opened"),
    "coaching_noted": N_("Note on a coaching plan added"),
    "coaching_ended": N_("Coaching plan ended"),
    "evaluation_read": N_("Evaluation read"),
    "evaluation_acknowledged": N_("Evaluation acknowledged"),
    "evaluation_commented": N_("Evaluation commented by its advisor"),
    "self_evaluation_started": N_("Self-evaluation started"),
    "evaluation_disputed": N_("Evaluation disputed"),
    "dispute_decided": N_("Dispute decided"),
    "evaluation_started": N_("Evaluation started"),
    "evaluation_submitted": N_("Evaluation submitted"),
    "evaluation_published": N_("Evaluation published"),
    "evaluation_amended": N_("Evaluation corrected"),
    "evaluation_withdrawn": N_("Evaluation taken away: nobody may listen to the contact any more"),
    "calibration_opened": N_("Calibration opened"),
    "calibration_reference": N_("Reference of a calibration chosen"),
    "calibration_closed": N_("Calibration closed"),
    "calibration_agreed": N_("Answers of a calibration agreed on"),
    "plan_added": N_("Listening plan added"),
    "plan_closed": N_("Listening plan closed"),
    "draw_made": N_("Contacts drawn"),
    "drawn_replaced": N_("Drawn contact replaced"),
    "contact_picked": N_("Contact picked for listening"),
    "recording_played": N_("Recording listened to"),
    "recording_deleted": N_("Recording deleted"),
    "remark_added": N_("Remark on a recording added"),
    "remark_removed": N_("Remark on a recording removed"),
    "demo_remove": N_("Demonstration removed"),
    "account_add": N_("Account added"),
    "account_change": N_("Role or bounds changed"),
    "account_disable": N_("Account closed"),
    "account_enable": N_("Account opened"),
    "account_reset": N_("One-time password given"),
    "account_remove": N_("Account removed"),
}
STAGES = {"_asked": N_("{act}: asked for"), "_declined": N_("{act}: turned down")}
"""Of an act that a second administrator decides on."""


def title(action: str) -> str:
    """Translate the code of an act; an unknown one is returned as it is."""
    for ending, said in STAGES.items():
        act = action.removesuffix(ending)
        if act != action and act in TITLES:
            return _(said, act=_(TITLES[act]))
    return _(TITLES[action]) if action in TITLES else action
