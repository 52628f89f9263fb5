"""Rules of the law: how each stands today, since when, and who acts."""
