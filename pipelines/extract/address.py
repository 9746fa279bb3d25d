"""Which addresses credentials may be sent to, judged before anything is sent."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
LONGEST_HOST = 253


def trouble_with(address: str) -> str | None:
    """Return why an address cannot be used, in words; None where it can.

    The words never repeat the address: somebody may have written a password into it.
    """
    if not address.isascii() or re.search(r"[\x00-\x20\x7f\\<>\"{}|^`]", address):
        return (
            "has a space, a line break or a character that an address cannot have; "
            "write a host of another script in its ASCII form (xn--...)"
        )
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a valid address: its host or its port cannot be read"
    troubles = (
        (parts.scheme not in {"https", "http"}, "does not begin with https://"),
        (
            "@" in parts.netloc,
            "has a user name or a password in it; set them under their own keys",
        ),
        (not _is_host(host, parts), "has no valid host name"),
        (
            port == 0 or parts.netloc.endswith(":"),
            "has no valid port; leave it out, or write 1 to 65535",
        ),
        (
            "?" in address or "#" in address,
            "has a query or a fragment (? or #); write it without",
        ),
        (
            bool(re.search(r"//|/\.{1,2}(/|$)", parts.path)),
            "has an empty step, '.' or '..' in its path",
        ),
        (
            parts.scheme == "http" and not is_loopback(host),
            "is plain http, which others can read; write https://",
        ),
    )
    return next((words for is_so, words in troubles if is_so), None)


def is_loopback(host: str) -> bool:
    """Return True if a host is this machine, whatever proxies there are.

    >>> [is_loopback(one) for one in ("localhost", "127.9.9.9", "::1", "127.0.0.1.eu")]
    [True, True, True, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str, parts: SplitResult) -> bool:
    if "[" in parts.netloc:
        try:
            IPv6Address(host)
        except AddressValueError:
            return False
        whole = rf"\[{re.escape(host)}\](:[0-9]+)?"
        return bool(re.fullmatch(whole, parts.netloc.lower()))
    labels = host.split(".")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        # What ends in a number is read as an IPv4 address, in forms one may not expect.
        try:
            return bool(IPv4Address(host))
        except AddressValueError:
            return False
    return len(host) <= LONGEST_HOST and all(map(LABEL.fullmatch, labels))
