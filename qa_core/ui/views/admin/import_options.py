"""Form for the options of an import."""

from datetime import date
from zoneinfo import available_timezones

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.files.options import DATE_ORDERS, DECIMALS, ImportOptions
from qa_core.ingest.load import batches
from qa_core.ui import actions, select_box

WIDGETS = {
    "profile": "import_profile",
    "date-order": "import_order",
    "timezone": "import_timezone",
    "decimal": "import_decimal",
    "delimiter": "import_delimiter",
    "sheet": "import_sheet",
    "encoding": "import_encoding",
}
"""Keys of the widgets of options with one value, by the name of the option."""
PAIRS = {"unit": "import_units", "scale": "import_scales"}
"""The same for options of which each field may have one."""
ORDERS = {
    "dmy": N_("day, month, year"),
    "mdy": N_("month, day, year"),
    "ymd": N_("year, month, day"),
}


def ask(viewer: Viewer, kind: str) -> ImportOptions | None:
    """Show the fields and return what they say; None while they say what cannot be meant."""
    with st.expander(_("More about the file"), icon=":material/tune:"):
        first, second, third = st.columns(3)
        saved = batches.find_mappings(viewer, kind)
        if st.session_state.get(WIDGETS["profile"]) not in (None, *saved):
            saved = [*saved, st.session_state[WIDGETS["profile"]]]
        profile = first.selectbox(
            _("Saved mapping"), saved, index=None, key=WIDGETS["profile"], placeholder=_("none")
        )
        hint = _("Saved with the import under this name. The next file of the same layout uses it.")
        save_as = first.text_input(_("Save the mapping as"), key="import_save", help=hint)
        system = first.text_input(
            _("Name of the tool"),
            help=_(
                "First part of a contact's identity. Files of two differently named tools "
                "never mix."
            ),
            key="import_system",
        )
        units = first.text_input(
            _("Units of durations"), key=PAIRS["unit"], placeholder="talk_seconds=min"
        )
        inferred = {"is_optional": True, "placeholder": _("as inferred")}
        orders = {code: _(ORDERS[code]) for code in DATE_ORDERS}
        order = select_box.select(
            second, _("Date order"), orders, WIDGETS["date-order"], **inferred
        )
        start = second.date_input(
            _("First day, if rows have no date"), value=None, key="import_start"
        )
        zones, usual = sorted(available_timezones()), environment.current().timezone
        timezone = second.selectbox(
            _("Time zone of the file"), zones, None, key=WIDGETS["timezone"], placeholder=usual
        )
        scales = second.text_input(_("Rating scales"), key=PAIRS["scale"], placeholder="csat=1-10")
        signs = {sign: sign for sign in DECIMALS}
        decimal = select_box.select(third, _("Decimal sign"), signs, WIDGETS["decimal"], **inferred)
        delimiter = third.text_input(
            _("Cell separator"), key=WIDGETS["delimiter"], placeholder="; , tab |"
        )
        sheet = third.text_input(_("Sheet of the workbook"), key=WIDGETS["sheet"])
        encoding = third.text_input(
            _("Encoding"), key=WIDGETS["encoding"], placeholder="utf-8, cp1252"
        )
    with actions.show_refusals():
        return ImportOptions(
            system=system.strip() or None,
            profile=profile,
            save_mapping=save_as.strip() or None,
            timezone=timezone,
            date_order=order,
            start_date=start if isinstance(start, date) else None,
            sheet=sheet.strip() or None,
            encoding=encoding.strip() or None,
            delimiter=delimiter.strip() or None,
            decimal=decimal,
            units=_parse_pairs(units, "wait_seconds"),
            scales=_parse_pairs(scales, "csat"),
        )
    return None


def put(name: str, value: str) -> None:
    """Put the answer to a question of an import into its field; in callbacks."""
    if name in WIDGETS:
        st.session_state[WIDGETS[name]] = value
    else:
        before = st.session_state.get(PAIRS[name], "")
        st.session_state[PAIRS[name]] = f"{before}, {value}" if before else value


def _parse_pairs(text: str, usual: str) -> dict[str, str]:
    """Return `csat=1-10, nps=0-10` as pairs; a lone value is that of the field `usual`."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    return dict(part.split("=", 1) if "=" in part else (usual, part) for part in parts)
