"""Slow viewers: what they cost the server and the others, and what they get."""
