"""`auth { }` in a file: what is refused, with file, line and what to write."""

from __future__ import annotations

import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from model.settings import BASE, one, refusal
from model.tokens import SECRET, key_set, pem, private_pem, row

from fastflv.access.tokens.key import INSTALL
from fastflv.config.load import load_text
from fastflv.control.runtime import compile_runtime
from fastflv.errors import ConfigValueError


def rules(body, folder=""):
    """The compiled rule of a vhost with *body* in its block, or none."""
    text = f"{BASE}\nvhost __defaultVhost__ {{ auth {{\n{body}\n}} }}"
    settings = load_text(text, "a.conf")
    rule = compile_runtime(settings, 1, folder=str(folder)).vhosts["__defaultVhost__"].auth
    return () if rule is None else (rule,)


def fault(body, folder=""):
    with pytest.raises(ConfigValueError) as caught:
        rules(body, folder)
    assert str(caught.value).startswith("a.conf:3:") and ": vhost.auth." in str(caught.value)
    return caught.value


def test_by_default_there_is_no_auth_and_keys_are_not_read():
    assert one("").auth.enabled is False
    assert rules("key ./absent.pem;") == ()
    assert len(rules(f"enabled on; key {SECRET};")) == 1


def test_a_block_that_is_on_has_a_key():
    error = refusal(f"{BASE}\nvhost a {{ auth {{\nenabled on; }} }}")
    assert (error.file, error.line) == ("a.conf", 3)
    assert "there is no key for it" in error.detail


def test_words_are_checked():
    assert "cannot be 'watch'" in refusal(f"{BASE} vhost a {{ auth {{ apply watch; }} }}").detail
    assert "cannot be 'none'" in refusal(f"{BASE} vhost a {{ auth {{ algorithms none; }} }}").detail
    assert one("auth { apply publish; }").auth.apply == ("publish",)


def test_a_short_secret_is_refused_with_the_length_that_it_needs():
    error = fault("enabled on; key secret;")
    assert "the secret has 6 bytes, and HS256 needs 32 (RFC 7518, 3.2)" in error.detail
    assert "fastflv token key" in error.hint


def test_a_file_that_is_missing_is_named(tmp_path):
    error = fault("enabled on; key ./absent.pem;", tmp_path)
    assert f"cannot read {tmp_path}/./absent.pem: no such file or directory" in error.detail
    assert "is the path of a file" in error.hint


FILES = {
    "no key": (b"-----BEGIN PUBLIC KEY-----\nAAAA\n", "has no public key that can be read"),
    "a private key": (private_pem("ES256"), "has a private key, which the server must not have"),
    "a curve that ES256 has not": (
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "has a key of no known kind",
    ),
    "a short RSA key": (
        rsa.generate_private_key(65537, 1024)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "has an RSA key of 1024 bits, and RS256 needs 2048",
    ),
    "a short secret": (b"secret\n", "has 6 bytes, and HS256 needs 32"),
    "too much": (b"a" * 70_000, "is larger than 65536 bytes"),
}


@pytest.mark.parametrize(("data", "why"), FILES.values(), ids=FILES)
def test_a_file_that_has_no_key_is_refused(tmp_path, data, why):
    (tmp_path / "key").write_bytes(data)
    assert why in fault("enabled on; key ./key;", tmp_path).detail


def test_files_of_public_keys_and_of_secrets_are_taken(tmp_path):
    (tmp_path / "a.pub").write_bytes(pem("EdDSA"))
    (tmp_path / "b").write_text(f"{SECRET}\n")
    assert rules(f"enabled on; key ./a.pub ./b {tmp_path}/a.pub;", tmp_path)


def test_a_key_whose_algorithm_is_left_out_is_refused(tmp_path):
    (tmp_path / "a.pub").write_bytes(pem("RS256"))
    error = fault("enabled on; key ./a.pub; algorithms ES256;", tmp_path)
    assert "algorithms leaves out RS256" in error.detail


def test_a_public_key_needs_the_package_cryptography(tmp_path, monkeypatch):
    (tmp_path / "a.pub").write_bytes(pem("ES256"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    error = fault("enabled on; key ./a.pub;", tmp_path)
    assert error.hint == INSTALL


def test_a_secret_is_not_shown_by_the_model():
    assert SECRET not in repr(one(f"auth {{ enabled on; key {SECRET}; }}"))


def test_signed_urls_have_a_form_and_an_action():
    found = one("auth { enabled on; apply play; aliyun b play K1 K2; tencent play K3; }").auth
    assert [(each.form, each.action, each.keys) for each in found.aliyun] == [("B", "play", ("K1", "K2"))]
    assert found.tencent[0].keys == ("K3",)
    assert "K1" not in repr(found) and "K3" not in repr(found)
    for words in (
        "aliyun SECRET play",
        "aliyun A SECRET",
        "aliyun A play",
        "tencent SECRET",
        "tencent record SECRET",
    ):
        error = refusal(f"{BASE} vhost a {{ auth {{ {words}; }} }}")
        assert "publish|play KEY;'" in error.hint
        # A reload writes it to the log.
        assert "SECRET" not in str(error)
    error = refusal(f"{BASE} vhost a {{ auth {{ aliyun A play K; aliyun B publish K; }} }}")
    assert "has two forms" in error.detail


def test_an_action_that_no_key_can_prove_is_refused():
    error = refusal(f"{BASE}\nvhost a {{ auth {{ enabled on;\ntencent play K; }} }}")
    assert "wants a proof of 'publish', but there is no key for it" in error.detail
    assert "tencent publish KEY;" in error.hint
    assert one("auth { enabled on; tencent play K; tencent publish L; }").auth.enabled


def test_a_set_of_keys_in_a_file_is_read(tmp_path):
    assert "cannot read" in fault("enabled on; jwks ./keys.json;", tmp_path).detail
    for data, why in (
        (b"[]", "is no JWK set"),
        (b'{"keys": []}', "has no key that verifies tokens: it has no keys"),
        (key_set({"kty": "RSA"}), "a key cannot be read"),
        (key_set({**row("ES256", "a"), "use": "enc"}), "a key is not for signatures"),
        (key_set({**row("RS256", "a"), "alg": "RS512"}), "a key is for RS512"),
    ):
        (tmp_path / "keys.json").write_bytes(data)
        assert why in fault("enabled on; jwks ./keys.json;", tmp_path).detail
    rows = (row("ES256", "a"), row("EdDSA", "b"), row("RS256", "c"), {"kty": "odd"})
    (tmp_path / "keys.json").write_bytes(key_set(*rows))
    (auth,) = rules("enabled on; jwks ./keys.json;", tmp_path)
    assert [(key.algorithm, key.kid) for key in auth.sources[0].keys] == [
        ("ES256", "a"), ("EdDSA", "b"), ("RS256", "c"),
    ]  # fmt: skip


def test_keys_may_stand_in_several_statements():
    found = one(f"auth {{ enabled on; key {SECRET}; key ./b ./c; jwks ./d; jwks ./e; }}").auth
    assert found.key == (SECRET, "./b", "./c")
    assert found.jwks == ("./d", "./e")
