"""Listening and evaluating: scorecards, sampling, evaluations, calibration, coaching."""
