"""Any file as rows of text: archives, encodings, workbooks, JSON, Parquet."""
