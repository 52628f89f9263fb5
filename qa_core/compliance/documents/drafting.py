"""Documents drafted from Markdown templates, one per language in `templates/`.

A template has headings (`##`), paragraphs, quotes (`>`), lists (`-`) and tables, whose
ruler gives each column its share of the width. A value is kept out of the Markdown
until it is parsed: what a person typed is text, whatever characters it has.
"""

import functools
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from qa_core.base import i18n
from qa_core.compliance.documents.blocks import Blank, Block, Bullets, Grid, Heading, Paragraph
from qa_core.compliance.documents.facts import Facts
from qa_core.metrics.kpis import formatting

FOLDER = Path(__file__).with_name("templates")
LINE = "." * 24
"""Place to write by hand: a signature, a date, an opinion."""
_PLACE = re.compile("\ue000(\\d+)\ue001")
"""A value in the Markdown: its number, between characters that no template has."""


def draft(name: str, facts: Facts) -> list[Block]:
    values: list[str] = []
    template = _open(i18n.language()).get_template(f"{name}.md")
    text = template.render(facts=facts, line=LINE, kinds=(), values=values)
    return parse(text, lambda part: _PLACE.sub(lambda match: values[int(match[1])], part))


def parse(text: str, fill: Callable[[str], str] = str) -> list[Block]:
    """Parse the Markdown of a template; `fill` writes the values into each text."""
    chunks = re.split(r"\n{2,}", text.strip("\n"))
    return [_parse_block(chunk.split("\n"), fill) for chunk in chunks]


def _parse_block(lines: list[str], fill: Callable[[str], str]) -> Block:
    def join(part: str) -> str:
        return fill(re.sub(r"\n *", " ", part).strip(" "))

    text = "\n".join(lines)
    match text[0]:
        case "#":
            [heading] = lines
            return Heading(join(heading.lstrip("#")))
        case ">":
            return Paragraph(join(re.sub("^>", "", text, flags=re.MULTILINE)), is_quoted=True)
        case "-":
            return Bullets(tuple(map(join, re.split("^- ", text, flags=re.MULTILINE)[1:])))
        case "|":
            head, ruler, *rows = ([join(cell) for cell in line.split("|")[1:-1]] for line in lines)
            dashes = list(map(len, ruler))
            shares = tuple(count / sum(dashes) for count in dashes)
            return Grid(tuple(head) if any(head) else (), tuple(map(tuple, rows)), shares)
    return Paragraph(join(text))


@functools.cache
def _open(language: str) -> Any:
    import jinja2

    @jinja2.pass_context
    def hold(context: Any, value: object) -> str:
        """Hold a value back until the Markdown is parsed, and leave its place."""
        context["values"].append(_write(value))
        return f"\ue000{len(context['values']) - 1}\ue001"

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / language),
        finalize=hold,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # no value is in the text that is parsed
    )
    environment.filters["plural"] = _choose_form
    return environment


def _write(value: object) -> str:
    """Write a value as the reader reads it; only a blank is marked as one."""
    if isinstance(value, Blank):
        return f"⟦{value}⟧"
    text = formatting.long_day(value) if isinstance(value, date) else str(value)
    return text.translate({ord("⟦"): "[", ord("⟧"): "]"})


def _choose_form(count: int, one: str, many: str) -> str:
    """Choose the form that goes with a number in the language spoken: 0 is singular in French."""
    from babel import Locale

    return one if Locale(i18n.language()).plural_form(count) == "one" else many
