"""A page of the server in a real Chromium, which a test uses as a person does: playwright-core drives it."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from browser import find_chromium
from pagesite import packages
from patience import patient
from server import HOST

from fastflv.servers.pages.built import find_built

SCRIPT = Path(__file__).with_name("pagedriver.mjs")


def need_page(path: str) -> None:
    """Skip a test of the page at *path* where something of what it takes is missing."""
    find_chromium()
    packages()
    if path not in find_built():
        pytest.skip("the pages are not built: make pages")


class PageDriver:
    """One Chromium with one page. Use as a context manager. Requests to anything but the server fail, and are a problem."""

    def __init__(self, profile: Path) -> None:
        self._words = ["node", str(SCRIPT), str(packages()), find_chromium(), str(profile), HOST]
        self._process: subprocess.Popen[str]
        self._answers: queue.Queue[str] = queue.Queue()
        self.problems: list[str] = []
        "Errors of the pages, and what they asked of others."

    def __enter__(self) -> PageDriver:
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._answer(60)["ready"]
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(patient(20))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, code: str, *, timeout: float = 90, **args: Any) -> Any:
        """Run *code*, the body of an async function with `page`, `context` and `args`; return what it returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"code": code, "args": args}) + "\n")
        self._process.stdin.flush()
        answer = self._answer(timeout)
        self.problems += answer["problems"]
        assert "failed" not in answer, f"{answer['failed']}\nin\n{code}\nproblems: {self.problems}"
        return answer["value"]

    def faults(self) -> list[str]:
        """Return the serious faults that axe-core finds in the page as it is now."""
        code = """
            await page.evaluate(args.axe);
            const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
            return found.violations
              .filter((each) => ["serious", "critical"].includes(each.impact))
              .map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`);
        """
        found = self.run(code, axe=(packages() / "node_modules" / "axe-core" / "axe.min.js").read_text())
        assert isinstance(found, list)
        return found

    def picture(self, path: Path, width: int, height: int) -> None:
        """Write a PNG of what is seen at that size."""
        code = "await page.setViewportSize(args.size); await page.waitForTimeout(400); await page.screenshot({ path: args.path });"
        self.run(code, size={"width": width, "height": height}, path=str(path))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)

    def _answer(self, timeout: float) -> dict[str, Any]:
        try:
            answer = json.loads(self._answers.get(timeout=patient(timeout)))
        except queue.Empty:
            raise AssertionError(f"Chromium has not answered within {patient(timeout)} s") from None
        assert isinstance(answer, dict)
        return answer
