"""URLs signed for CDNs: the examples of their documentation, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request

from fastflv.access.auth import AuthRule
from fastflv.access.request import Action
from fastflv.access.signedurl import AliyunSigner, TencentSigner, unsign
from fastflv.access.tokens.store import TokenStore
from fastflv.access.verdict import ALLOW, Refusal

TENCENT_KEY = "e12c46f2612d5106e2034781ab261ca3"
TENCENT = "?txSecret=f85a2ab363fe4deaffef9754d79da6fe&txTime=5C271099"
"The example of Tencent's documentation: the stream `test`."
TENCENT_END = 0x5C271099

ALIYUN_KEY = "aliyuncdnexp1234"
EXAMPLES = {
    # Form: path of the URL, path of the file, its time. From Alibaba Cloud's documentation.
    "A": (
        "/video/standard/1K.html?auth_key=1444435200-0-0-80cd3862d699b7118eed99103f2a3a4f",
        "/video/standard/1K.html",
        1444435200,
    ),
    "B": (
        "/201508150800/9044548ef1527deadafa49a890a377f0/4/44/44c0909bcfc20a01afaf256ca99a8b8b.mp3",
        "/4/44/44c0909bcfc20a01afaf256ca99a8b8b.mp3",
        1439596800,
    ),
    "C": ("/a37fa50a5fb8f71214b1e7c95ec7a1bd/55CE8100/test.flv", "/test.flv", 0x55CE8100),
}


def rule(signer, now):
    return AuthRule(Action, TokenStore(lambda: now), None, [signer])


def tencent(param, now=TENCENT_END - 60, stream="test", action=Action.PLAY, ttl=0, keys=(TENCENT_KEY,)):
    made = rule(TencentSigner(Action.PLAY, keys, ttl), now)
    return made.ask(replace(request(action), stream=stream, param=param), pytest.fail)


def aliyun(form, url, now, ttl=0):
    path, _, query = url.partition("?")
    unsigned = unsign(form, path)
    if unsigned is not None:
        path, query = unsigned
    made = rule(AliyunSigner(form, Action.PLAY, (ALIYUN_KEY,), ttl), now)
    return made.ask(replace(request(), path=path, param=f"?{query}" if query else ""), pytest.fail)


def test_the_example_of_tencent_is_admitted():
    assert tencent(TENCENT) is ALLOW
    assert tencent(TENCENT, keys=("another", TENCENT_KEY)) is ALLOW


def test_tencent_takes_sha_256_and_decimal_times():
    end = 1_800_000_000
    for make, time in ((hashlib.sha256, f"{end:X}"), (hashlib.md5, str(end))):
        secret = make(f"{TENCENT_KEY}test{time}".encode()).hexdigest()
        assert tencent(f"?txSecret={secret}&txTime={time}", now=end - 1) is ALLOW


REFUSED = {
    "another stream": ({"stream": "other"}, "the signature of the URL is wrong"),
    "another key": ({"keys": ("x",)}, "the signature of the URL is wrong"),
    "another time": ({"param": TENCENT[:-1] + "A"}, "the signature of the URL is wrong"),
    "no time": ({"param": TENCENT.partition("&")[0]}, "txTime is no time"),
    "no hash": ({"param": "?txTime=5C271099"}, "txSecret is no MD5"),
    "too late": ({"now": TENCENT_END + 60}, "the signed URL expired 60 s ago"),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED)
def test_what_tencent_would_refuse_is_forbidden(change, why):
    verdict = tencent(**{"param": TENCENT, **change})
    assert verdict.kind is Refusal.FORBIDDEN
    assert why in verdict.reason


def test_a_url_is_good_for_the_time_to_live_beyond_its_own_time():
    assert tencent(TENCENT, now=TENCENT_END + 1799, ttl=1800) is ALLOW
    assert tencent(TENCENT, now=TENCENT_END + 1811, ttl=1800) is not ALLOW


def test_a_signature_is_for_one_action():
    verdict = tencent(TENCENT, action=Action.PUBLISH)
    assert verdict.kind is Refusal.UNAUTHORIZED
    assert verdict.reason == "'publish' needs a signed URL"


@pytest.mark.parametrize("form", EXAMPLES)
def test_the_examples_of_aliyun_are_admitted_until_their_time(form):
    url, _, end = EXAMPLES[form]
    assert aliyun(form, url, end - 1) is ALLOW
    assert aliyun(form, url, end + 1799, ttl=1800) is ALLOW
    assert "the signed URL expired 60 s ago" in aliyun(form, url, end + 60).reason


@pytest.mark.parametrize("form", EXAMPLES)
@given(data=st.data())
def test_a_url_with_any_digit_changed_is_not_admitted(form, data):
    url, _, end = EXAMPLES[form]
    at = data.draw(st.integers(1, len(url) - 1))
    changed = url[:at] + ("0" if url[at] != "0" else "1") + url[at + 1 :]
    if changed.lower() != url.lower():
        assert aliyun(form, changed, end - 1) is not ALLOW


def test_form_c_may_stand_in_the_query():
    assert aliyun("C", "/test.flv?KEY1=a37fa50a5fb8f71214b1e7c95ec7a1bd&KEY2=55CE8100", 0x55CE8100) is ALLOW


def test_a_path_with_escapes_is_taken_as_it_is_and_as_it_was_sent():
    end = 1_800_000_000
    for spelled in ("/live/名.flv", "/live/%E5%90%8D.flv"):
        digest = hashlib.md5(f"{spelled}-{end}-0-0-{ALIYUN_KEY}".encode()).hexdigest()
        assert aliyun("A", f"/live/名.flv?auth_key={end}-0-0-{digest}", end) is ALLOW


@pytest.mark.parametrize("form", EXAMPLES)
def test_bytes_that_are_no_text_are_refused_as_any_other(form):
    url, _, end = EXAMPLES[form]
    assert (
        "signature"
        in aliyun(form, url.replace("/", "/\udcfe", 1) if form == "A" else url + "\udcfe", end).reason
    )
    assert "signature" in tencent(TENCENT, stream="\udcfe").reason


def test_a_path_without_a_signature_is_left_alone():
    for form, (url, path, _) in EXAMPLES.items():
        assert unsign(form, path) is None
        found = unsign(form, url.partition("?")[0])
        assert found is None if form == "A" else found.path == path
    assert unsign("", EXAMPLES["B"][0]) is None
    for time in ("201513150800", "20150815080x"):
        verdict = aliyun("B", f"/x.flv?KEY1={'0' * 32}&KEY2={time}", 0)
        assert "no yyyyMMddHHmm" in verdict.reason


def test_rtmp_signs_the_path_of_the_stream():
    end = 1_800_000_000
    digest = hashlib.md5(f"/live/x-{end}-0-0-{ALIYUN_KEY}".encode()).hexdigest()
    made = rule(AliyunSigner("A", Action.PUBLISH, (ALIYUN_KEY,), 0), end)
    asked = replace(request(Action.PUBLISH), param=f"?auth_key={end}-0-0-{digest}")
    assert made.ask(asked, pytest.fail) is ALLOW
