"""The second engine: Spark Connect over the same Parquet files (docs/cluster.md)."""
