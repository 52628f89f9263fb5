"""Rules R1 to R20: how each stands today, since when, and who acts."""
