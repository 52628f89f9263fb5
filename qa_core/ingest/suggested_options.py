"""Options that would override the decisions about a file."""

from qa_core.files.decision import Decision
from qa_core.files.options import UNITS
from qa_core.ingest.declaration import ValueType
from qa_core.ingest.registry import find_profiles

_BY_PLACE = {
    "encoding": "--encoding E --delimiter D",
    "good": "--encoding E",
    "sheet": "--sheet NAME",
    "zone": "--timezone TZ",
    "platform": "--profile NAME",
    "day": "--start-date DATE",
    "currency": "--map currency=COLUMN",
}
"""Options by the name of a place in the decision's message."""


def find_option(decision: Decision, kind: str) -> str:
    """Find the option that would override that decision; empty where none does."""
    places = dict(decision.params)
    for name, option in _BY_PLACE.items():
        if name in places:
            return option
    if "possible" in places:
        return f"--scale {decision.field}=MIN-MAX"
    if "names" in places or "batch" in places or "joined" in places:
        return ""
    if decision.field == "file":
        return "--map FIELD=COLUMN" if "columns" in places or "line" in places else ""
    if decision.field == "customer" and "columns" in places:
        return "--map ignore=COLUMN"
    fields = {
        item.name: item.value_type
        for profile in reversed(find_profiles())
        if profile.kind == kind
        for item in profile.fields
    }
    reads = fields.get(decision.field)
    if "column" in places:
        if reads == ValueType.MOMENT:
            return "--date-order dmy|mdy|ymd"
        if reads == ValueType.DURATION:
            return f"--unit {decision.field}={'|'.join(UNITS)}"
        if reads in (ValueType.MARK, ValueType.CRITERION):
            return f"--scale {decision.field}=MIN-MAX"
        if reads in (ValueType.NUMBER, ValueType.WHOLE):
            return "--decimal ,|."
    return f"--map {decision.field}=COLUMN" if reads else ""
