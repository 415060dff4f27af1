"""Reloads: a new configuration takes the place of the old one while the server runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from fastflv import limits
from fastflv.config.grammar.directive import Directive
from fastflv.config.model.server import Settings
from fastflv.errors import ConfigError, StartupError

log = logging.getLogger(__name__)


class Reloader:
    """Loads the configuration again and hands it to the server; a bad one changes nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        load: Callable[[], Settings],
        apply: Callable[[Settings], None],
        settings: Settings,
        folder: str,
    ) -> None:
        """*load* and *apply* may raise ConfigError and StartupError.

        *settings*: those in force. *folder*: where relative paths of the files they came from start.
        """
        self._loop = loop
        self._load = load
        self._apply = apply
        self._settings = settings
        self._folder = folder
        self._stamps = {path: self._stamp_of(path) for path in files_of(settings.directive)}
        "What the files looked like before they were read."
        self._timer: asyncio.TimerHandle | None = None
        self._changed = False
        self._watch_later()

    def reload(self, why: str) -> bool:
        """Reload now; return whether the new configuration is in force. *why* stands in the log."""
        # Before the files are read: a change while they are read shows with the next look.
        before = {path: self._stamp_of(path) for path in self._stamps}
        self._stamps = before
        try:
            settings = self._load()
            fresh = [path for path in files_of(settings.directive) if path not in before]
            if fresh:
                before |= {path: self._stamp_of(path) for path in fresh}
                settings = self._load()
            self._apply(settings)
        except (ConfigError, StartupError) as error:
            log.error("%s: the configuration stays as it is: %s", why, error)
            return False
        self._settings = settings
        self._stamps = {path: before.get(path) for path in files_of(settings.directive)}
        for notice in settings.notices:
            log.warning("%s", notice)
        self._watch_later()
        return True

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
        found = {path: self._stamp_of(path) for path in self._stamps}
        if found != self._stamps:
            # Editors write in several steps: reload once the files rest for one look.
            self._stamps = found
            self._changed = True
        elif self._changed:
            self._changed = False
            self.reload("a configuration file has changed")
        self._watch_later()

    def _stamp_of(self, path: str) -> tuple[int, int, int] | None:
        """Return what tells a changed file from an unchanged one; None for a missing one. Follows symbolic links."""
        try:
            status = os.stat(os.path.join(self._folder, path))
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def files_of(root: Directive) -> tuple[str, ...]:
    """Return the files that a configuration was read from, includes too."""
    found: dict[str, None] = {}
    waiting = [root]
    while waiting:
        directive = waiting.pop()
        if directive.file:
            found.setdefault(directive.file)
        waiting += directive.children
    return tuple(found)
