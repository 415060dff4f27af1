"""The process: stopping, garbage collection."""

from __future__ import annotations

from typing import Final

GC_OBJECTS: Final = 50_000
"Objects made before the collector of cycles looks at the young ones (Python's default is 700 or 2,000): a live server makes few cycles, and a look costs by what it finds alive."

STOP_SECONDS: Final = 2.0
"Time that players get to take their last bytes when the server stops, seconds."

STOP_STEP_SECONDS: Final = 0.02
"How often a stopping server looks whether they did, seconds."
