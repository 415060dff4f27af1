"""Runs fastflv with other limits: `python shortlimits.py NAME=SECONDS ... -c FILE`."""

from __future__ import annotations

import runpy
import sys

from fastflv import limits

if __name__ == "__main__":
    while "=" in sys.argv[1]:
        name, _, value = sys.argv.pop(1).partition("=")
        assert hasattr(limits, name), name
        # Before anything is imported that reads it.
        setattr(limits, name, float(value))
    runpy.run_module("fastflv", run_name="__main__", alter_sys=True)
