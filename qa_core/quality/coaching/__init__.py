"""Coaching: needs, plans agreed between advisor and lead, effects."""
