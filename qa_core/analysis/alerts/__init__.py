"""Alerts: rules on KPIs evaluated after each import, one alert per event."""

from qa_core.analysis.alerts.alerts import (
    STATES,
    Alert,
    acknowledge,
    describe,
    describe_rule,
    describe_slice,
    find,
)
from qa_core.analysis.alerts.evaluation import EvaluationResult, evaluate, evaluate_after_import
from qa_core.analysis.alerts.rules import (
    DIMENSIONS,
    GRAINS,
    SIDES,
    SUGGESTED,
    Rule,
    RuleKind,
    add,
    add_suggested,
    end,
    find_missing,
    find_rules,
)

__all__ = [
    "DIMENSIONS",
    "GRAINS",
    "SIDES",
    "STATES",
    "SUGGESTED",
    "Alert",
    "EvaluationResult",
    "Rule",
    "RuleKind",
    "acknowledge",
    "add",
    "add_suggested",
    "describe",
    "describe_rule",
    "describe_slice",
    "end",
    "evaluate",
    "evaluate_after_import",
    "find",
    "find_missing",
    "find_rules",
]
