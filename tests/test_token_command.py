"""`fastflv token`: what it makes is what the server takes, and what it reads is what was made."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from model.access import request
from model.tokens import PRIVATE, SECRET, asked, key, pem, private_pem

from fastflv.access.auth import AuthRule
from fastflv.access.request import Action
from fastflv.access.signedurl import AliyunSigner, TencentSigner, unsign
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW
from fastflv.tools.cli import main


def run(capsys, *words):
    """Exit status, stdout and stderr of `fastflv token` with *words*."""
    status = main(["token", *words])
    out, err = capsys.readouterr()
    return status, out.strip(), err.strip()


def made(capsys, *words):
    status, out, err = run(capsys, "make", *words)
    assert status == 0 and not err
    return out


def test_a_key_that_was_made_signs_a_token_that_the_server_takes(capsys):
    _, secret_word, _ = run(capsys, "key")
    _, told, _ = run(capsys, "key", "--json")
    assert len(json.loads(told)["key"]) == 64
    text = made(capsys, "--key", secret_word, "--path", "/live/x/", "--for", "30m", "--max", "2")
    status, out, _ = run(capsys, "read", text, "--key", secret_word, "--json")
    report = json.loads(out)
    assert status == 0 and report["good"] is True
    claims = report["claims"]
    assert (claims["path"], claims["action"], claims["max"]) == ("live/x", "play", 2)
    assert claims["exp"] - claims["iat"] == 1800
    assert claims["jti"]


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_tokens_of_each_algorithm_are_made_and_verified(capsys, tmp_path, algorithm):
    sign, verify = tmp_path / "key", tmp_path / "pub"
    sign.write_bytes(f"{SECRET}\n".encode() if algorithm == "HS256" else private_pem(algorithm))
    verify.write_bytes(f"{SECRET}\n".encode() if algorithm == "HS256" else pem(algorithm))
    text = made(capsys, "--key", str(sign), "--path", "live", "--action", "play", "--action", "publish")
    assert AuthRule(Action, TokenStore(), Verifier([key(algorithm)])).ask(asked(text), pytest.fail) is ALLOW
    status, out, _ = run(capsys, "read", text, "--key", str(verify))
    assert status == 0
    assert f"alg        {algorithm}" in out and "good       yes" in out


def test_a_url_has_its_token_behind_its_own_parameters(capsys):
    url = made(capsys, "--key", SECRET, "--path", "live/x", "--url", "http://h/live/x.flv?only=audio")
    assert url.startswith("http://h/live/x.flv?only=audio&token=eyJ")
    assert run(capsys, "read", url, "--key", SECRET)[0] == 0


URLS = {
    "tencent": ("http://h/live/x.flv", "rtmp://h/live/x"),
    "aliyun-a": ("http://h/live/x.flv", "rtmp://h/live/x"),
    "aliyun-b": ("http://h/live/x.flv", "https://h:8443/live/x.m3u8?only=audio"),
    "aliyun-c": ("http://h/live/x.flv", "ws://h/live/x.flv"),
}


@pytest.mark.parametrize(("form", "url"), [(form, url) for form, urls in URLS.items() for url in urls])
def test_urls_that_were_signed_for_cdns_are_admitted_and_read(capsys, form, url):
    signed = made(capsys, "--form", form, "--key", "a-key-of-the-cdn", "--url", url)
    letter = form[-1].upper()
    kind = TencentSigner if form == "tencent" else lambda *more: AliyunSigner(letter, *more)
    parts = urlsplit(signed)
    path, query = parts.path, f"?{parts.query}"
    found = unsign(letter, path)
    if found is not None:
        path, query = found.path, f"?{found.query}"
    client = replace(request(), param=query, path="" if url.startswith("rtmp") else path)
    rule = AuthRule(Action, TokenStore(), None, [kind(Action.PLAY, ["a-key-of-the-cdn"], 60)])
    assert rule.ask(client, pytest.fail) is ALLOW
    more = ["--form", form] if form in ("aliyun-b", "aliyun-c") else []
    for word, status in (("a-key-of-the-cdn", 0), ("another-key", 1)):
        got, out, _ = run(capsys, "read", signed, "--key", word, "--json", *more)
        report = json.loads(out)
        assert (got, report["good"], report["form"]) == (status, status == 0, form)
    assert json.loads(run(capsys, "read", signed, "--json", *more)[1])["stream"] == "live/x"


def test_a_token_is_read_without_a_key_and_from_stdin(capsys, monkeypatch):
    text = made(capsys, "--key", SECRET, "--path", "live/x", "--jti", "mine")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))
    status, out, _ = run(capsys, "read", "-")
    assert status == 0
    assert "jti        mine" in out and "good       not verified" in out


FAULTS = {
    "a short key": (("make", "--key", "short", "--path", "live"), "HS256 needs 32"),
    "a file that is missing": (("make", "--key", "./absent", "--path", "live"), "cannot read ./absent"),
    "no path": (("make", "--key", SECRET), "add --path live/x"),
    "no uses": (("make", "--key", SECRET, "--path", "live", "--max", "0"), "--max is a number of uses"),
    "a token too long": (
        ("make", "--key", SECRET, "--path", "live", "--jti", "a" * 4096),
        "and 4096 are taken",
    ),
    "no url": (("make", "--key", "k", "--form", "tencent"), "tencent signs a URL; add --url"),
    "half a url": (("make", "--key", "k", "--form", "tencent", "--url", "live/x"), "give a whole URL"),
    "a path of rtmp": (
        ("make", "--key", "k", "--form", "aliyun-b", "--url", "rtmp://h/live/x"),
        "sign RTMP with aliyun-a",
    ),
    "no token": (("read", "hello"), "this is no JSON Web Token"),
    "a token that is too long to read": (("read", "a" * 5000), "has 4096 characters at most"),
    "what is no url": (("read", "http://[::1/live/x.flv?txSecret=a&txTime=1"), "is no URL"),
    "a url without a proof": (("read", "http://h/live/x.flv"), "has no token, no txSecret and no auth_key"),
}


@pytest.mark.parametrize(("words", "why"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_done_is_said_in_one_sentence(capsys, words, why):
    status, out, err = run(capsys, *words)
    assert (status, out) == (1, "")
    assert err.startswith("fastflv token: ") and why in err
    status, out, err = run(capsys, *words, "--json")
    assert status == 1 and why in json.loads(err)["error"]


def test_a_private_key_is_no_public_one_and_the_other_way_round(capsys, tmp_path):
    sign, verify = tmp_path / "key", tmp_path / "pub"
    sign.write_bytes(private_pem("ES256"))
    verify.write_bytes(pem("ES256"))
    assert "has no private key" in run(capsys, "make", "--key", str(verify), "--path", "live")[2]
    text = made(capsys, "--key", str(sign), "--path", "live")
    assert (
        "has a private key, which the server must not have"
        in run(capsys, "read", text, "--key", str(sign))[2]
    )


def test_an_expired_token_is_not_good(capsys, monkeypatch):
    text = made(capsys, "--key", SECRET, "--path", "live", "--for", "1s")
    monkeypatch.setattr("fastflv.tools.tokenread.time.time", lambda: 4e9)
    status, out, _ = run(capsys, "read", text, "--key", SECRET)
    assert status == 1
    assert "good       no" in out and "expired" in out


def test_a_time_has_a_unit_or_is_in_seconds(capsys):
    for words in ("soon", "0", "5y"):
        with pytest.raises(SystemExit) as ended:
            main(["token", "make", "--key", SECRET, "--path", "live", "--for", words])
        assert ended.value.code == 2
    assert "write 90s, 30m, 1h or 7d" in capsys.readouterr().err
