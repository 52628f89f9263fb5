"""The health checks of a centre, for tests of one of them."""

from __future__ import annotations

import pytest

from qa_core.cli import doctor
from qa_core.compliance.rules import catalogue


def find_check(name: str, deep: bool = False) -> tuple[str, str]:
    """State and words of one check; the rules of the law, which take longest, are left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "RULES", ())
        [check] = [check for check in doctor.examine(deep) if check.name == name]
    return check.state, check.detail
