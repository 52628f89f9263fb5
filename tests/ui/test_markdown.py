"""Markdown: texts of people are shown as they are, through one escape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest
from test_account_pages import add_account
from tools.markdown_calls import find_calls

from qa_core.ui.frame.markdown import escape

PLAIN_TEXTS = {
    "views/account/mail": [
        "notice.text",
        "titles['alerts']",
        "titles['digest']",
        "titles['notices']",
    ],
    "page_frame": ["_('Data version {code}', code=cached.nam"],
    "widgets/alert_banner": ["cards.ICONS[item.severity] + item.text", "text"],
    "widgets/cards": [
        "None if tile.kpi else tile.help",
        "_('{what}: {text}', what=periods.name_la",
        "tile.below",
        "tile.title",
    ],
    "widgets/empty_states": ["f'#### {icon} {title}'", "text"],
    "widgets/explain_link": ["f':gray[:material/function: :small[{labe", "help_text"],
    "frame/filter_bar": [
        "_name_chosen(title, [titles[key] for key",
        "f':material/calendar_month: **{titles[ch",
        "f':material/compare_arrows: **{titles[se",
        "page_key",
        "text",
        "title",
        "titles.get",
    ],
    "frame/gate": ["_('Something went wrong. Try again. If i"],
    "frame/layout": ["label", "title"],
    "frame/menu": ["label or _(page.title)"],
    "widgets/personal_data": [
        "f':orange[:material/warning:] {warning}'",
        "label",
        "warning",
    ],
    "widgets/player/__init__": [
        "recordings.explain_absence(viewer)",
        "warning",
    ],
    "saved_views": [
        "'**{}**'.format(_('Save the page {page}'",
        "'**{}**'.format(_('Shared with me'))",
    ],
    "widgets/scorecard_answers": ["label"],
    "widgets/scorecard_form": ["label", "titles.get"],
    "widgets/segmented_choice": ["label"],
    "sign_in": ["label", "message"],
    "views/account/glossary": ["f'{title} ({len(matches)})'", "text"],
    "views/admin/import_mapping": ["_('Two columns cannot be the same field:"],
    "views/admin/import_report": ["text"],
    "views/admin/scorecard_editor": [
        "'\\n'.join((_('Before you can publish:'),",
        "_('Publish as version {version}', versio",
    ],
    "views/admin/scorecard_preview": [
        "_describe_section(part)",
        'f"### {icon}{_format_score(result.score)',
        "scorecard_answers.describe(criterion, sc",
    ],
    "views/admin/service_tokens": ["[example['tool'] for example in examples"],
    "views/admin/imports": ["label"],
    "views/compliance/rules": ["f'{MARKS[verdict.state][0]} **{escape(he"],
    "views/quality/this_week": ["*target"],
    "widgets/actions": ["text"],
    "views/admin/targets": ["text"],
    "views/compliance/documents": [
        "'\\n'.join((f'|{line}|' for line in (head",
        "printing.explain_drafts()",
    ],
    "views/compliance/journal": ["act", "entry.action"],
    "views/admin/first_steps": ["f'{icon} **{number}. {_(title)}**{mark}'"],
    "views/conversations/contact": [
        "formatting.name('outcome', contact['outc",
    ],
    "views/performance/action_list": ["name"],
    "views/performance/explain": [
        "' '.join(note_texts.describe_populations",
        "formatting.since(entry.since)",
        "text",
    ],
    "views/performance/irritants": ["change"],
    "views/performance/overview": ["f':orange[:material/error:] **{title}** "],
    "views/performance/first_contact": [
        "f\"**{_('{what}: {text}', what=title, tex",
        "f'**{title}** {cards.NOTHING}'",
        "remedy",
    ],
    "server/open_metrics": ["sa.func.count()"],
    "views/admin/opening_hours": ["title"],
    "views/compliance/listening_rules": ["f'{message} {beyond}'", "message"],
    "views/quality/advisors": [
        "' '.join(filter(None, (peers.describe_te",
        "peers.describe_test(group)",
        "text",
    ],
    "views/quality/coaching": ["'\\n'.join((f'- {reason}' for reason in r"],
    "views/quality/evaluate": ["f'### {format_score(draft.result.score, "],
    "views/quality/draws": [
        "_('Replaced: {reason}.', reason=reason)",
        "_describe_fairness(entry)",
        "labels.name_dimension",
        "title",
    ],
    "views/quality/evaluation_answers": [
        "_colour(answer)",
        "of_most(options[position], answer.most)",
        "titles.get",
    ],
    "views/tracking/sources": ["source_tables.describe_attribution(viewe"],
    "views/tracking/source_tables": ["' '.join(note_texts.describe_populations", "line"],
}
"""By file, the beginnings of texts that hold no words of people though the code alone does
not show it: titles and numbers handed down, names of pages, texts escaped where they are
built.
"""


def test_every_text_shown_as_markdown_is_constant_escaped_or_listed_here() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path, text in find_calls():
        found[path.removeprefix("qa_core/ui/").removesuffix(".py")].add(text[:40])

    assert {path: sorted(texts) for path, texts in found.items()} == PLAIN_TEXTS


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/x.png)",
        "[click](javascript:alert(1))",
        "<https://evil.example>",
        "<img src=x onerror=alert(1)>",
        "`code` **bold** _it_ ~~gone~~",
        "# heading",
        "- item",
        "> quote",
        "1. one",
        "&lt;b&gt;",
        "$x^2$ :red[red] :material/home: :streamlit:",
    ],
)
def test_an_escaped_text_is_shown_letter_by_letter(text: str) -> None:
    (_open, line, _close) = MarkdownIt("commonmark").enable("strikethrough").parse(escape(text))

    shown = "".join(child.content for child in line.children)
    assert {child.type for child in line.children} <= {"text", "text_special"}
    assert shown.replace("\u2060", "") == text


def test_a_name_on_a_button_of_a_choice_is_no_markdown() -> None:
    def show() -> None:
        from qa_core.ui.widgets import segmented_choice

        names = ("![p](https://evil.example/p.png)", "Lyon")
        segmented_choice.ask("at", "Site", dict(zip(names, names, strict=True)))

    app = AppTest.from_function(show).run()

    assert app.get("button_group")[0].options == [
        "!\\[p\\](https\\:\u2060//evil\\.example/p\\.png)".replace("!", "\\!")
        .replace("(", "\\(")
        .replace(")", "\\)"),
        "Lyon",
    ]


def test_a_username_that_looks_like_an_address_is_no_link(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")

    app = add_account(open_app("root", "people"), "www.evil.example", "Evelyn")

    assert "evil" in app.success[0].value and "www.evil" not in app.success[0].value
