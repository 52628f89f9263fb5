"""Fixtures of the tests of KPIs."""

from builders.random_centre import records as records
