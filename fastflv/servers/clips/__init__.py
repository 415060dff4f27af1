"""Clips: parts of the past of a stream as finished files."""
