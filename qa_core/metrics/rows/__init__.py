"""Lists of contacts, evaluations and remarks behind the figures."""
