"""From a question about KPIs to its rows."""
