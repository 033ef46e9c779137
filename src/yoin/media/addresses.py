"""What an image cell is: a path or a URL, where it leads, and how it may be shown."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote, urldefrag, urlsplit, urlunsplit

_SCHEME = re.compile(r"\s*(?:([a-z][a-z0-9+.-]+)(?:::.*)?://|(data):)", re.IGNORECASE)  # one letter: a Windows drive
_CREDENTIALS = re.compile(r"(?<=//)[^/?#]*@")  # blanks too: a password may hold anything
_LONGEST = 300  # characters shown
_PLAIN = "%/:;,?=&@!$'()*+~[]|"  # stands as it is in a path or query; "%" as it may escape already
_WEB = ("http", "https")
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")  # an IPv4 address in IPv6 dress, long deprecated
_REFUSED = tuple(  # what `ipaddress` takes for public in some versions of Python, and a cloud's own service
    ipaddress.ip_network(network) for network in ("192.0.0.0/24", "168.63.129.16/32", "64:ff9b:1::/48", "3fff::/20")
)


def scheme(cell: str) -> str:
    """The URL scheme of the cell, lower-case; "" for a path."""
    match = _SCHEME.match(cell)
    return (match[1] or match[2]).lower() if match else ""


def is_web(cell: str) -> bool:
    """Whether the cell is an http or https URL."""
    return scheme(cell) in _WEB


def without_fragment(url: str) -> str:
    """What is asked of a server: ``url`` without blanks around it and without its ``#`` part."""
    return urldefrag(url.strip()).url


def as_sent(url: str) -> tuple[str, str, str]:
    """A web URL with what people leave unescaped escaped (blanks, letters of other scripts), user name and password.

    Raises:
        ValueError: it is not a URL.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path, query = (quote(part, safe=_PLAIN) for part in (parts.path, parts.query))
    return (
        urlunsplit((parts.scheme, host, path, query, "")),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def host_of(url: str) -> str:
    """Scheme, host and port of a web URL: what one connection leads to.

    Raises:
        ValueError: it names no host, or its port is not a number.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("it names no host")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    It is not where it is private, shared, loopback, link-local (so a cloud's metadata service too), multicast or
    reserved, also behind the IPv6 forms that carry an IPv4 address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64 or (found in _COMPATIBLE and int(found) > 1):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not any(found in network for network in _REFUSED)


def redact(text: str) -> str:
    """``text`` without the user names and passwords of the URLs in it."""
    return _CREDENTIALS.sub("***@", text)


def shown(cell: str) -> str:
    """The cell as it may stand in a sentence: no credentials, no half characters, not endless."""
    safe = whole(redact(cell))
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"


def whole(text: str) -> str:
    """``text`` with every half of a surrogate pair replaced: such text can be neither stored nor shown."""
    return text.encode("utf-8", "replace").decode()
