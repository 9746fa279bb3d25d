"""Invented credentials of every account, and the variables a client reads them from."""

import hashlib
from dataclasses import dataclass

ALIASES = ("MAIN", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH")

# The document does not give the parameter's name: a client must be configured with it.
TWIN_DATE_FIELD = "periodField"
TWIN_PATH = "/incoming/call-sessions"
WHIPPY_PATH = "/calls/search"


@dataclass(frozen=True)
class Credentials:
    """What one account needs at the five vendors. All of it is plainly fake."""

    alias: str
    zoom_account_id: str
    zoom_client_id: str
    zoom_client_secret: str
    voximplant_account_id: str
    voximplant_key_id: str
    evovoice_username: str
    evovoice_password: str
    evovoice_account_ids: tuple[str, ...]
    twin_email: str
    twin_password: str
    twin_company_id: int
    whippy_api_key: str


def invent(seed: int, aliases: tuple[str, ...]) -> dict[str, Credentials]:
    """Credentials by alias, the same for the same seed."""
    return {
        alias: _account(seed, number, alias) for number, alias in enumerate(aliases)
    }


def _account(seed: int, number: int, alias: str) -> Credentials:
    def fake(name: str) -> str:
        digest = hashlib.sha256(f"{seed}/{alias}/{name}".encode()).hexdigest()
        return f"fake-{name}-{digest[:20]}"

    return Credentials(
        alias=alias,
        zoom_account_id=fake("zoom-account"),
        zoom_client_id=fake("zoom-client"),
        zoom_client_secret=fake("zoom-secret"),
        voximplant_account_id=str(1_000_001 + number),
        voximplant_key_id=fake("voximplant-key"),
        evovoice_username=f"{alias.lower()}@sandbox.example",
        evovoice_password=fake("evovoice-password"),
        evovoice_account_ids=tuple(
            f"5f8e{number:018x}{part:02x}" for part in ((1, 2) if number == 0 else (1,))
        ),
        twin_email=f"{alias.lower()}@sandbox.example",
        twin_password=fake("twin-password"),
        twin_company_id=4711 + number,
        whippy_api_key=fake("whippy-key"),
    )


def environment(
    url: str, accounts: dict[str, Credentials], private_key: str
) -> dict[str, str]:
    """Every variable a client needs to load the sandbox at `url`."""
    values = {
        "ZOOM__BASE_URL": f"{url}/zoom/v2",
        "ZOOM__TOKEN_URL": f"{url}/zoom/oauth/token",
        "VOXIMPLANT__BASE_URL": f"{url}/voximplant/platform_api",
        "EVOVOICE__BASE_URL": f"{url}/evovoice",
        "TWIN__BASE_URL": f"{url}/twin/api/v1",
        "TWIN__PATH": TWIN_PATH,
        "TWIN__LOGIN_URL": f"{url}/twin-iam/api/v1/auth/login",
        "TWIN__DATE_FIELD_PARAMETER": TWIN_DATE_FIELD,
        "WHIPPY__BASE_URL": f"{url}/whippy/v1",
        "WHIPPY__PATH": WHIPPY_PATH,
    }
    # The vendors' limits are theirs; a loopback need not be spared.
    for vendor in ("ZOOM", "VOXIMPLANT", "EVOVOICE", "TWIN", "WHIPPY"):
        values[f"{vendor}__REQUESTS_PER_SECOND"] = "1000"
    for account in accounts.values():
        values |= _account_variables(account, private_key)
    return {f"CALLHOUSE__SOURCES__{name}": value for name, value in values.items()}


def _account_variables(account: Credentials, private_key: str) -> dict[str, str]:
    here = f"ACCOUNTS__{account.alias}"
    return {
        f"ZOOM__{here}__ACCOUNT_ID": account.zoom_account_id,
        f"ZOOM__{here}__CLIENT_ID": account.zoom_client_id,
        f"ZOOM__{here}__CLIENT_SECRET": account.zoom_client_secret,
        f"VOXIMPLANT__{here}__ACCOUNT_ID": account.voximplant_account_id,
        f"VOXIMPLANT__{here}__KEY_ID": account.voximplant_key_id,
        f"VOXIMPLANT__{here}__PRIVATE_KEY": private_key,
        f"EVOVOICE__{here}__USERNAME": account.evovoice_username,
        f"EVOVOICE__{here}__PASSWORD": account.evovoice_password,
        f"EVOVOICE__{here}__ACCOUNT_IDS": ",".join(account.evovoice_account_ids),
        f"TWIN__{here}__EMAIL": account.twin_email,
        f"TWIN__{here}__PASSWORD": account.twin_password,
        f"WHIPPY__{here}__API_KEY": account.whippy_api_key,
    }
