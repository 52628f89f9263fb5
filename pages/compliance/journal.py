"""Journal: who did what, when and why, and whether the record is unbroken."""

import streamlit as st

from qa_core import figures, home, oversight
from qa_core.access import Permission
from qa_core.ui import gate, links
from qa_core.wording import _, ngettext

viewer = gate.current_viewer(Permission.SEE_JOURNAL)

st.title(_("Journal"), anchor=False)
st.caption(
    _(
        "Every sign-in, import, page of personal data, export and change of an account or setting. No content, no score; not there to watch workers."
    )
)

who, what, check, export = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
actor = who.selectbox(_("Person"), ["", *oversight.find_values(viewer, "actor")], format_func=lambda name: name or _("All"), key="actor", bind="query-params")
action = what.selectbox(_("Act"), ["", *oversight.find_values(viewer, "action")], format_func=lambda name: name or _("All"), key="act", bind="query-params")
if check.button(_("Verify the seals"), icon=":material/verified:", width="stretch"):
    found = oversight.verify_journal(viewer)
    if found.ok:
        st.success(ngettext("{n} row, unbroken.", "{n} rows, unbroken.", found.rows))
    else:
        st.error(_("Broken at row {seq}: it was changed, moved, or follows a missing one. Compare with your last anchor and a backup.", seq=found.first_bad))
with export:
    links.show_download(_("Export"), "journal", actor=actor or "", action=action or "")

entries = oversight.find_entries(viewer, actor or "", action or "")
if not entries:
    st.info(_("No act of this person and kind."))
else:
    st.dataframe(
        [
            {
                _("No."): entry.seq,
                _("When"): figures.moment(home.to_local(entry.at)),
                _("Person"): entry.actor,
                _("Act"): entry.action,
                _("On"): entry.object,
                _("Reason"): entry.reason,
            }
            for entry in entries
        ],
        hide_index=True,
        width="stretch",
        height=600,
    )
    st.caption(ngettext("The newest act.", "The newest {n} acts.", len(entries)))
