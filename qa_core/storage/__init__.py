"""Storage: records, lake, and the engine that queries them."""
