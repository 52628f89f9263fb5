"""From a file to typed rows: which tool wrote it, what its columns mean, what was understood."""
