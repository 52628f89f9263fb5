"""A4 pages as PDF (reportlab): fonts, styles, head and foot of whatever is printed."""

import functools
import io
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from qa_core.base import environment
from qa_core.base.i18n import _, language
from qa_core.centre import settings
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store

MARGIN = 18
"""Millimetres."""
WIDTH = 210 - 2 * MARGIN
INK, GREY, PALE = "#1f2937", "#5b6472", "#eef1f5"
FONTS = {"Vera": "Vera.ttf", "Vera-Bold": "VeraBd.ttf", "Vera-Italic": "VeraIt.ttf"}
"""Come with reportlab and are embedded, so that a PDF looks the same everywhere."""


def build(flowables: Sequence[Any], title: str, author: str, version: str) -> bytes:
    """Build a PDF of A4 pages; `version` is at the foot of each."""
    # Loaded here: neither the app nor the command line should wait for it.
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    def show_foot(canvas: Any, template: Any) -> None:
        canvas.setFont("Vera", 7)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN * mm, 10 * mm, replace_unknown(version))
        canvas.drawRightString(
            A4[0] - MARGIN * mm, 10 * mm, _("Page {n}", n=canvas.getPageNumber())
        )

    out = io.BytesIO()
    SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN * mm,
        rightMargin=MARGIN * mm,
        topMargin=16 * mm,
        bottomMargin=20 * mm,
        title=title,
        author=author,
        subject=version,
        lang=language(),
    ).build(list(flowables), onFirstPage=show_foot, onLaterPages=show_foot)
    return out.getvalue()


def lay_out_head(title: str, version: str) -> list[Any]:
    """Lay out the title (in the markup of reportlab), and the version below it."""
    from reportlab.platypus import Paragraph

    styles = make_styles()
    return [Paragraph(title, styles["title"]), Paragraph(mark_up(version), styles["small"])]


def describe_origin(digest: str = "") -> tuple[str, str]:
    """Return who prints, and the footer: the person, the version, the time, the product."""
    with store.reading() as session:
        author = settings.current(session).organisation_name or ""
    parts = (
        author,
        digest and _("version {version}", version=digest),
        _("printed on {day}", day=formatting.long_day(environment.today())),
        f"Écoute {find_product_version()}",
    )
    return author, " · ".join(filter(None, parts))


def find_product_version() -> str:
    """Return the version of the product, from its project file."""
    text = (environment.PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["version"]


@functools.cache
def make_styles() -> dict[str, Any]:
    """Make the styles of paragraphs, by name, with the fonts embedded."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, file in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, file))
    plain = ParagraphStyle(
        "plain", fontName="Vera", fontSize=8.5, leading=12.5, textColor=INK, spaceAfter=5
    )

    def vary(name: str, **changes: Any) -> ParagraphStyle:
        return ParagraphStyle(name, parent=plain, **changes)

    return {
        "plain": plain,
        "title": vary("title", fontName="Vera-Bold", fontSize=15, leading=20, spaceAfter=3),
        "heading": vary(
            "heading", fontName="Vera-Bold", fontSize=10.5, leading=14, spaceBefore=9, spaceAfter=4
        ),
        "small": vary("small", fontSize=7, leading=10, textColor=GREY, spaceAfter=8),
        "quote": vary(
            "quote",
            backColor=PALE,
            borderPadding=(5, 6, 5, 6),
            leftIndent=8,
            rightIndent=8,
            spaceBefore=8,
            spaceAfter=10,
        ),
        "item": vary("item", leftIndent=11, bulletIndent=2, spaceAfter=3),
        "cell": vary("cell", fontSize=7.5, leading=10.5, spaceAfter=0),
        "head": vary("head", fontName="Vera-Bold", fontSize=7.5, leading=10.5, spaceAfter=0),
        "narrow cell": vary("narrow cell", fontSize=6.5, leading=8.5, spaceAfter=0),
        "narrow head": vary(
            "narrow head", fontName="Vera-Bold", fontSize=5.5, leading=7.5, spaceAfter=0
        ),
    }


def mark_up(text: str) -> str:
    """Write a text as the markup of reportlab."""
    return escape(replace_unknown(text))


def replace_unknown(text: str) -> str:
    """Replace what the font lacks: narrow spaces by wide ones, letters by those without
    their accent. A square in the name of a person would be worse.
    """
    from reportlab.pdfbase import pdfmetrics

    known = pdfmetrics.getFont("Vera").face.charToGlyph
    text = re.sub("[\u202f\u2007]", "\u00a0", text)
    bare = (
        letter if ord(letter) in known else unicodedata.normalize("NFKD", letter)[0]
        for letter in text
    )
    return "".join(letter if ord(letter) in known else "?" for letter in bare)
