"""The frame of every page: gate, menu, filter bar, address."""
