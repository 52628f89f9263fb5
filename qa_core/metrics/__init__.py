"""The KPIs and the one door to the facts: `from qa_core.metrics import measure`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa_core.metrics.kpi.measure import measure


def __getattr__(name: str) -> Any:
    """Import `measure` when it is asked for, with pandas and the engine: who only names or
    formats KPIs needs neither.
    """
    if name == "measure":
        from qa_core.metrics.kpi.measure import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
