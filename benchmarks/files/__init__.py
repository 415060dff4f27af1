"""Files over HTTP beside nginx: CPU for large and small ones, and memory under slow downloads."""
