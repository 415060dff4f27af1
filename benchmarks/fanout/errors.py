"""The one error of the harness."""

from __future__ import annotations


class BenchError(Exception):
    """A run cannot go on; the message is one line that says what to do."""
