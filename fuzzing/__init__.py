"""Fuzz targets, one a parser: `python -m fuzzing NAME --seconds N`.

A target is a module of `fuzzing/targets` with these names. `check(data)` takes any bytes and raises for a finding,
`SEEDS` are inputs to begin with, and `WORDS` are pieces that chance would not make. `COMPILED = True` says that the parser is in C: coverage of Python
cannot guide inputs there, so they come from chance.
"""
