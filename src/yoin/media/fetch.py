"""Image cells that are URLs."""

from __future__ import annotations

import ipaddress
import socket
import time

import httpx

from yoin.media.addresses import shown
from yoin.media.reasons import Unusable
from yoin.options import MediaOptions

_REDIRECTS = 5


class Fetcher:
    """Plain GET requests over shared connections; safe to use from several threads."""

    def __init__(self, options: MediaOptions) -> None:
        self._options = options
        self._client = httpx.Client(timeout=options.timeout, headers={"User-Agent": "yoin", "Accept": "image/*,*/*"})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str) -> bytes:
        """The body behind ``url``, redirects followed; the timeout is for all of it.

        Raises:
            Unusable: there is no such image, access is refused, it is too large, or the server or the way to it fails.
        """
        deadline = time.monotonic() + self._options.timeout
        try:
            return self._follow(httpx.URL(url), deadline)
        except httpx.TimeoutException as error:
            raise self._late(url) from error
        except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as error:
            raise Unusable("connection", f"{shown(url)} could not be fetched ({shown(str(error))}).") from error

    def _follow(self, url: httpx.URL, deadline: float) -> bytes:
        first = shown(str(url))
        for _ in range(_REDIRECTS + 1):
            if time.monotonic() > deadline:
                raise self._late(first)
            self._check_address(url)
            with self._client.stream("GET", url, follow_redirects=False) as response:
                if not response.has_redirect_location:
                    self._check_status(response, first)
                    return self._body(response, first, deadline)
                url = url.join(response.headers["Location"])
        raise Unusable("http_error", f"{first} was redirected more than {_REDIRECTS} times.")

    def _check_address(self, url: httpx.URL) -> None:
        """Refuse hosts inside the user's own network: a table is data, and must not steer requests there."""
        name = shown(str(url))
        if url.scheme not in {"http", "https"}:
            raise Unusable("unsupported_scheme", f"{name} is not an http or https URL.")
        if self._options.allow_private:
            return
        try:
            found = socket.getaddrinfo(url.raw_host.decode(), url.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unusable("connection", f"The host of {name} is not known ({error.strerror}).") from error
        for *_, address in found:
            if not _is_public(str(address[0])):
                raise Unusable("refused_address", f"{name} leads to the private or local address {address[0]}.")

    def _check_status(self, response: httpx.Response, name: str) -> None:
        code = response.status_code
        if response.is_success:
            return
        reason = {404: "not_found", 410: "not_found", 401: "forbidden", 403: "forbidden"}.get(code, "http_error")
        raise Unusable(reason, f"The server answered {code} for {name}.")

    def _body(self, response: httpx.Response, name: str, deadline: float) -> bytes:
        limit = self._options.max_bytes
        body = bytearray()
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise Unusable("too_large", f"{name} has {int(declared):,} bytes; the limit is {limit:,}.")
        # chunks as they arrive: a set size would wait for a slow body to fill it, past the deadline
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                raise Unusable("too_large", f"{name} has more than {limit:,} bytes.")
            if time.monotonic() > deadline:
                raise self._late(name)
        return bytes(body)

    def _late(self, url: str) -> Unusable:
        return Unusable("timeout", f"{shown(url)} took longer than {self._options.timeout:g} seconds.")


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global and not address.is_multicast
