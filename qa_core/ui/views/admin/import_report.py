"""What is shown of an import: counts, decisions and what overrides them, rows before
and after, the effect on figures, the quarantine.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from qa_core.base.i18n import N_, _
from qa_core.ingest import reason_texts, suggested_options
from qa_core.ingest.dry_run import Examination
from qa_core.ingest.load import quarantine
from qa_core.ingest.report import FileReport
from qa_core.metrics import formatting
from qa_core.metrics.kpis import BY_KEY
from qa_core.ui import gate, tables
from qa_core.ui.views.admin import import_fields

SHOWN_ROWS = 100
TABLE_HEIGHT, ROW_HEIGHT = 320, 35
COUNTS = {
    "read": N_("Rows read"),
    "new": N_("New"),
    "updated": N_("Updated"),
    "unchanged": N_("Unchanged"),
    "duplicates": N_("Duplicates"),
    "rejected": N_("Rejected"),
    "folded": N_("Folded"),
    "skipped": N_("Skipped"),
}


def show_files(reports: list[FileReport]) -> None:
    """Several files at a glance, one row each."""
    st.dataframe(
        [
            {
                _("File"): report.file,
                _("State"): _("cannot be read")
                if report.is_refused
                else _("known already")
                if report.recognised
                else _("ready"),
                **{
                    _(COUNTS[name]): None if report.is_refused else getattr(report.tally, name)
                    for name in ("read", "new", "updated", "rejected", "skipped")
                },
            }
            for report in reports
        ],
        column_config={
            title: tables.count_column(title)
            for title in (
                _(COUNTS[name]) for name in ("read", "new", "updated", "rejected", "skipped")
            )
        },
        hide_index=True,
        width="stretch",
        placeholder="–",
    )


def show(report: FileReport) -> None:
    """One file that could be read: what the import did, or would do."""
    if report.recognised:
        st.info(_("This file was imported before. Importing it again changes nothing."))
    elif report.dry_run:
        st.info(_("Nothing is written yet. This is what the import would do:"))
    show_counts(report.tally.as_counts())
    if report.examination is not None:
        _show_effects(report.examination)
        _show_remarks(report)
        _show_rows(report.examination)
    options = [
        suggested_options.find_option(decision, report.kind) for decision in report.decisions
    ]
    show_decisions(
        [
            decision.as_json() | {"option": option}
            for decision, option in zip(report.decisions, options, strict=True)
        ],
        expanded=report.dry_run,
    )
    if report.quarantine and report.quarantine.exists():
        show_quarantine(report.quarantine)


def show_counts(counts: dict[str, Any]) -> None:
    """Every row of the file accounted for, and why some bring nothing in."""
    shown = [
        (name, title)
        for name, title in COUNTS.items()
        if counts.get(name) or name in ("read", "new")
    ]
    with st.container(horizontal=True):
        for name, title in shown:
            st.metric(
                _(title), formatting.number(counts.get(name, 0)), width="content", border=True
            )
    kinds = (
        ("reasons", N_("Rejected")),
        ("skipped_kinds", N_("Skipped")),
        ("folded_kinds", N_("Folded")),
    )
    with st.container(gap="xxsmall"):
        for name, title in kinds:
            for code, count in (counts.get(name) or {}).items():
                st.text(
                    _(
                        "{title}: {count} × {reason}",
                        title=_(title),
                        count=formatting.number(count),
                        reason=reason_texts.describe(code),
                    )
                )


def show_decisions(decisions: list[dict[str, str]], expanded: bool = False) -> None:
    """What was decided about the file, what in it decided that, and how a person says
    otherwise.
    """
    if not decisions:
        return
    with st.expander(_("What was decided, and why"), icon=":material/rule:", expanded=expanded):
        has_options = any(item.get("option") for item in decisions)
        if has_options:
            st.caption(_("Options are those of the command line; the fields above say the same."))
        # A static table, since its cells break into lines; it reads markdown, which
        # what came from files must not be.
        rows = [
            {
                _("Field"): gate.escape(import_fields.title(item["field"])),
                _("Decision"): gate.escape(item["decision"]),
                _("Seen in the file"): gate.escape(item["evidence"]),
                **(
                    {_("Overridden by"): f"`{item['option']}`" if item.get("option") else ""}
                    if has_options
                    else {}
                ),
            }
            for item in decisions
        ]
        st.table(rows, border="horizontal", hide_index=True)


def show_quarantine(path: Path) -> None:
    """The rows that were rejected, each with its reason in words."""
    with st.expander(_("Rejected rows"), icon=":material/report:", expanded=True):
        header, rows = quarantine.read(path, SHOWN_ROWS)
        named = [_("Line"), _("Reason"), *header[2:]]
        st.dataframe(
            [
                dict(zip(named, (row[0], reason_texts.describe(row[1]), *row[2:]), strict=False))
                for row in rows
            ],
            hide_index=True,
            width="stretch",
            height=_height(len(rows)),
        )
        st.caption(
            _(
                "Identities are masked. The whole list is in {path} on the machine that runs "
                "this centre.",
                path=path.name,
            )
        )


def _show_effects(examination: Examination) -> None:
    if not examination.effects:
        return
    st.subheader(_("What it does to the figures"), anchor=False)
    st.caption(
        _(
            "Of the days that the file touches, for the whole centre: as they are, and as they "
            "would be."
        )
    )
    st.dataframe(
        [
            {
                _("Figure"): _(effect.title),
                _("Now"): effect.format_before(),
                _("After the import"): effect.format_after(),
                _("Change"): _describe_change(effect.kpi, effect.before, effect.after),
                _("Out of, now"): formatting.number(effect.n_before),
                _("Out of, after"): formatting.number(effect.n_after),
            }
            for effect in examination.effects
        ],
        hide_index=True,
        width="stretch",
    )


def _describe_change(kpi: str, before: float | None, after: float | None) -> str:
    return (
        "–"
        if before is None or after is None
        else formatting.change(after - before, BY_KEY[kpi].unit)
    )


def _show_remarks(report: FileReport) -> None:
    st.subheader(_("What was recognised"), anchor=False)
    st.text(
        _(
            "Read as {profile}, of the system {system}.",
            profile=report.profile,
            system=report.system,
        )
    )
    for overlap in report.examination.as_warnings():
        st.warning(gate.escape(overlap), icon=":material/difference:")
    for remark in report.examination.as_remarks():
        st.text(remark)


def _show_rows(examination: Examination) -> None:
    if not examination.rows:
        return
    with st.expander(
        _("The first rows, before and after"), icon=":material/compare_arrows:", expanded=True
    ):
        height = _height(len(examination.rows))
        st.caption(_("As the file has them; identities are masked:"))
        st.dataframe(
            [{_("Line"): row.line, **row.before} for row in examination.rows],
            hide_index=True,
            width="stretch",
            height=height,
            placeholder="–",
        )
        st.caption(
            _("As they are understood; times on the clock of the centre, durations in seconds:")
        )
        names = list(
            dict.fromkeys(
                name
                for row in examination.rows
                for name in row.after
                if name != "started_at" or "local_start" not in row.after
            )
        )
        st.dataframe(
            [
                {
                    _("Line"): row.line,
                    **{
                        import_fields.title(name): _plain(name, row.after.get(name))
                        for name in names
                    },
                }
                for row in examination.rows
            ],
            hide_index=True,
            width="stretch",
            height=height,
            placeholder="–",
        )


def _height(rows: int) -> int:
    return min(TABLE_HEIGHT, ROW_HEIGHT * (rows + 1) + 3)


def _plain(field: str, value: Any) -> Any:
    if field in ("outcome", "channel", "direction") and value is not None:
        return formatting.name(field, value)
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value
