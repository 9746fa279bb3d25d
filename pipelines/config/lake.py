"""The section ``[warehouse]``: whether the tables are in files or in a lake, and where.

The folder that ``[callhouse] warehouse`` names is there in both cases: it has the
journal, the locks and the report.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.config.toml_file import ConfigError, Setting
from pipelines.extract.address import is_loopback
from pipelines.warehouse.paths import Warehouse

if TYPE_CHECKING:
    from pipelines.warehouse.lake import LakeStore

SECTION = "warehouse"
FILE, LAKE = "file", "lake"
SECRETS = ("password", "s3_key_id", "s3_secret")
S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[\w.=-]+)*/?", re.ASCII)
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""Values of libpq's sslmode with which nothing goes over a network in plain text."""
CATALOG = "host=... dbname=... user=..."
"""How a catalog is written."""
DUMP = "back up the database of Postgres and the data of the lake together"
"""What stands for a backup of a lake."""


@dataclass(frozen=True)
class WarehouseKind:
    """The section, as it is configured."""

    kind: Literal["file", "lake"] = "file"
    catalog: str = ""
    data: str = ""
    password: str = field(default="", repr=False)
    s3_key_id: str = field(default="", repr=False)
    s3_secret: str = field(default="", repr=False)
    s3_region: str = ""
    s3_url: str = ""


def lake_store(
    section: WarehouseKind, settings: Mapping[tuple[str, ...], Setting]
) -> "LakeStore | None":
    """Return where the lake is, or would be; None if no catalog is configured.

    Raises `ConfigError` for a section that lacks something, for a secret in
    ``config.toml``, and for a catalog to which a password would be sent in plain text.
    """

    def place(key: str) -> str:
        found = settings.get((SECTION, key))
        return found.place if found else f"[{SECTION}] {key}"

    for key in SECRETS:
        if "config.toml: [" in place(key):
            raise ConfigError(
                f"{place(key)}: this is a secret; move it to secrets.toml"
            )
    if not section.catalog and section.kind == FILE:
        return None
    if not section.catalog or not section.data:
        key = "data" if section.catalog else "catalog"
        example = "/srv/callhouse" if section.catalog else CATALOG
        raise ConfigError(f'{place(key)}: a lake needs it, such as {key} = "{example}"')
    _refuse_plain(section.catalog, place("catalog"))
    if section.data.startswith("s3://"):
        if not S3.fullmatch(section.data):
            raise ConfigError(f"{place('data')}: write it as s3://bucket/prefix")
        if not section.s3_key_id or not section.s3_secret:
            raise ConfigError(
                f"{place('data')}: S3 needs [{SECTION}] s3_key_id and s3_secret, in "
                "secrets.toml or the environment"
            )
        data = section.data
    else:
        data = str(Path(section.data).expanduser().absolute())
    from pipelines.warehouse.lake import LakeStore  # noqa: PLC0415 - only for a lake

    return LakeStore(
        section.catalog,
        data,
        section.password,
        section.s3_key_id,
        section.s3_secret,
        section.s3_region,
        section.s3_url,
    )


def refuse_on_lake(warehouse: Warehouse, what: str, instead: str) -> None:
    """Raise `ConfigError` if a warehouse is a lake, for what only files can do."""
    if warehouse.lake is not None:
        raise ConfigError(
            f"{what} is for a warehouse of files, and this one is a lake ([warehouse] "
            f"kind); {instead}"
        )


def _refuse_plain(catalog: str, place: str) -> None:
    """Raise `ConfigError` if a catalog has a password in it, or would be sent one."""
    from pipelines.warehouse.lake import connection_keys  # noqa: PLC0415 - as above

    keys = connection_keys(catalog)
    if keys is None:
        raise ConfigError(
            f"{place}: this is not what libpq reads; write it as {CATALOG}"
        )
    if "password" in keys:
        raise ConfigError(
            f"{place}: a password is a secret; give it as [{SECTION}] password in "
            "secrets.toml"
        )
    hosts = [
        one for key in ("host", "hostaddr") for one in keys.get(key, "").split(",")
    ]
    is_here = all(
        not host or host.startswith("/") or is_loopback(host) for host in hosts
    )
    if not is_here and keys.get("sslmode") not in ENCRYPTED:
        raise ConfigError(
            f"{place}: others could read what is sent to this host; add sslmode="
            "verify-full, or require"
        )
