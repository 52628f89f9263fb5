"""Import of folders and logs as they grow."""
