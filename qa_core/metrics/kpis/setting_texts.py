"""The value of a setting and its beginning, as a person reads them."""

from datetime import date
from typing import Any

from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting

FORMULAS = {
    "short_abandons_excluded": N_("Short abandons left out (usual)"),
    "early_abandons_credited": N_("Abandons within the threshold count as met"),
    "abandons_ignored": N_("Answered contacts only"),
    "abandons_penalised": N_("Every abandon counts as missed"),
    "late_abandons_penalised": N_("Abandons after the threshold count as missed"),
    "short_abandons_credited": N_("Short abandons count as met"),
}

SECOND_FACTORS = {
    "nobody": N_("nobody (optional)"),
    "deciding": N_("roles that decide over others"),
    "everybody": N_("everybody"),
}


def setting_value(name: str, value: Any) -> str:
    """Return the value of a setting with its unit."""
    if value is None:
        return "–"
    if name == "service_level_formula":
        return _(FORMULAS[value])
    if name == "second_factor":
        return _(SECOND_FACTORS[value])
    if name.endswith("_seconds"):
        return formatting.duration(value)
    if name.endswith("_days"):
        return ngettext("{count} day", "{count} days", int(value), count=_number(value))
    if name.endswith("_hours"):
        return ngettext("{count} hour", "{count} hours", int(value), count=_number(value))
    return _number(value) if isinstance(value, int | float) else str(value)


def since(day: date | None) -> str:
    """From when on a value holds."""
    return _("since {day}", day=formatting.day(day, year=True)) if day else _("since the beginning")


def _number(value: float) -> str:
    return formatting.number(value, 0 if float(value).is_integer() else 1)
