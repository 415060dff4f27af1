"""`fastflv token read`: what a token or a signed URL says, and whether a key has signed it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from fastflv import limits
from fastflv.access.query import query_value
from fastflv.access.request import AccessRequest, Action
from fastflv.access.signedurl import SIGN, AliyunSigner, TencentSigner, unsign
from fastflv.access.tokens.grant import check_times
from fastflv.access.tokens.key import KeyFault, is_file, read_file, read_key
from fastflv.access.tokens.verifier import Verifier
from fastflv.config.masking import masked
from fastflv.errors import TokenError, ToolError
from fastflv.net.peer import Peer
from fastflv.net.peertext import printable


def read(args: argparse.Namespace) -> int:
    """Write what `args.token` says; return the exit status: 1 where `args.key` was given and does not admit it."""
    text = sys.stdin.readline().strip() if args.token == "-" else args.token
    if not text:
        raise ToolError("there is no token to read")
    token = query_value(text[text.find("?") :], "token") if "?" in text else text
    if "://" in text and (not token or token == text):
        report = _read_url(text, args.key, args.form)
    else:
        report = _read_token(token or text, args.key)
    if args.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            _show(name, value)
    return 0 if report["good"] is not False else 1


def _read_token(token: str, key: str | None) -> dict[str, Any]:
    from jwt import PyJWS, PyJWTError

    if len(token) > limits.TOKEN_CHARS_MAX:
        raise ToolError(f"a token has {limits.TOKEN_CHARS_MAX} characters at most, and this one {len(token)}")
    try:
        found = PyJWS().decode_complete(token, options={"verify_signature": False})
        claims = json.loads(found["payload"])
    except (PyJWTError, ValueError, RecursionError):
        raise ToolError("this is no JSON Web Token: three parts of base64url, with dots between") from None
    report = {"header": found["header"], "claims": claims, "good": None, "why": "give --key to verify it"}
    if key is not None:
        report["good"], report["why"] = True, "the key has signed it, and its time is now"
        try:
            check_times(Verifier([read_key(key)]).verify(token), time.time())
        except TokenError as error:
            report["good"], report["why"] = False, error.detail
        except KeyFault as fault:
            raise ToolError(str(fault)) from None
    return report


def _read_url(url: str, key: str | None, form: str | None) -> dict[str, Any]:
    """Read a URL that was signed for a CDN. Raises ToolError for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ToolError(f"{masked(url)} is no URL") from None
    path, query = unquote(parts.path), f"?{parts.query}"
    letter = form[-1].upper() if form else "A"
    unsigned = unsign(letter, path)
    if unsigned is not None:
        path, query = unsigned.path, f"?{unsigned.query}"
    if query_value(query, "txSecret"):
        kind = "tencent"
    elif query_value(query, "auth_key") or query_value(query, SIGN):
        kind = f"aliyun-{letter.lower()}"
    else:
        raise ToolError(
            "the URL has no token, no txSecret and no auth_key; for a signature in its path add --form aliyun-b or --form aliyun-c"
        )
    app, _, file = path.strip("/").rpartition("/")
    rtmp = parts.scheme.startswith("rtmp")
    stream = file if rtmp else file.rpartition(".")[0] or file
    asked = AccessRequest(
        Action.PLAY,
        Peer("", ""),
        "",
        "",
        app,
        stream,
        "",
        parts.scheme,
        param=query,
        path="" if rtmp else path,
    )
    report: dict[str, Any] = {
        "form": kind,
        "stream": f"{app}/{stream}",
        "good": None,
        "why": "give --key to verify it",
    }
    if key is None:
        return report
    try:
        word = read_file(key).decode().rstrip("\r\n") if is_file(key) else key
    except (KeyFault, UnicodeDecodeError) as fault:
        raise ToolError(str(fault)) from None
    signer = (
        TencentSigner(Action.PLAY, [word], 0)
        if kind == "tencent"
        else AliyunSigner(letter, Action.PLAY, [word], 0)
    )
    try:
        grant = signer.grant(asked)
        assert grant is not None
        report["expires"] = grant.expires
        check_times(grant, time.time())
    except TokenError as error:
        report["good"], report["why"] = False, error.detail
    else:
        report["good"], report["why"] = True, "the key has signed it, and its time is now"
    return report


def _show(name: str, value: object) -> None:
    if isinstance(value, dict):
        for inner, each in value.items():
            _show(inner, each)
    elif name == "good":
        print(f"{name:10} {'not verified' if value is None else 'yes' if value else 'no'}")
    elif name in ("exp", "nbf", "iat", "expires") and isinstance(value, int | float):
        print(f"{name:10} {value:.0f}, {_when(value)}")
    else:
        print(f"{printable(name):10} {printable(str(value))}")


def _when(seconds: float) -> str:
    away = seconds - time.time()
    try:
        text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "no time"
    return f"{text}, {f'in {away:.0f} s' if away >= 0 else f'{-away:.0f} s ago'}"
