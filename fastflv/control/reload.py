"""Reloads: a new configuration takes the place of the old one while the server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from fastflv import limits
from fastflv.config.diff import differences
from fastflv.config.grammar.filestamp import FileStamps, stamp_of
from fastflv.config.model.server import Settings
from fastflv.control.outcome import Outcome
from fastflv.control.runtime import compile_runtime
from fastflv.errors import ConfigError, StartupError

log = logging.getLogger(__name__)


class Reloader:
    """Loads the configuration again and hands it to the server; a bad one changes nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        load: Callable[[FileStamps], Settings],
        apply: Callable[[Settings], Outcome],
        settings: Settings,
        stamps: FileStamps,
    ) -> None:
        """*load* and *apply* may raise ConfigError and StartupError.

        *settings*: those in force. *stamps*: how their files looked before they were read; *load* gives its argument
        the same.
        """
        self._loop = loop
        self._load = load
        self._apply = apply
        self._settings = settings
        self._number = 1
        self._stamps = stamps
        "Of the files that were read last, good or bad."
        self._timer: asyncio.TimerHandle | None = None
        self._changed = False
        self._watch_later()

    def reload(self, why: str) -> Outcome:
        """Reload now; return what came of it. *why* stands in the log."""
        self._stamps = {}
        self._changed = False
        try:
            settings = self._load(self._stamps)
            outcome = self._apply(settings)
        except (ConfigError, StartupError) as error:
            outcome = Outcome.refused(self._number, error)
            for problem in outcome.problems:
                log.error("%s: the configuration stays as it is: %s", why, problem)
            return outcome
        self._settings = settings
        self._number = outcome.number
        for notice in settings.notices:
            log.warning("%s", notice)
        self._watch_later()
        return outcome

    def plan(self) -> Outcome:
        """Return what a reload would change, and change nothing. Whether its ports are free is not tried."""
        try:
            settings = self._load({})
            compile_runtime(settings, self._number)
        except (ConfigError, StartupError) as error:
            return Outcome.refused(self._number, error)
        return Outcome(self._number, tuple(differences(self._settings, settings)))

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch_later(self) -> None:
        """Look at the files now and then, where the configuration asks for it."""
        self.close()
        settings = self._settings
        if settings.inotify_auto_reload or (settings.in_docker and settings.auto_reload_for_docker):
            self._timer = self._loop.call_later(limits.RELOAD_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        found = {path: stamp_of(path) for path in self._stamps}
        if found != self._stamps:
            # Editors write in several steps: reload once the files rest for one look.
            self._stamps = found
            self._changed = True
        elif self._changed:
            self._changed = False
            self.reload("a configuration file has changed")
        self._watch_later()
