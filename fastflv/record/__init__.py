"""Recordings: streams written to files, and the files that are there."""
