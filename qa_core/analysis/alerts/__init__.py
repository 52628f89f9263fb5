"""Alerts: rules on KPIs evaluated after each import, one alert per event."""

from qa_core.analysis.alerts.alerts import (
    STATES,
    Alert,
    acknowledge,
    describe,
    describe_rule,
    describe_slice,
    find,
    find_acknowledged,
)
from qa_core.analysis.alerts.evaluation import EvaluationResult, describe_unjudged, evaluate
from qa_core.analysis.alerts.rules import (
    DIMENSIONS,
    SUGGESTED,
    Rule,
    RuleKind,
    add,
    add_suggested,
    end,
    find_missing,
    find_rules,
)
