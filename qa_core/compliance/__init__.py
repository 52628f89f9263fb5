"""The law on recording and listening (docs/compliance.md): gates, accreditations,
notices, recordings, retention.
"""
