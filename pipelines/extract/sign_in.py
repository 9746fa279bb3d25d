"""Sign in: tokens and cookies that a vendor issues, and tokens that are signed here."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pipelines.extract.auth import BearerToken, basic_auth
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, ClassifyError, Reply, VendorError

COOKIE_SECONDS = 86_400.0
"""No life is named: the cookies serve until they are refused."""
JWT_SECONDS = 300
"""Far below the hour that is usually allowed: a token that leaks is soon useless."""
CLOCK_SKEW = 5
"""A vendor's clock may be this far behind: a token is dated back, as libraries do."""


def login_token(
    vendor: str,
    url: str,
    login: Mapping[str, Any],
    keys: Sequence[str],
    seconds: float,
) -> BearerToken:
    """Return the token that a vendor gives for ``login``, which is sent as JSON.

    ``keys`` are those of the answer: the first one with a value has the token.
    ``seconds`` is how long it lives.
    """
    shape: Any = msgspec.defstruct("Answer", [(key, str, "") for key in keys])
    client = Client(vendor, url, is_sign_in=True)

    def issue() -> tuple[str, float]:
        answer = client.ask("POST", "", shape, json=login)
        if token := next(filter(None, msgspec.structs.astuple(answer)), ""):
            return token, seconds
        raise _without("a token", vendor)

    return BearerToken(issue, shared="login")


def login_cookies(
    vendor: str, url: str, login: Mapping[str, Any], classify_error: ClassifyError
) -> BearerToken:
    """Return the session cookies that a vendor sets for ``login``, sent as JSON."""
    client = Client(vendor, url, classify_error=classify_error, is_sign_in=True)

    def issue() -> tuple[str, float]:
        client.ask("POST", "", msgspec.Raw, json=login)
        if cookies := client.cookies:
            return cookies, COOKIE_SECONDS
        raise _without("a cookie", vendor)

    return BearerToken(issue, header="Cookie", scheme="", shared="login")


def _without(what: str, vendor: str) -> VendorError:
    return VendorError(f"{vendor} signed in without {what}", stops_account=True)


def oauth_token(
    vendor: str,
    url: str,
    app: tuple[str, str],
    grant: Mapping[str, str],
    settings: str,
) -> BearerToken:
    """Return the token of an OAuth app (RFC 6749): its id and its secret, and a grant.

    The vendor ends it when another program gets one. ``settings`` names those to check
    if it refuses the credentials.
    """

    class Answer(msgspec.Struct):
        access_token: str
        expires_in: float

    classify_error = partial(classify_oauth_error, settings)
    client = Client(
        vendor, url, basic_auth(*app), classify_error=classify_error, is_sign_in=True
    )

    def issue() -> tuple[str, float]:
        answer = client.ask("POST", "", Answer, data=grant)
        return answer.access_token, answer.expires_in

    return BearerToken(issue, shared="app")


def classify_oauth_error(settings: str, reply: Reply) -> ApiError | None:
    """Read the error of an OAuth token endpoint; ``settings`` are those to check."""

    class Trouble(msgspec.Struct):
        error: str
        error_description: str = ""
        reason: str = ""

    trouble = reply.decoded(Trouble)
    if trouble is None or reply.status not in {400, 401, 403}:
        return None
    reason = trouble.reason or trouble.error_description
    return ApiError(
        "stop_account",
        f"refused the credentials ({trouble.error} {reason}); check {settings}",
    )


def signed_jwt(
    vendor: str, issuer: str, key_id: str, private_key: str
) -> tuple[str, float]:
    """Return a token, signed with the key of a service account, and its life.

    Raises `VendorError` if ``private_key`` is not an RSA private key in PEM form.
    """
    issued = int(time.time()) - CLOCK_SKEW
    claims = {"iss": issuer, "iat": issued, "exp": issued + JWT_SECONDS}
    key = _rsa_key(private_key)
    if key is None:
        raise VendorError(
            f"{vendor}: private_key is not an RSA private key in PEM form; copy the "
            "whole private_key out of the service account's credentials.json",
            stops_account=True,
        )
    token = jwt.encode(claims, key, "RS256", headers={"kid": key_id})
    return token, float(JWT_SECONDS - CLOCK_SKEW)


def _rsa_key(pem: str) -> RSAPrivateKey | None:
    r"""Read the key; an environment variable may hold its line ends as ``\n``."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
