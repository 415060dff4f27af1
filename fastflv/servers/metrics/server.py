"""Answers scrapes, on the ports of the API and on those of the exporter."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter, thread_time
from typing import Final

from fastflv import limits
from fastflv.net.turns import Turns
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.metrics.figures import Figures, Survey

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Makes the text that Prometheus scrapes, for all who ask at the same time.

    The figures are taken in portions between turns of the event loop, and the text is written on a thread. It is
    shown again for SAMPLE_TIMES of the time that loop and thread spent beyond SAMPLE_FREE_SECONDS: whoever asks, they are busy
    with it for 5 % of the time.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turns: Turns,
        *,
        survey: Callable[[], Survey],
        write: Callable[[Figures], bytes],
    ) -> None:
        """*write* is called on a thread."""
        self._loop = loop
        self._turns = turns
        self._survey = survey
        self._write = write
        self._waiting: list[Exchange] = []
        "Who asked since the making of a text began."
        self._text = b""
        self._shown_until = 0.0
        "`perf_counter`, seconds."
        self._spent = 0.0
        self.others: Callable[[], Awaitable[list[str]]] | None = None
        "Returns the texts of all workers of the server, of this one too; None where it is one process."
        self._merging: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange) -> None:
        """Answer a scrape, now or in a moment."""
        if exchange.request.method not in ("GET", "HEAD"):
            exchange.respond(Response.of_text(405, Allow="GET, HEAD, OPTIONS"))
        elif self.others is not None and not exchange.request.peer.own:
            task = self._loop.create_task(self._merge(exchange, self.others))
            self._merging.add(task)
            task.add_done_callback(self._merging.discard)
        elif perf_counter() < self._shown_until:
            exchange.respond(Response(body=self._text, content_type=CONTENT_TYPE))
        else:
            self._waiting.append(exchange)
            if len(self._waiting) == 1:
                self._begin()

    async def _merge(self, exchange: Exchange, others: Callable[[], Awaitable[list[str]]]) -> None:
        """Answer with the figures of all workers."""
        from fastflv.servers.metrics.merging import merge_texts

        try:
            texts = await others()
            text = await self._loop.run_in_executor(None, merge_texts, texts)
        except Exception:
            log.exception("the metrics of the workers could not be put together")
            exchange.respond(Response.of_text(500))
        else:
            exchange.respond(Response(body=text, content_type=CONTENT_TYPE))

    def _begin(self) -> None:
        self._spent = 0.0
        survey = self._survey()
        self._advance(survey, survey.steps())

    def _advance(self, survey: Survey, steps: Iterator[None]) -> None:
        """Go on with the figures while the turn has time, then in the next one; then have the text written."""
        began = thread_time()
        try:
            while self._turns.open():
                if next(steps, survey) is survey:
                    self._finish(survey.figures)
                    return
            self._turns.queue(lambda: self._advance(survey, steps))
        except Exception:
            log.exception("the metrics could not be taken")
            self._answer(None)
        finally:
            self._spent += thread_time() - began

    def _finish(self, figures: Figures) -> None:
        writing = self._loop.run_in_executor(None, self._timed, figures)
        writing.add_done_callback(self._written)

    def _timed(self, figures: Figures) -> tuple[bytes, float]:
        """Write the text, on a thread; return it and the time that it took of the processor, seconds."""
        began = thread_time()
        return self._write(figures), thread_time() - began

    def _written(self, writing: asyncio.Future[tuple[bytes, float]]) -> None:
        if writing.cancelled():
            self._answer(None)
        elif writing.exception() is not None:
            log.error("the metrics could not be written", exc_info=writing.exception())
            self._answer(None)
        else:
            self._text, spent = writing.result()
            cost = max(self._spent + spent - limits.SAMPLE_FREE_SECONDS, 0.0)
            self._shown_until = perf_counter() + limits.SAMPLE_TIMES * cost
            self._answer(self._text)

    def _answer(self, text: bytes | None) -> None:
        waiting, self._waiting = self._waiting, []
        for exchange in waiting:
            if text is None:
                exchange.respond(Response.of_text(500))
            else:
                exchange.respond(Response(body=text, content_type=CONTENT_TYPE))
