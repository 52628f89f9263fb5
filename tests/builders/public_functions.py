"""The public functions of the product below its pages, as they are written."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qa_core.base.environment import PROJECT


def find_public_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Find each with its module, `metrics.kpi.measure` for qa_core/metrics/kpi/measure.py."""
    for path in sorted((PROJECT / "qa_core").rglob("*.py")):
        module = ".".join(path.relative_to(PROJECT / "qa_core").with_suffix("").parts)
        if not module.startswith("ui."):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield module.removesuffix(".__init__"), node
