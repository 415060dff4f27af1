"""SRS-style configuration: grammar, names, values."""
