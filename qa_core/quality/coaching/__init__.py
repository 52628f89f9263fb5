"""Coaching: who needs what, what an advisor and their lead agreed to work on, and what
came of it. Its writers are in `plans`.
"""
