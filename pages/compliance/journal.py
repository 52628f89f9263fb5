"""Journal: who did what, when and why, and whether the record is unbroken."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import audit_labels, audit_report
from qa_core.metrics import formatting
from qa_core.ui import download_links, gate, url_state

viewer = gate.current_viewer(Permission.SEE_JOURNAL)

st.title(_("Journal"), anchor=False)
st.caption(
    _(
        "Every sign-in, import, page of personal data, export and change of an account or "
        "setting. No content, no score; not there to watch workers."
    )
)

actors, actions = (
    ["", *audit_report.find_values(viewer, column)] for column in ("actor", "action")
)
url_state.take("journal", "actor", actors, "")
url_state.take("journal", "act", actions, "")
who, what, check = st.columns([3, 3, 2], vertical_alignment="bottom")
actor = who.selectbox(_("Person"), actors, format_func=lambda name: name or _("All"), key="actor")
action = what.selectbox(
    _("Act"),
    actions,
    format_func=lambda code: audit_labels.title(code) if code else _("All"),
    key="act",
)
url_state.give("journal", "actor", actor, "")
url_state.give("journal", "act", action, "")
if check.button(_("Verify the seals"), icon=":material/verified:", width="stretch"):
    found = audit_report.verify_journal(viewer)
    (st.success if found.ok else st.error)(audit_report.describe(found))

entries = audit_report.find_entries(viewer, actor, action)
if not entries:
    st.info(_("No act of this person and kind."))
else:
    # Between the fields above and the table, whose own buttons appear over what is next
    # to it.
    st.caption(ngettext("The newest act.", "The newest {n} acts.", len(entries)))
    st.dataframe(
        [
            {
                _("No."): entry.seq,
                _("When"): formatting.moment(environment.to_local(entry.at)),
                _("Person"): entry.actor,
                _("Act"): audit_labels.title(entry.action),
                _("On"): entry.object,
                _("Reason"): entry.reason,
            }
            for entry in entries
        ],
        column_config={
            _("No."): st.column_config.NumberColumn(format="localized", width=70),
            _("On"): st.column_config.TextColumn(_("On"), width=300),
        },
        hide_index=True,
        width="stretch",
        height=min(600, 35 * (len(entries) + 1) + 3),
    )
with st.columns([5, 1])[1]:
    download_links.show_download(_("Export"), "journal", actor=actor, action=action)
