"""Where the product reads rows beyond a viewer's scope, and why, read from the source."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools import rooms, sources

UNSCOPED, BEYOND, AS_SYSTEM = "unscoped", "beyond", "as the system"


@dataclass(frozen=True)
class ScopeException:
    """A place that reads beyond a scope; `reason` None: it is not a literal."""

    kind: str
    file: str
    function: str
    reason: str | None


@functools.cache
def find_exceptions() -> list[ScopeException]:
    """Find every `Unscoped`, every `beyond`, and every function that asks as
    `Viewer.SYSTEM`, in the order of the files.
    """
    found: list[ScopeException] = []
    for path in rooms.find_modules().values():
        file = path.relative_to(rooms.PROJECT).as_posix().removeprefix("qa_core/")
        if not re.search(r"\b(Unscoped|Scoped|SYSTEM)\b", sources.read(path)):
            continue
        for function, node in _walk(sources.parse(path), ""):
            for kind, reason in _read(node):
                if (one := ScopeException(kind, file, function, reason)) not in found:
                    found.append(one)
    return found


def _walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node with the outermost function that it is in."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        name = function or (child.name if is_function else "")
        yield name, child
        yield from _walk(child, name)


def _read(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    match node:
        case ast.Call(func=ast.Name(id="Unscoped")):
            yield UNSCOPED, _literal(node.args[1] if len(node.args) > 1 else None)
        case ast.Call(func=ast.Name(id="Scoped")):
            for keyword in node.keywords:
                if keyword.arg == "beyond":
                    yield BEYOND, _literal(keyword.value)
        case ast.Attribute(attr="SYSTEM", value=ast.Name(id="Viewer")):
            yield AS_SYSTEM, ""


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def list_reasons(kind: str) -> str:
    """List the places of one kind with their reasons, as a table."""
    rows = [
        f"| `{one.file}` | `{one.function}` | {one.reason} |"
        for one in find_exceptions()
        if one.kind == kind
    ]
    return "\n".join(["| file | function | why |", "|---|---|---|", *rows])


def list_system() -> str:
    """List the functions that ask as the system, by file; the command line is left out,
    where whoever runs it is the system.
    """
    places: dict[str, list[str]] = {}
    for one in find_exceptions():
        if one.kind == AS_SYSTEM and not one.file.startswith(("cli/", "access/")):
            places.setdefault(one.file, []).append(f"`{one.function}`")
    rows = [f"| `{file}` | {', '.join(functions)} |" for file, functions in places.items()]
    return "\n".join(["| file | functions |", "|---|---|", *rows])
