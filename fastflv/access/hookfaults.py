"""Hooks that fail: one line in the log when it begins and one when it is over, whatever the number of clients."""

from __future__ import annotations

import logging

from fastflv.config.masking import masked

log = logging.getLogger(__name__)


class HookFaults:
    """The URLs that failed last time they were asked. URLs of former configurations are few."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}

    def note(self, action: str, url: str, fault: str) -> None:
        """A hook was asked; *fault*: why it failed, one clause, empty where it did not."""
        key = (action, url)
        if fault:
            if key not in self._failures:
                log.warning("%s %s fails: %s", action, masked(url), masked(fault))
            self._failures[key] = self._failures.get(key, 0) + 1
        elif (failures := self._failures.pop(key, 0)) > 0:
            log.warning("%s %s answers again, after %d failures", action, masked(url), failures)
