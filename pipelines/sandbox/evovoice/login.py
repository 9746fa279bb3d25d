"""Who may ask EvoVoice: Basic on every request, or a cookie from /auth/credentials."""

import base64
import binascii
from http.cookies import SimpleCookie

from pipelines.sandbox.wire import Request, Response, reply
from pipelines.sandbox.world import World


class RefusedError(Exception):
    """Raised anywhere in a request; becomes a ServiceStack error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """HTTP status, error code (the exception's name) and message."""
        super().__init__(message)
        self.status = status
        self.code = code


def sign_in(world: World, request: Request) -> Response:
    """Answer POST /auth/credentials: two cookies, or a 401."""
    sent = request.document() or dict(request.form())
    fields = {name.lower(): value for name, value in sent.items()}
    user, password = fields.get("username"), fields.get("password")
    alias = _login(world, str(user), str(password))
    if alias is None:
        raise RefusedError(401, "Unauthorized", "Invalid UserName or Password")
    tokens = world.tokens["evovoice"]
    session = tokens.register(tokens.name(str(password)), alias)
    body = reply({"userId": f"63dd{1:020x}", "sessionId": session, "userName": user})
    cookies = (
        ("Set-Cookie", f"ss-id={session}; Path=/; HttpOnly"),
        ("Set-Cookie", f"ss-pid={tokens.name('pid')}; Path=/; HttpOnly"),
    )
    return Response(200, body.body, headers=cookies)


def _login(world: World, user: str, password: str) -> str | None:
    for account in world.credentials.values():
        if (account.evovoice_username, account.evovoice_password) == (user, password):
            return account.alias
    return None


def authenticate(world: World, request: Request) -> str | None:
    """Return the alias that asks; None when it is nobody."""
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(coded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return _login(world, user, password)
    cookie = SimpleCookie(request.headers.get("Cookie", "")).get("ss-id")
    return world.tokens["evovoice"].owner(cookie.value) if cookie else None
