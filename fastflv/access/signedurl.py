"""URLs that users of CDNs sign already: Tencent's `txSecret`, and Aliyun's `auth_key` with its other forms.

All of them are an MD5 of a key, a name and a time, in the order that each has. Spec: Tencent Cloud, "Hotlink Protection URL
Calculation"; Alibaba Cloud CDN, "Type A signing", "Type B signing", "Type C signing".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from fastflv.access.query import query_value
from fastflv.access.request import AccessRequest, Action
from fastflv.access.tokens.grant import Grant
from fastflv.errors import TokenError

UTC8_SECONDS: Final = 8 * 3600
"Aliyun's form B writes times of Beijing."

SIGN, TIME = "KEY1", "KEY2"
"Parameters of form C in the query, as Aliyun's console names them; B and C in the path become these."

ODD: Final = "surrogatepass"
"How bytes that are no UTF-8 are hashed: nobody has signed them, and they must not raise."

_PATHS: Final = {
    "B": re.compile(r"/(?P<time>[0-9]{12})/(?P<sign>[0-9A-Fa-f]{32})(?P<path>/.+)"),
    "C": re.compile(r"/(?P<sign>[0-9A-Fa-f]{32})/(?P<time>[0-9A-Fa-f]{8})(?P<path>/.+)"),
}


class Unsigned(NamedTuple):
    """A path without the signature that stood in it."""

    path: str
    query: str
    "The signature as parameters."


def unsign(form: str, path: str) -> Unsigned | None:
    """Take the signature of Aliyun's *form* out of *path*; None where it has none, or the form has it in the query."""
    pattern = _PATHS.get(form)
    found = pattern.fullmatch(path) if pattern is not None else None
    return Unsigned(found["path"], f"{SIGN}={found['sign']}&{TIME}={found['time']}") if found else None


def tencent_query(key: str, stream: str, end: int) -> str:
    """Return the parameters that sign *stream* for Tencent until *end*, seconds since 1970."""
    time = f"{end:X}"
    return f"txSecret={hashlib.md5(f'{key}{stream}{time}'.encode()).hexdigest()}&txTime={time}"


def aliyun_url(form: str, key: str, path: str, end: int) -> str:
    """Return *path*, which begins with a slash, signed in Aliyun's *form* for *end*, seconds since 1970.

    The time of form B is the minute in which *end* lies.
    """
    if form == "A":
        digest = hashlib.md5(f"{path}-{end}-0-0-{key}".encode()).hexdigest()
        return f"{path}?auth_key={end}-0-0-{digest}"
    if form == "B":
        time = datetime.fromtimestamp(end + UTC8_SECONDS, UTC).strftime("%Y%m%d%H%M")
        return f"/{time}/{hashlib.md5(f'{key}{time}{path}'.encode()).hexdigest()}{path}"
    time = f"{end:X}"
    return f"/{hashlib.md5(f'{key}{path}{time}'.encode()).hexdigest()}/{time}{path}"


class Signer(ABC):
    """Keys of one CDN for one action. A request has its signature, another one, or none."""

    __slots__ = ("_action", "_keys", "_ttl")

    def __init__(self, action: Action, keys: Sequence[str], ttl: float) -> None:
        """*ttl*: how long a URL is good beyond the time that stands in it, seconds."""
        self._action = action
        self._keys = tuple(key.encode("utf-8", "surrogateescape") for key in keys)
        self._ttl = ttl

    def grant(self, request: AccessRequest) -> Grant | None:
        """Return what the URL of *request* allows; None where it has no signature of this kind, or is for another action.

        Raises TokenError for a signature that is wrong.
        """
        if request.action is not self._action:
            return None
        signature = self._find(request)
        if signature is None:
            return None
        given, time, texts = signature
        for key in self._keys:
            for head, tail in texts:
                text = head.encode("utf-8", ODD) + key + tail.encode("utf-8", ODD)
                if hmac.compare_digest(_digest(given, text), given.lower()):
                    return self._granted(request, time, key)
        raise TokenError("the signature of the URL is wrong")

    def _granted(self, request: AccessRequest, time: float, key: bytes) -> Grant:
        return Grant(
            id="",
            path=request.app_stream,
            actions=frozenset((self._action,)),
            networks=None,
            max=0,
            issued=0,
            begins=0,
            expires=time + self._ttl,
            key=hashlib.sha256(key).hexdigest(),
            kind="signed URL",
        )

    @abstractmethod
    def _find(self, request: AccessRequest) -> tuple[str, float, list[tuple[str, str]]] | None:
        """Return the hash in hex, its time (seconds since 1970), and what stands before and behind the key in the text hashed."""


