"""Calls that show markdown with text that may come from a person.

A text is safe when it is a constant, a translated message whose places are safe, a
formatted number or moment, or passed through `markdown.escape`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools import sources

PROJECT = Path(__file__).resolve().parents[2]
SHOWING = frozenset(
    {
        *("markdown", "caption", "title", "header", "subheader", "write", "badge", "metric"),
        *("info", "warning", "error", "success", "toast", "spinner", "progress", "status"),
        *("expander", "tabs", "dialog", "popover", "page_link", "link_button", "button"),
        *("form_submit_button", "download_button", "checkbox", "toggle", "radio", "selectbox"),
        *("multiselect", "text_input", "text_area", "number_input", "date_input", "time_input"),
        *("file_uploader", "segmented_control", "pills", "slider", "select_slider", "feedback"),
        *("show_page_link", "show_icon_button", "show_button", "show_quiet_button", "select"),
        *("ask_day", "ask_text"),
    }
)
"""Streamlit's functions whose first argument is markdown, and our own around them."""
SECOND = frozenset(
    {
        *("progress", "show_page_link", "show_icon_button", "show_button", "show_quiet_button"),
        *("select", "ask_day"),
    }
)
"""Those whose second argument is markdown instead."""
MARKDOWN_KEYWORDS = frozenset({"label", "help", "body", "caption"})
DRAWN_OPTIONS = frozenset({"radio", "segmented_control", "pills"})
"""Functions whose options are markdown too, as their `format_func` gives them."""
ESCAPING = frozenset({"escape", "show_text"})
NUMERIC = frozenset({"len", "int", "sum", "round", "abs"})
NUMBER_TEXTS = frozenset(
    {
        *("number", "percent", "duration", "money", "value", "change", "interval"),
        *("days", "day", "local_day", "full_day", "month", "moment", "local_moment", "period"),
        "name_role",
    }
)
"""Functions whose result holds digits, units, names of months and roles."""
PLAIN_ATTRIBUTES = frozenset(["path", "n", "period_title", "compare_title", "version", "year"])
"""Attributes that hold addresses of pages, numbers and periods."""


def find_calls() -> Iterator[tuple[str, str]]:
    """Yield the file and the expression of each text that is not known to be safe."""
    for path in sorted(
        [*(PROJECT / "qa_core/ui").rglob("*.py"), *(PROJECT / "pages").rglob("*.py")]
    ):
        tree = sources.parse(path)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for scope, call in _find_showing(tree):
            judge = _Judge(scope, functions)
            texts = call.args[1:2] if _name_of(call) in SECOND else call.args[:1]
            texts = [
                *texts,
                *(word.value for word in call.keywords if word.arg in MARKDOWN_KEYWORDS),
            ]
            if _name_of(call) in DRAWN_OPTIONS:
                shown = [word.value for word in call.keywords if word.arg == "format_func"]
                texts += [one.body if isinstance(one, ast.Lambda) else one for one in shown]
                texts += [] if shown else call.args[1:2]
            for text in texts:
                if not judge.is_safe(text):
                    yield path.relative_to(PROJECT).as_posix(), ast.unparse(text)


def _find_showing(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {}
    for function in functions:
        for node in ast.walk(function):
            inside[node] = function  # inner functions come later
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node) in SHOWING:
            yield inside.get(node, tree), node


def _name_of(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


class _Judge:
    """Judge of the texts in one function, which follows its variables and the functions of
    its module.
    """

    def __init__(
        self,
        scope: ast.AST,
        functions: dict[str, ast.FunctionDef],
        seen: frozenset[str] = frozenset(),
    ) -> None:
        self.scope, self.functions, self.seen = scope, functions, seen

    def is_safe(self, text: ast.expr) -> bool:
        """Return whether a text is known to hold no markdown of a person."""
        match text:
            case ast.Constant() | ast.Compare():
                return True
            case ast.FormattedValue(format_spec=ast.JoinedStr()):
                return True  # a number or a moment
            case (
                ast.FormattedValue(value=part) | ast.Starred(value=part) | ast.NamedExpr(value=part)
            ):
                return self.is_safe(part)
            case ast.BinOp(left=left, right=right):
                return self.is_safe(left) and self.is_safe(right)
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_safe(body) and self.is_safe(orelse)
            case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts):
                return all(map(self.is_safe, parts))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return all(map(self.is_safe, parts))
            case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part):
                return self.is_safe(part)
            case ast.Call():
                return self._is_safe_call(text)
            case ast.Name(id=name) if not name.isupper():
                return self._is_safe_variable(name)
            case ast.Name() | ast.Attribute(attr=str()):
                name = text.id if isinstance(text, ast.Name) else text.attr
                return name.isupper() or name in PLAIN_ATTRIBUTES
            case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name.isupper()
        return False

    def _is_safe_call(self, call: ast.Call) -> bool:
        name = _name_of(call)
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name in ESCAPING | NUMERIC | NUMBER_TEXTS:
            return True
        if name in ("_", "ngettext"):
            return all(self.is_safe(word.value) for word in call.keywords)
        if name in (
            "filter",
            "listing",
            "capitalise",
            "uncapitalise",
            "capitalize",
            "lower",
            "join",
        ):
            texts = call.args[1:] if name == "filter" else call.args
            parts = [*texts, *([owner] if name in ("capitalize", "lower", "join") else [])]
            return all(map(self.is_safe, parts))
        function = self.functions.get(name) if owner is None else None
        if function is None or name in self.seen:
            return False
        inner = _Judge(function, self.functions, self.seen | {name})
        returned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None
        ]
        return bool(returned) and all(map(inner.is_safe, returned))

    def _is_safe_variable(self, name: str) -> bool:
        values = list(_find_values(name, self.scope))
        inner = _Judge(self.scope, self.functions, self.seen | {name})
        return name not in self.seen and bool(values) and all(map(inner.is_safe, values))


def _find_values(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name) and target.id == name:
                        yield value
                    elif isinstance(target, ast.Tuple) and any(
                        isinstance(part, ast.Name) and part.id == name for part in target.elts
                    ):
                        place = [getattr(part, "id", "") for part in target.elts].index(name)
                        yield value.elts[place] if isinstance(value, ast.Tuple) else value
            case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name and value:
                yield value
            case ast.AugAssign(target=ast.Name(id=found), value=value) if found == name:
                yield value
            case ast.NamedExpr(target=ast.Name(id=found), value=value) if found == name:
                yield value
            case ast.For(target=ast.Name(id=found), iter=value) if found == name:
                yield value
            case ast.comprehension(target=ast.Name(id=found), iter=value) if found == name:
                yield value
            case ast.Call(func=ast.Attribute(value=ast.Name(id=found), attr="append")) if (
                found == name
            ):
                yield node.args[0]
