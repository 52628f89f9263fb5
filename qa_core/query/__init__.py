"""The door to the facts: every figure, list and single contact that a person sees comes through here, for a `Viewer`, within what they may see."""

from qa_core.query.measuring import data_span, measure
from qa_core.query.rows import to_json

__all__ = ["data_span", "measure", "to_json"]
