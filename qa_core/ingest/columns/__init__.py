"""What each column of a file means, decided on the whole column."""
