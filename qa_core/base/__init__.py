"""Base of all rooms: errors, translation, the environment, masking of personal data."""
