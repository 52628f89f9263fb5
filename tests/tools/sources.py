"""Source files as text, as trees and as nodes; each is read and parsed once a process."""

from __future__ import annotations

import ast
import functools
from pathlib import Path


@functools.cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(read(path))


@functools.cache
def find_nodes(path: Path) -> tuple[ast.AST, ...]:
    """Find every node of the file in the order of `ast.walk`, without what tells reading from
    writing, which is a third of them.
    """
    nodes: list[ast.AST] = [parse(path)]
    for node in nodes:  # which grows meanwhile
        for name in node._fields:
            value = getattr(node, name, None)
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                    nodes.append(child)
    return tuple(nodes)


@functools.cache
def find_calls(path: Path) -> tuple[tuple[ast.Call, str], ...]:
    """Find every call of the file, with the function as it is written."""
    return tuple(
        (node, ast.unparse(node.func)) for node in find_nodes(path) if isinstance(node, ast.Call)
    )


def forget() -> None:
    """Free the trees: they are a million objects, which each later collection of garbage
    would go through.
    """
    for kept in (parse, find_nodes, find_calls):
        kept.cache_clear()