class TencentSigner(Signer):
    """`?txSecret=md5(key + stream + txTime)&txTime=hex`; SHA-256 where the hash is as long as one."""

    __slots__ = ()

    def _find(self, request: AccessRequest) -> tuple[str, float, list[tuple[str, str]]] | None:
        given, time = query_value(request.param, "txSecret"), query_value(request.param, "txTime")
        if not given and not time:
            return None
        if not re.fullmatch("[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64}", given):
            raise TokenError("txSecret is no MD5 and no SHA-256")
        if re.fullmatch("[0-9]{10}", time):
            seconds = int(time)
        elif re.fullmatch("[0-9A-Fa-f]{8}", time):
            seconds = int(time, 16)
        else:
            raise TokenError("txTime is no time in 8 hexadecimal or 10 decimal digits")
        return given, seconds, [("", f"{request.stream}{time}")]


class AliyunSigner(Signer):
    """Form A: `?auth_key=time-rand-uid-md5(path-time-rand-uid-key)`.

    Form B: `/time/md5(key + time + path)/path`, form C: `/md5(key + path + time)/time/path`.
    """

    __slots__ = ("_form",)

    def __init__(self, form: str, action: Action, keys: Sequence[str], ttl: float) -> None:
        """*form*: A, B or C."""
        super().__init__(action, keys, ttl)
        self._form = form

    def _find(self, request: AccessRequest) -> tuple[str, float, list[tuple[str, str]]] | None:
        paths = list(_spelled(request))
        if self._form == "A":
            found = query_value(request.param, "auth_key")
            if not found:
                return None
            time, dash, rest = found.partition("-")
            middle, _, given = rest.rpartition("-")
            if not re.fullmatch("[0-9]{10}-[^-]+-[^-]+-[0-9A-Fa-f]{32}", found):
                raise TokenError("auth_key is no time-rand-uid-md5")
            return given, int(time), [(f"{path}-{time}-{middle}{dash}", "") for path in paths]
        given, time = query_value(request.param, SIGN), query_value(request.param, TIME)
        if not given and not time:
            return None
        if not re.fullmatch("[0-9A-Fa-f]{32}", given):
            raise TokenError("the signature of the URL is no MD5")
        if self._form == "B":
            return given, _minute(time), [("", f"{time}{path}") for path in paths]
        if not re.fullmatch("[0-9A-Fa-f]{8}", time):
            raise TokenError("the time of the URL is no 8 hexadecimal digits")
        return given, int(time, 16), [("", f"{path}{time}") for path in paths]


def _spelled(request: AccessRequest) -> Iterator[str]:
    """Yield the path as signers may have spelled it: with percent escapes, and without."""
    path = request.path or f"/{request.app}/{request.stream}"
    yield path
    spelled = quote(path, errors=ODD)
    if spelled != path:
        yield spelled


def _minute(text: str) -> float:
    """Read a time as 202601312359, of Beijing. Raises TokenError."""
    try:
        if not re.fullmatch("[0-9]{12}", text):
            raise ValueError
        return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC).timestamp() - UTC8_SECONDS
    except ValueError:
        raise TokenError("the time of the URL is no yyyyMMddHHmm") from None


def _digest(given: str, text: bytes) -> str:
    """Return the hash of *text* of the kind that *given* has the length of."""
    return (hashlib.sha256 if len(given) == 64 else hashlib.md5)(text).hexdigest()
