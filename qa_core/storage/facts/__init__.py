"""Columns of the facts, and statements that name their scope."""
