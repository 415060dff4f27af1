"""Prometheus: what is counted, taken in portions between turns of the event loop, and its text, written on a thread."""
