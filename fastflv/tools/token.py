"""`fastflv token`: makes keys, tokens and signed URLs, and reads them."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from fastflv import limits
from fastflv.access.signedurl import aliyun_url, tencent_query
from fastflv.access.tokens.key import INSTALL, KeyFault, is_file, read_file, secret
from fastflv.errors import ToolError
from fastflv.tools.failure import fail
from fastflv.tools.tokenread import read

UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
FORMS: Final = ("jwt", "tencent", "aliyun-a", "aliyun-b", "aliyun-c")


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 where it could not be done, or a proof is not good."""
    args = _parser().parse_args(argv)
    try:
        if args.what == "key":
            made = secrets.token_hex(limits.TOKEN_SECRET_BYTES_MIN)
            print(json.dumps({"key": made}) if args.json else made)
            return 0
        return make(args) if args.what == "make" else read(args)
    except (ToolError, OSError) as error:
        return fail("token", error, as_json=args.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastflv token",
        description="Make and read what `auth { }` demands: JSON Web Tokens, and URLs signed for CDNs.",
        allow_abbrev=False,
    )
    what = parser.add_subparsers(dest="what", metavar="key|make|read", required=True)
    key = what.add_parser("key", help="make a secret", description="Make a secret for `auth { key }`.")
    key.add_argument("--json", action="store_true", help="write JSON")
    made = what.add_parser("make", help="make a token or a signed URL", allow_abbrev=False)
    made.add_argument(
        "--key", required=True, help="secret, or file (begins with / or .): a secret, or a private key as PEM"
    )
    made.add_argument("--form", choices=FORMS, default="jwt", help="kind of proof; jwt unless given")
    made.add_argument("--path", help="app/stream, or a prefix of it; jwt only")
    made.add_argument(
        "--action",
        action="append",
        choices=("play", "publish", "record"),
        help="jwt only; play unless given; may be repeated",
    )
    made.add_argument(
        "--for",
        dest="seconds",
        type=_duration,
        default="1h",
        metavar="TIME",
        help="how long it is good: 90s, 30m, 1h, 7d",
    )
    made.add_argument(
        "--ip", action="append", help="address or network of the viewer; jwt only; may be repeated"
    )
    made.add_argument("--max", type=int, help="simultaneous uses; jwt only")
    made.add_argument("--jti", help="name of the token; made at random unless given")
    made.add_argument("--kid", help="name of the key in a JWK set")
    made.add_argument("--issuer", help="claim iss")
    made.add_argument("--audience", help="claim aud")
    made.add_argument("--url", help="write this URL with the proof in it, instead of the token alone")
    made.add_argument("--json", action="store_true", help="write JSON")
    told = what.add_parser("read", help="show what a token or signed URL says", allow_abbrev=False)
    told.add_argument("token", metavar="TOKEN|URL", help="`-`: a line of stdin")
    told.add_argument(
        "--key", help="verify it: secret, or file (begins with / or .) of a secret or of a public key"
    )
    told.add_argument("--form", choices=FORMS[3:], help="of a URL that has its signature in the path")
    told.add_argument("--json", action="store_true", help="write JSON")
    return parser


def make(args: argparse.Namespace) -> int:
    """Write a token or a signed URL to stdout."""
    end = int(time.time()) + args.seconds
    if args.form == "jwt":
        token, claims = _make_token(args, end)
        found = {"token": token, "claims": claims}
        if args.url:
            found["url"] = _with_query(args.url, f"token={token}")
        print(json.dumps(found) if args.json else found.get("url", token))
        return 0
    if not args.url:
        raise ToolError(f"{args.form} signs a URL; add --url http://HOST/live/x.flv")
    url = sign(args.form, args.key, args.url, end)
    print(json.dumps({"url": url, "expires": end}) if args.json else url)
    return 0


def sign(form: str, key: str, url: str, end: int) -> str:
    """Return *url* signed in one of the forms of CDNs for *end*, seconds since 1970. Raises ToolError."""
    key = _text_of(key)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    stream = parts.path.rpartition("/")[2]
    if not parts.scheme or not stream:
        raise ToolError(
            f"cannot sign {url}: give a whole URL, as http://HOST/live/x.flv or rtmp://HOST/live/x"
        )
    if form == "tencent":
        name = stream if parts.scheme.startswith("rtmp") else stream.rpartition(".")[0] or stream
        return _with_query(url, tencent_query(key, name, end))
    if form != "aliyun-a" and not parts.scheme.startswith(("http", "ws")):
        raise ToolError(f"{form} has its signature in the path of an HTTP URL; sign RTMP with aliyun-a")
    path, _, query = aliyun_url(form[-1].upper(), key, parts.path, end).partition("?")
    return _with_query(urlunsplit(parts._replace(path=path)), query)


def _make_token(args: argparse.Namespace, end: int) -> tuple[str, dict[str, Any]]:
    import jwt

    if args.path is None:
        raise ToolError("a token is for streams; add --path live/x, or --path '' for all")
    if args.max is not None and not 1 <= args.max <= limits.TOKEN_USES_MAX:
        raise ToolError(f"--max is a number of uses from 1 to {limits.TOKEN_USES_MAX}")
    key, algorithm = _signing_key(args.key)
    actions = args.action or ["play"]
    claims = {
        "iat": int(time.time()),
        "exp": end,
        "path": args.path.strip("/"),
        "action": actions[0] if len(actions) == 1 else actions,
        "jti": args.jti or secrets.token_hex(8),
        "ip": args.ip,
        "max": args.max,
        "iss": args.issuer,
        "aud": args.audience,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": args.kid} if args.kid else None
    token = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    if len(token) > limits.TOKEN_CHARS_MAX:
        raise ToolError(
            f"the token would have {len(token)} characters, and {limits.TOKEN_CHARS_MAX} are taken"
        )
    return token, claims


def _signing_key(word: str) -> tuple[Any, str]:
    """Return a key and its algorithm. Raises ToolError."""
    try:
        data = read_file(word) if is_file(word) else word.encode()
        if b"-----BEGIN" in data:
            return _private_key(data, word)
        found = secret(data.rstrip(b"\r\n") if is_file(word) else data)
        return found.value, found.algorithm
    except KeyFault as fault:
        raise ToolError(str(fault)) from None


def _private_key(data: bytes, name: str) -> tuple[Any, str]:
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise KeyFault(f"{name}: ES256, EdDSA and RS256 need the package cryptography", INSTALL) from None
    try:
        key = load_pem_private_key(data, None)
    except Exception:
        # The library has errors of many kinds; each means that these bytes are no such key.
        raise KeyFault(f"{name} has no private key without a password, and signing needs one") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key, "ES256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "RS256"
    raise KeyFault(f"{name} has a key of no known kind", "ES256 takes P-256, EdDSA Ed25519, RS256 RSA")


def _text_of(word: str) -> str:
    """Return the key of a CDN, or that in a file. Raises ToolError."""
    try:
        return read_file(word).decode().rstrip("\r\n") if is_file(word) else word
    except (KeyFault, UnicodeDecodeError) as fault:
        raise ToolError(str(fault)) from None


def _with_query(url: str, query: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query)))))


def _duration(text: str) -> int:
    """Read 90s, 30m, 1h, 7d, or a number of seconds."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no time; write 90s, 30m, 1h or 7d")
    return int(found[1]) * UNITS[found[2]]
