"""Permissions in words, and the rows that each opens to each role."""

from qa_core.access.roles import Permission, Reach, Role, find_reach
from qa_core.base.i18n import N_, _

P = Permission
PERMISSION_TITLES: dict[Permission, str] = {
    P.SEE_CALL_STATISTICS: N_("See call statistics"),
    P.SEE_TRACKING: N_("See call tracking and campaigns"),
    P.SEE_SATISFACTION: N_("See customer satisfaction"),
    P.SEE_SCORES: N_("See evaluation scores"),
    P.SEE_TEAMS: N_("See figures by team"),
    P.SEE_ADVISORS: N_("See figures by advisor, with names"),
    P.SEE_EVALUATORS: N_("See figures by evaluator"),
    P.SEE_CONTACTS: N_("Open a single contact"),
    P.SEE_OWN_QUALITY: N_("See one's own results and who listened"),
    P.SEE_OWN_EVALUATIONS: N_("See the evaluations one made"),
    P.SEE_BOARD: N_("See the board sheet"),
    P.SEE_IRRITANTS: N_("See customers' irritants"),
    P.MANAGE_IRRITANTS: N_("Manage the action list on irritants"),
    P.EXPORT_FIGURES: N_("Export figures"),
    P.EXPORT_CONTACTS: N_("Export lists of contacts"),
    P.EDIT_TARGETS: N_("Set targets"),
    P.EDIT_NOTES: N_("Write notes on days"),
    P.SEE_ALERTS: N_("See alerts"),
    P.EDIT_ALERTS: N_("Acknowledge alerts"),
    P.MANAGE_ALERTS: N_("Define alerts"),
    P.MANAGE_IMPORTS: N_("Import files"),
    P.MANAGE_ACCOUNTS: N_("Create and change accounts"),
    P.CONFIRM_ACCOUNTS: N_("Confirm a change of accounts"),
    P.MANAGE_ADVISORS: N_("Merge names of advisors"),
    P.MANAGE_SETTINGS: N_("Change the settings of figures"),
    P.LISTEN: N_("Listen to recordings"),
    P.FILL_GRIDS: N_("Fill in a scorecard"),
    P.SEE_EVALUATIONS: N_("Read evaluations"),
    P.ANSWER_EVALUATIONS: N_("Comment or dispute one's own evaluations"),
    P.DECIDE_DISPUTES: N_("Decide disputes"),
    P.MANAGE_LISTENING: N_("Plan listening and draw contacts"),
    P.SEE_CALIBRATIONS: N_("See calibration sessions"),
    P.MANAGE_CALIBRATIONS: N_("Hold calibration sessions"),
    P.SEE_GRIDS: N_("See scorecards and their drafts"),
    P.EDIT_GRIDS: N_("Edit scorecards"),
    P.PUBLISH_GRIDS: N_("Publish scorecards"),
    P.SEE_COACHING: N_("See coaching plans"),
    P.MANAGE_COACHING: N_("Write coaching plans"),
    P.SEE_RULES: N_("See how the rules of the law are kept"),
    P.SEE_COMPLIANCE: N_("See the state of compliance"),
    P.MANAGE_COMPLIANCE: N_("Enter legal conditions and accreditations"),
    P.SEE_JOURNAL: N_("Read the journal"),
    P.SEE_HEALTH: N_("See the health of the stores"),
    P.SHARE_VIEWS: N_("Share saved views"),
}

REACH_TITLES: dict[Reach, str] = {
    Reach.GROUPS: N_("groups"),
    Reach.OWN: N_("own"),
    Reach.ALL: N_("all"),
}


def list_matrix() -> list[tuple[str, tuple[str, ...]]]:
    """List each permission with the rows that it opens to each role, in the order of the
    roles (`access.roles.find_reach`); empty where it is refused.
    """
    return [
        (_(title), tuple(_name_reach(role, permission) for role in Role))
        for permission, title in PERMISSION_TITLES.items()
    ]


def _name_reach(role: Role, permission: Permission) -> str:
    reach = find_reach(role, permission)
    return _(REACH_TITLES[reach]) if reach else ""
