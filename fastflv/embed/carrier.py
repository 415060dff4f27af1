"""The carrier of a program's publish: the part that belongs to the thread of the server."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fastflv.access.request import AccessRequest
from fastflv.embed.mailbox import Mailbox
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PublishRefused


class ProgramCarrier:
    """Gives an intake what the program sends. All methods are called in the thread of the server.

    The attributes are read in the program's; *told* is called there when one of them has changed.
    """

    def __init__(
        self,
        intakes: Intakes,
        request: AccessRequest,
        name: StreamName,
        program: Mailbox,
        told: Callable[[], None],
    ) -> None:
        self._intake = Intake(intakes, self, request, name)
        self._program = program
        self._told = told
        self._held: deque[bytes] | None = None
        "What waits while script data waits for a turn of the loop; None: nothing does."
        self._finishing = False
        self.admission = False
        "The publish was admitted, once."
        self.taken = 0
        "Bytes that the intake was given."
        self.waited = False
        "The program waits for `taken`: set there before it looks, cleared here."
        self.over = ""
        "Why the publish is over."
        self.failed_by_media = False
        "It is over because of what the program has sent."

    def begin(self) -> None:
        self._intake.begin()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of an FLV stream; those behind the end are ignored."""
        if self._held is not None:
            self._held.append(data)
        else:
            self._give(data)

    def finish(self) -> None:
        """The program has sent all."""
        if self._held is not None:
            self._finishing = True
            return
        self.over = self.over or "its block has ended"
        self._intake.cancel(EndReason.STOPPED)
        self._tell()

    def cancel(self) -> None:
        """The program does not wait for the gate any more."""
        self._intake.cancel()

    def _give(self, data: bytes) -> None:
        self._intake.feed(data)
        self.taken += len(data)
        if self.waited:
            self.waited = False
            self._tell()

    def _tell(self) -> None:
        self._program.post(self._told)

    # --- Carrier ---

    @property
    def sent(self) -> int:
        return 0

    def admitted(self) -> None:
        self.admission = True
        self._tell()

    def refused(self, refused: PublishRefused) -> None:
        self._end(refused.reason)

    def failed(self, why: str) -> None:
        self.failed_by_media = True
        self._end(why)

    def dropped(self, reason: EndReason) -> None:
        self._end(reason.value)

    def pause(self) -> None:
        self._held = deque()

    def resume(self) -> None:
        held, self._held = self._held, None
        while held:
            self._give(held.popleft())
            if self._held is not None:
                # Paused again: what is left stands behind.
                self._held = held
                return
        if self._finishing:
            self.finish()

    def _end(self, why: str) -> None:
        self.over = why or "no reason was given"
        self._held = None
        self._tell()
