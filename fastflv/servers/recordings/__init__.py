"""The recording API."""
