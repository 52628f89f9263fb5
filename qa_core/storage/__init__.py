"""The two stores, records and lake, and the engine that queries them."""
