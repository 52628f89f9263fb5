"""Sources of data that are pulled: complete by what the platform states, or with a gap."""
