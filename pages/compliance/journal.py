"""Journal: who did what, when and why, and whether the record is unbroken."""

import streamlit as st

from qa_core import acts, figures, home, oversight
from qa_core.access import Permission
from qa_core.ui import address, gate, links
from qa_core.wording import _, ngettext

viewer = gate.current_viewer(Permission.SEE_JOURNAL)

st.title(_("Journal"), anchor=False)
st.caption(_("Every sign-in, import, page of personal data, export and change of an account or setting. No content, no score; not there to watch workers."))

actors, actions = (["", *oversight.find_values(viewer, column)] for column in ("actor", "action"))
address.take("journal", "actor", actors, "")
address.take("journal", "act", actions, "")
who, what, check = st.columns([3, 3, 2], vertical_alignment="bottom")
actor = who.selectbox(_("Person"), actors, format_func=lambda name: name or _("All"), key="actor")
action = what.selectbox(_("Act"), actions, format_func=lambda code: acts.title(code) if code else _("All"), key="act")
address.give("journal", "actor", actor, "")
address.give("journal", "act", action, "")
if check.button(_("Verify the seals"), icon=":material/verified:", width="stretch"):
    found = oversight.verify_journal(viewer)
    (st.success if found.ok else st.error)(oversight.describe(found))

entries = oversight.find_entries(viewer, actor, action)
if not entries:
    st.info(_("No act of this person and kind."))
else:
    # Between the fields above and the table, whose own buttons appear over what is next to it.
    st.caption(ngettext("The newest act.", "The newest {n} acts.", len(entries)))
    st.dataframe(
        [
            {
                _("No."): entry.seq,
                _("When"): figures.moment(home.to_local(entry.at)),
                _("Person"): entry.actor,
                _("Act"): acts.title(entry.action),
                _("On"): entry.object,
                _("Reason"): entry.reason,
            }
            for entry in entries
        ],
        column_config={_("No."): st.column_config.NumberColumn(format="localized", width=70), _("On"): st.column_config.TextColumn(_("On"), width=300)},
        hide_index=True,
        width="stretch",
        height=min(600, 35 * (len(entries) + 1) + 3),
    )
with st.columns([5, 1])[1]:
    links.show_download(_("Export"), "journal", actor=actor, action=action)
