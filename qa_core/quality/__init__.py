"""Listening and evaluating: scorecards, plans and draws, evaluations, calibration,
coaching.
"""
