"""Rendering of a document as PDF (reportlab) or DOCX (python-docx)."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qa_core.base.i18n import language
from qa_core.compliance.documents.blocks import (
    Block,
    Bullets,
    Grid,
    Heading,
    Paragraph,
    split_blanks,
)
from qa_core.metrics import printed_pages
from qa_core.metrics.printed_pages import MARGIN, PALE, WIDTH, mark_up

NARROW_COLUMNS = 5
"""A table with more columns is set smaller."""
YELLOW = "#fff3a3"


@dataclass(frozen=True)
class PrintedDocument:
    """A document ready to be rendered; `version` stands on each page."""

    title: str
    author: str
    version: str
    blocks: Sequence[Block]


def to_pdf(document: PrintedDocument) -> bytes:
    styles = printed_pages.make_styles()
    head = printed_pages.lay_out_head(_mark_up(document.title), document.version)
    blocks = (item for block in document.blocks for item in _lay_out(block, styles))
    return printed_pages.build([*head, *blocks], document.title, document.author, document.version)


def to_docx(document: PrintedDocument) -> bytes:
    """Render a document as DOCX, with Word's own headings, lists and tables."""
    from docx import Document as open_template
    from docx.shared import Mm, Pt

    word = open_template()
    section = word.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(MARGIN)
    section.top_margin = section.bottom_margin = Mm(MARGIN)
    normal = word.styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(10.5)
    properties = word.core_properties
    properties.title, properties.author = document.title, document.author
    properties.subject, properties.comments = document.version, ""
    properties.language = language()
    word.add_heading(document.title, 0)
    _write(word.add_paragraph(), document.version)
    for block in document.blocks:
        _add(word, block)
    _write(section.footer.paragraphs[0], document.version)
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


RENDERERS: dict[str, tuple[str, Callable[[PrintedDocument], bytes]]] = {
    "pdf": ("application/pdf", to_pdf),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", to_docx),
}
"""Format → media type and renderer."""


def _lay_out(block: Block, styles: dict[str, Any]) -> Iterator[Any]:
    from reportlab.platypus import CondPageBreak, Spacer
    from reportlab.platypus import Paragraph as Text

    match block:
        case Heading():
            yield CondPageBreak(80)
            yield Text(_mark_up(block.text), styles["heading"])
        case Paragraph():
            yield Text(_mark_up(block.text), styles["quote" if block.is_quoted else "plain"])
        case Bullets():
            for item in block.items:
                yield Text(_mark_up(item), styles["item"], bulletText="•")
        case Grid():
            yield _build_pdf_table(block, styles)
            yield Spacer(1, 7)


def _build_pdf_table(grid: Grid, styles: dict[str, Any]) -> Any:
    from reportlab.lib.units import mm
    from reportlab.platypus import LongTable, TableStyle
    from reportlab.platypus import Paragraph as Text

    size = "narrow " if len(grid.shares) > NARROW_COLUMNS else ""
    rows = [
        [
            Text(_mark_up(cell), styles[size + ("cell" if grid.header or column else "head")])
            for column, cell in enumerate(row)
        ]
        for row in grid.rows
    ]
    heads = [[Text(_mark_up(cell), styles[size + "head"]) for cell in grid.header]]
    shaded = ((0, 0), (-1, 0)) if grid.header else ((0, 0), (0, -1))
    table = LongTable(
        heads + rows if grid.header else rows,
        colWidths=[share * (WIDTH - 4) * mm for share in grid.shares],  # 4: the frame's padding
        repeatRows=1 if grid.header else 0,
        splitInRow=1,  # a cell may be longer than a page
    )
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, "#c4cad4"),
                ("BACKGROUND", *shaded, PALE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3.5),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3.5),
            ]
        )
    )
    return table


def _mark_up(text: str) -> str:
    """Write a text as the markup of reportlab, with its blanks highlighted."""
    return "".join(
        f'<font backColor="{YELLOW}">{mark_up(piece)}</font>' if is_blank else mark_up(piece)
        for piece, is_blank in split_blanks(text)
    )


def _add(word: Any, block: Block) -> None:
    match block:
        case Heading():
            word.add_heading(block.text, 1)
        case Paragraph():
            _write(word.add_paragraph(style="Quote" if block.is_quoted else None), block.text)
        case Bullets():
            for item in block.items:
                _write(word.add_paragraph(style="List Bullet"), item)
        case Grid():
            _add_table(word, block)
            word.add_paragraph()


def _add_table(word: Any, grid: Grid) -> None:
    from docx.oxml import OxmlElement
    from docx.shared import Mm, Pt

    rows = [grid.header, *grid.rows] if grid.header else grid.rows
    table = word.add_table(len(rows), len(grid.shares), style="Table Grid")
    table.autofit = False
    size = Pt(7.5 if len(grid.shares) > NARROW_COLUMNS else 9.5)
    for number, (row, cells) in enumerate(zip(table.rows, rows, strict=True)):
        for column, (cell, text) in enumerate(zip(row.cells, cells, strict=True)):
            cell.width = Mm(grid.shares[column] * WIDTH)
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(0)
            _write(paragraph, text)
            for run in paragraph.runs:
                run.font.size = size
                run.bold = number == 0 if grid.header else column == 0
    if grid.header:  # repeated on each page
        table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _write(paragraph: Any, text: str) -> None:
    """Write a text, with its blanks highlighted."""
    from docx.enum.text import WD_COLOR_INDEX

    for piece, is_blank in split_blanks(text):
        run = paragraph.add_run(piece)
        if is_blank:
            run.font.highlight_color = WD_COLOR_INDEX.YELLOW
