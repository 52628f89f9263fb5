"""The answers of an evaluation, part by part: what was given and why, the advisor's own
beside it, and disputes where they belong.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    EvaluationView,
    SectionView,
)
from qa_core.ui import gate
from qa_core.ui.views.quality import evaluation_disputes
from qa_core.ui.views.quality.answer_texts import describe, of_most

CRITICAL = {
    "customer": N_("critical for the customer"),
    "business": N_("critical for the business"),
    "compliance": N_("critical for compliance"),
}


def show(viewer: Viewer, reading: EvaluationView) -> None:
    """Every part of the grid with its criteria. Weights and what to listen for are
    shown where they are asked for.
    """
    if not reading.sections:
        if reading.state != "draft":
            st.caption(_("The source gives a score without answers."))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        with_details = st.toggle(
            _("Show weights and what was listened for"), key="evaluation_details"
        )
        if reading.may_dispute:
            day = formatting.day(reading.dispute_until, year=True)
            st.caption(
                _("You do not agree? Each answer can be disputed once, until {day}.", day=day)
            )
    for section in reading.sections:
        _show_section(viewer, reading, section, with_details)


def _show_section(
    viewer: Viewer, reading: EvaluationView, section: SectionView, with_details: bool
) -> None:
    title = section.text.in_language(i18n.language()) or _("Answers")
    with st.container(border=True, gap="xsmall"):
        with st.container(
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
            gap="small",
            wrap=False,
        ):
            share = (
                _("{share} of the whole", share=formatting.percent(section.share, 0))
                if section.share
                else ""
            )
            st.markdown(f"**{gate.escape(title)}** :small[:gray[{gate.escape(share)}]]")
            score = (
                describe(None)
                if section.score is None
                else formatting.value(section.score, "score", short=True)
            )
            st.markdown(f"**{gate.escape(score)}**", width="content")
        if section.score is not None:
            st.progress(min(1.0, max(0.0, section.score / 100)))
        for answer in section.answers:
            _show_answer(viewer, reading, answer, with_details)


def _show_answer(
    viewer: Viewer, reading: EvaluationView, answer: AnswerView, with_details: bool
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        text = gate.escape(answer.text.in_language(i18n.language()))
        st.markdown(
            f":red[:material/report:] **{text}**" if answer.is_failure else text, width="stretch"
        )
        st.markdown(_colour(answer), width="content")
        if reading.may_dispute and answer.dispute is None:
            evaluation_disputes.show_way(answer)
    if with_details:
        st.caption(gate.escape(" · ".join(_details(answer))))
    if answer.comment:
        st.text(answer.comment)
    _show_own(reading, answer)
    evaluation_disputes.show(viewer, reading, answer)


def _colour(answer: AnswerView) -> str:
    said = of_most(answer.earned, answer.most)
    if answer.earned is None:
        return f":gray[{said}]"
    if answer.is_failure:
        return f":red[**{said}**]"
    return f"**{said}**" if answer.earned >= answer.most else f":orange[**{said}**]"


def _details(answer: AnswerView) -> list[str]:
    said = [
        _("bonus, on top")
        if answer.bonus
        else _("{share} of the score", share=formatting.percent(answer.share, 1))
    ]
    said += [_(CRITICAL[answer.critical])] if answer.critical in CRITICAL else []
    said += [answer.help.in_language(i18n.language())] if answer.help else []
    return said


def _show_own(reading: EvaluationView, answer: AnswerView) -> None:
    """What the advisor answered themselves, where it differs or has words."""
    own = reading.own
    if own is None or answer.key not in own.answers:
        return
    differs, words = own.answers[answer.key] != answer.earned, own.comments.get(answer.key)
    if differs or words:
        said = of_most(own.answers[answer.key], answer.most)
        st.caption(
            ":material/person: "
            + gate.escape(
                _("You: {answer}", answer=said)
                if reading.is_own
                else _("The advisor: {answer}", answer=said)
            )
        )
    if words:
        st.text(words)


def count_agreed(reading: EvaluationView) -> str:
    """On how many criteria the advisor and the evaluator gave the same answer."""
    own = reading.own.answers if reading.own else {}
    compared = [answer for answer in reading.answers if answer.key in own]
    same = sum(own[answer.key] == answer.earned for answer in compared)
    return ngettext(
        "the same answer on {same} of {n} criterion",
        "the same answer on {same} of {n} criteria",
        len(compared),
        same=same,
    )
