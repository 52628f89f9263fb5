"""Rules R1 to R22: how each stands today, since when, and who acts."""
