"""docs/api.md is what the table of the API makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from model.apisite import looped, running

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"


def test_the_page_of_the_api_is_what_its_table_makes():
    command = [sys.executable, str(ROOT / "tools" / "api_page.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == PAGE.read_text(), "make api-page writes it"


@looped
async def test_the_page_of_the_api_has_each_row_once_with_its_parameters():
    async with running() as caller:
        sections = PAGE.read_text().split("\n## ")[1:]
        rows = list(caller.server.api.table)
        assert [each.partition("\n")[0] for each in sections] == [f"{row.method} {row.path}" for row in rows]
        for section, row in zip(sections, rows, strict=True):
            assert all(f"\n| `{each.name}` |" in section for each in row.parameters)
            assert "```json" in section or f"The answer is `{row.content}`." in section
