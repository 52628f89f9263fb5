"""Law about contacts: obstacles to listening, rights, the sampling frame."""
