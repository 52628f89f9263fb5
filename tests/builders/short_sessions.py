"""Streamlit, with sessions that end after seconds: `… short_sessions IDLE MAX_AGE run …`."""

import sys
from datetime import timedelta

from streamlit.web import cli

from qa_core.access import sessions

if __name__ == "__main__":
    idle, longest = (timedelta(seconds=float(text)) for text in sys.argv[1:3])
    sessions.IDLE, sessions.MAX_AGE = idle, longest
    sessions.SEEN_EVERY = timedelta(seconds=0.5)
    cli.main(sys.argv[3:])
