"""Run `python -m benchmarks.fanout`."""

from __future__ import annotations

import sys

from benchmarks.fanout.cli import main

sys.exit(main())
