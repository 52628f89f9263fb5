"""Rules R1 to R21: how each stands today, since when, and who acts."""
