"""Documents that the law asks for, built from the configuration (docs/compliance.md, R12)."""
