"""A player page that is left open for an hour keeps its memory and its delay. FASTFLV_SOAK=60 says for how many minutes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from clip import Clip
from pagesite import drive, need_pages, origin, published
from server import Server, vhost_text

MINUTES = int(os.environ.get("FASTFLV_SOAK", "0"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 * MINUTES + 300)]


@pytest.mark.skipif(not MINUTES, reason="takes an hour: FASTFLV_SOAK=60")
def test_a_page_that_is_left_open_keeps_its_memory_and_its_delay(
    serve: Callable[..., Server], h264: Clip
) -> None:
    need_pages()
    server = serve(vhost_text(play="mw_latency 0; start compact;"))
    with published(server, {"soak": h264}):
        said = drive("soak", origin(server), str(MINUTES), timeout=60 * MINUTES + 120)
    rows = said["rows"]
    for kind in ("heap", "resident"):
        # What a page has after its first minutes; before them it still grows into its buffers.
        first, last = rows[min(3, len(rows) - 1)][kind], rows[-1][kind]
        assert last < 1.2 * first, (kind, rows)
    assert sorted(row["ahead"] for row in rows)[len(rows) // 2] < 1, rows
    assert rows[-1]["time"] - rows[0]["time"] > 57 * (len(rows) - 1), rows
    assert said["seen"]["errors"] == [], said["seen"]
