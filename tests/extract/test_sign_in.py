"""Tokens that are signed with the key of a service account."""

from functools import cache

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pipelines.extract.errors import VendorError
from pipelines.extract.sign_in import signed_jwt


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize("line_end", ["\n", "\\n", "\r\n"])
def test_a_key_is_read_with_any_line_ends(line_end: str) -> None:
    text = pem(private_key()).replace("\n", line_end)
    token, seconds = signed_jwt("voximplant", "1000001", "key-1", text)
    claims = jwt.decode(token, private_key().public_key(), ["RS256"])
    assert jwt.get_unverified_header(token)["kid"] == "key-1"
    assert claims["iss"] == "1000001"
    assert claims["exp"] - claims["iat"] > seconds > 60


@pytest.mark.parametrize(
    "text",
    [
        "no-key-at-all",
        "",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(private_key())[:200],
    ],
    ids=["words", "empty", "elliptic", "cut"],
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(VendorError) as raised:
        signed_jwt("voximplant", "1000001", "key-1", text)
    assert raised.value.stops_account
    assert "voximplant: private_key is not an RSA private key" in str(raised.value)
    assert (text[:10] or "\n") not in str(raised.value)
