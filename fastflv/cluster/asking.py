"""Whose parameters and protocol origins are asked with, where several viewers want one stream."""

from __future__ import annotations

from collections.abc import Iterable

from fastflv import limits
from fastflv.access.request import AccessRequest


class Asking:
    """An origin judges by the parameters of a viewer, and may say no with any of its answers: so a search that failed
    is followed by one with what another viewer has sent.
    """

    def __init__(self, request: AccessRequest) -> None:
        self.request = request
        "Of the viewer with whose parameters the origins are asked."
        self._failed: set[tuple[str, str]] = set()
        "Parameters and schemes that brought nothing since all were tried."
        self._in_row = 0
        "Searches without a pause between them."

    def is_of(self, request: AccessRequest) -> bool:
        """Whether origins are asked as they would be for *request*."""
        return _asked(request) == _asked(self.request)

    def worked(self) -> None:
        """An origin has sent media."""
        self._failed.clear()
        self._in_row = 0

    def failed(self, requests: Iterable[AccessRequest], *, may_be_refused: bool) -> bool:
        """The search brought nothing: go on with one of *requests*, those of all viewers.

        Return whether the next search may begin at once. *may_be_refused*: an origin has answered, or closed.
        """
        self._failed.add(_asked(self.request))
        first: AccessRequest | None = None
        for request in requests:
            first = first or request
            if _asked(request) not in self._failed:
                self.request = request
                self._in_row += 1
                if may_be_refused and self._in_row < limits.PULL_TRIES_MAX:
                    return True
                self._in_row = 0
                return False
        self._failed.clear()
        self._in_row = 0
        # Who was asked for may be gone.
        self.request = first or self.request
        return False


def _asked(request: AccessRequest) -> tuple[str, str]:
    """What of a viewer decides how origins are asked."""
    return request.param, request.scheme
