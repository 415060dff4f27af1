"""Benchmarks: micro (pytest-benchmark) and fanout (side by side with other servers)."""
