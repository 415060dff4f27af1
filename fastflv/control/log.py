"""The log of the process: where it goes, and how much of it."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any, Final

from fastflv.config.model.server import LogFormat, LogLevel, LogSettings, LogTank
from fastflv.control.logfold import LogFold
from fastflv.errors import StartupError
from fastflv.net.peerlog import PeerLogger
from fastflv.net.peertext import printable
from fastflv.servers.api.recentlog import RecentLog

log = logging.getLogger(__name__)

LEVELS: Final = {
    LogLevel.TRACE: logging.DEBUG,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
FORMAT: Final = "%(asctime)s.%(msecs)03d %(levelname)s %(mark)s%(message)s"
DATE: Final = "%Y-%m-%d %H:%M:%S"


class LineFormatter(logging.Formatter):
    """Formats lines, printable whatever peers sent; those of one second share the text of their time.

    A call names the connection that a line is about by `extra={"client": id}` (`Peer.marks`).
    """

    def __init__(self, line: str = FORMAT, date: str = DATE) -> None:
        super().__init__(line, date)
        self._second = -1
        self._time = ""
        self._converter = self.converter

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        if second != self._second or self.converter is not self._converter:
            self._second, self._converter = second, self.converter
            self._time = super().formatTime(record, datefmt)
        return self._time

    def formatMessage(self, record: logging.LogRecord) -> str:
        client = getattr(record, "client", "")
        record.mark = f"[{client}] " if client else ""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class JsonFormatter(LineFormatter):
    """Formats each line as one JSON object: `time` (RFC 3339), `level`, `message`, and where known `client`, `peer`, `error`."""

    def __init__(self) -> None:
        super().__init__(date="%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        zone = "Z"
        if self.converter is not time.gmtime:
            hours, minutes = divmod(abs(time.localtime(record.created).tm_gmtoff) // 60, 60)
            sign = "-" if time.localtime(record.created).tm_gmtoff < 0 else "+"
            zone = f"{sign}{hours:02}:{minutes:02}"
        fields = {
            "time": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03}{zone}",
            "level": record.levelname.lower(),
            "client": getattr(record, "client", ""),
            "peer": getattr(record, "peer", ""),
            "message": printable(record.getMessage()),
            "error": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)


class LogOutputs(logging.Handler):
    """The handler of the server's logger: folds lines, and hands each to where the log goes and to what the API shows."""

    def __init__(self, written: logging.Handler, recent: RecentLog) -> None:
        super().__init__()
        self.written = written
        self.recent = recent
        self.fold = LogFold(self)
        self.addFilter(self.fold)

    def emit(self, record: logging.LogRecord) -> None:
        self.written.handle(record)
        self.recent.handle(record)

    def close(self) -> None:
        if PeerLogger.count == self.fold.count:
            PeerLogger.count = None
        self.written.close()
        super().close()


def start_log(settings: LogSettings, *, utc: bool = False) -> RecentLog:
    """Send the log where the configuration says; *utc*: its times are UTC. Return what keeps its newest lines.

    Raises StartupError for a file that cannot be written.
    """
    handler: logging.Handler
    if settings.tank is LogTank.CONSOLE:
        handler = logging.StreamHandler(sys.stderr)
    else:
        # Loaded for it alone: it brings 0.4 MB of modules along.
        from fastflv.control.logfile import LogFile

        path = Path(settings.file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = LogFile(path)
        except OSError as error:
            raise StartupError(
                f"cannot write the log {path}: {error.strerror}; set srs_log_file, or srs_log_tank console"
            ) from error
    handler.setFormatter(JsonFormatter() if settings.format is LogFormat.JSON else LineFormatter())
    outputs = LogOutputs(handler, RecentLog())
    # No line shows its thread, process or place in the code: unasked, a line costs 12 us less, and a join has two.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    root = logging.getLogger("fastflv")
    root.handlers[:] = [outputs]
    root.propagate = False
    PeerLogger.count = outputs.fold.count
    set_level(settings.level)
    set_utc(utc)
    return outputs.recent


def end_log() -> None:
    """Write what is counted and not written yet."""
    for handler in logging.getLogger("fastflv").handlers:
        if isinstance(handler, LogOutputs):
            handler.fold.flush()


def place_of(settings: LogSettings) -> str:
    """Return where the log of a process in the background is."""
    if settings.tank is LogTank.CONSOLE:
        return "no log (srs_log_tank console)"
    return f"log {Path(settings.file).absolute()}"


def set_level(level: LogLevel) -> None:
    """Log as much as *level* says from now on."""
    logging.getLogger("fastflv").setLevel(LEVELS[level])


def set_utc(utc: bool) -> None:
    """Write UTC into the lines that follow, local time otherwise."""
    for handler in logging.getLogger("fastflv").handlers:
        if isinstance(handler, LogOutputs) and handler.written.formatter is not None:
            handler.written.formatter.converter = time.gmtime if utc else time.localtime


def reopen_log(why: str) -> None:
    """Open the log file anew. *why* stands in the log."""
    outputs = logging.getLogger("fastflv").handlers[0]
    handler = outputs.written if isinstance(outputs, LogOutputs) else outputs
    reopen = getattr(handler, "reopen", None)
    if reopen is None:
        log.info("%s: the log goes to the console: there is no file to open", why)
        return
    try:
        reopen()
    except OSError as error:
        # There is no file to write this to, but stderr may be somewhere.
        print(f"fastflv: cannot open the log {error.filename}: {error.strerror}", file=sys.stderr)
        return
    log.info("%s: the log file is open", why)
