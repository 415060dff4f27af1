"""Run `python -m benchmarks.control`."""

from __future__ import annotations

import sys

from benchmarks.control.cli import main

sys.exit(main())
