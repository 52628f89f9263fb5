"""What the law says about contacts: obstacles to listening, rights, the sampling frame."""
