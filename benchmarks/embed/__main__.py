"""Run `python -m benchmarks.embed`."""

from __future__ import annotations

import sys

from benchmarks.embed.cli import main

sys.exit(main())
