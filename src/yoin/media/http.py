"""One HTTP request for one medium, through libcurl: it keeps connections, and speaks HTTP/2 where it is offered."""

from __future__ import annotations

import email.utils
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import certifi
import pycurl

from yoin.media.addresses import as_sent, is_public, shown
from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming
from yoin.options import MediaOptions

_AGENT = f"yoin/{version('yoin')}"
_REDIRECTS = 5
_BUFFER = 128 * 1024  # bytes libcurl hands over at a time
_IGNORED = 64 * 1024  # bytes of an error page read so that its connection can serve again
_PROTOCOLS = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_MAY_PASS = {408, 425, 429}
_REASONS = {401: "forbidden", 403: "forbidden", 404: "not_found", 407: "forbidden", 410: "not_found",
            429: "rate_limited", 451: "forbidden"}  # fmt: skip
_FAULTS = {
    pycurl.E_COULDNT_CONNECT: ("connection", True),
    pycurl.E_COULDNT_RESOLVE_HOST: ("connection", True),
    pycurl.E_GOT_NOTHING: ("connection", True),
    pycurl.E_OPERATION_TIMEDOUT: ("timeout", True),
    pycurl.E_PARTIAL_FILE: ("truncated", True),
    pycurl.E_BAD_CONTENT_ENCODING: ("truncated", False),
    pycurl.E_FILESIZE_EXCEEDED: ("too_large", False),
    pycurl.E_PEER_FAILED_VERIFICATION: ("connection", False),
    pycurl.E_TOO_MANY_REDIRECTS: ("too_many_redirects", False),
    pycurl.E_UNSUPPORTED_PROTOCOL: ("unsupported_scheme", False),
    pycurl.E_URL_MALFORMAT: ("bad_url", False),
}
_HEADER = re.compile(rb"(etag|last-modified|retry-after)\s*:\s*(.*?)\s*$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: the status, and what to show it when asking again."""

    status: int
    etag: str = ""
    last_modified: str = ""

    @property
    def unchanged(self) -> bool:
        """Whether the copy we have is still the right one."""
        return self.status == 304


class Client:
    """GET requests that share connections; of one event loop. An async context manager is not needed: `aclose`.

    No proxy of the environment is used, as behind one nobody can tell where a request ends; with
    ``options.allow_private``, which asks for no such check, it is.
    """

    def __init__(self, options: MediaOptions) -> None:
        self._options = options
        self._idle: list[pycurl.Curl] = []
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, options.connections)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, options.connections)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, options.per_host)

    async def aclose(self) -> None:
        """Drop the requests under way and close the connections."""
        await self._multi.aclose()
        for handle in self._idle:
            handle.close()

    async def get(self, url: str, incoming: Incoming, *, etag: str = "", last_modified: str = "") -> Answer:
        """Ask once, redirects followed, and write the body to ``incoming``.

        Args:
            url: http or https.
            incoming: where the body goes; written to only where the status is 2xx.
            etag: of the copy that is there already, "" where there is none.
            last_modified: the same.

        Raises:
            Unusable: any other outcome; ``passing`` says whether asking again may help.
            StudyError: the disk is full.
        """
        request = _Request(url, incoming, self._options.allow_private)
        handle = self._idle.pop() if self._idle else pycurl.Curl()
        self._prepare(handle, request, etag, last_modified)
        fault: pycurl.error | None = None
        try:
            await self._multi.perform(handle)  # cancelled, the handle is left to `aclose`
        except pycurl.error as error:
            fault = error
        finally:
            request.close()
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        handle.reset()  # also lets go of the callbacks
        self._idle.append(handle)
        if request.problem is not None:
            raise request.problem
        if fault is not None and status < 400:  # else the page of an error was cut short, and its status tells
            raise self._fault(fault, status, request) from None
        return self._judge(status, request, conditional=bool(etag or last_modified))

    def _prepare(self, handle: pycurl.Curl, request: _Request, etag: str, last_modified: str) -> None:
        options = self._options
        try:
            url, user, password = as_sent(request.url)
            handle.setopt(pycurl.URL, url.encode("utf-8"))
        except (pycurl.error, ValueError) as error:
            raise Unusable("bad_url", f"{shown(request.url)} is not a proper URL.") from error
        asked = ["Accept: image/*,video/*;q=0.9,*/*;q=0.5"]
        if etag:
            asked.append(f"If-None-Match: {etag}")
        if last_modified:
            asked.append(f"If-Modified-Since: {last_modified}")
        for name, value in (
            (pycurl.PROTOCOLS, _PROTOCOLS),
            (pycurl.REDIR_PROTOCOLS, _PROTOCOLS),
            (pycurl.FOLLOWLOCATION, 1),
            (pycurl.MAXREDIRS, _REDIRECTS),
            (pycurl.CONNECTTIMEOUT_MS, round(options.connect_timeout * 1000)),
            (pycurl.TIMEOUT_MS, round(options.timeout * 1000)),
            (pycurl.LOW_SPEED_LIMIT, 1),
            (pycurl.LOW_SPEED_TIME, max(1, round(options.read_timeout))),
            (pycurl.MAXFILESIZE_LARGE, options.max_bytes),
            (pycurl.BUFFERSIZE, _BUFFER),
            (pycurl.ACCEPT_ENCODING, "identity"),  # asks for none, and undoes one that comes all the same
            # Rather share an HTTP/2 connection than open another; without TLS there is none to wait for.
            (pycurl.PIPEWAIT, int(url.lower().startswith("https:"))),
            (pycurl.NOSIGNAL, 1),
            (pycurl.USERAGENT, _AGENT),
            (pycurl.HTTPHEADER, [line.encode("latin-1", "replace") for line in asked]),
            (pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where()),
            (pycurl.WRITEFUNCTION, request.body),
            (pycurl.HEADERFUNCTION, request.header),
            (pycurl.OPENSOCKETFUNCTION, request.connect),
        ):
            handle.setopt(name, value)
        if user or password:  # libcurl sends them to the first host alone
            handle.setopt(pycurl.USERNAME, user.encode())
            handle.setopt(pycurl.PASSWORD, password.encode())
        if not options.allow_private:
            handle.setopt(pycurl.PROXY, "")

    def _judge(self, status: int, request: _Request, *, conditional: bool) -> Answer:
        if 200 <= status < 300 or (status == 304 and conditional):
            return Answer(status, request.headers.get("etag", ""), request.headers.get("last-modified", ""))
        raise Unusable(
            _REASONS.get(status, "http_error"),
            f"The server answered {status} for {shown(request.url)}.",
            passing=status in _MAY_PASS or status >= 500,
            wait=_seconds(request.headers.get("retry-after", "")),
            status=status,
        )

    def _fault(self, error: pycurl.error, status: int, request: _Request) -> Unusable:
        code, said = error.args[0], str(error.args[1] if len(error.args) > 1 else "")
        if request.refused:
            return Unusable(
                "refused_address",
                f"{shown(request.url)} leads to the private or local address {request.refused}.",
            )
        reason, passing = _FAULTS.get(code, ("connection", True))
        if code == pycurl.E_UNSUPPORTED_PROTOCOL and "HTTP/0.9" in said:
            reason, passing = "http_error", True  # what came back was no HTTP
        name = shown(request.url)
        sentences = {
            "timeout": f"{name} took too long ({self._options.timeout:g} seconds for all of it, "
            f"{self._options.connect_timeout:g} to connect, {self._options.read_timeout:g} without a byte).",
            "truncated": f"{name} ended before all of it had come.",
            "too_large": f"{name} has more than {self._options.max_bytes:,} bytes.",
            "too_many_redirects": f"{name} was redirected more than {_REDIRECTS} times.",
            "unsupported_scheme": f"{name} leads to something other than http and https.",
            "bad_url": f"{name} is not a proper URL.",
        }
        sentence = sentences.get(reason, f"{name} could not be fetched ({shown(said)}).")
        return Unusable(reason, sentence, passing=passing, status=status)


class _Request:
    """The callbacks of one request. An exception in one would be printed and lost: each is kept instead."""

    def __init__(self, url: str, incoming: Incoming, allow_private: bool) -> None:
        self.url = url
        self.headers: dict[str, str] = {}
        self.problem: Exception | None = None
        self.refused = ""
        self.ignored = 0
        self._status = 0
        self._sockets: list[socket.socket] = []
        self._incoming = incoming
        self._allow_private = allow_private

    def header(self, line: bytes) -> None:
        """Take a header line; those of a redirect give way to those of what follows."""
        if line.startswith(b"HTTP/"):
            self.headers.clear()
            words = line.split(None, 2)
            self._status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        elif match := _HEADER.match(line):
            self.headers[match[1].decode().lower()] = match[2].decode("latin-1")

    def body(self, chunk: bytes) -> int:
        """Take a piece of the body; a number other than its length ends the request."""
        if not 200 <= self._status < 300:
            self.ignored += len(chunk)
            return len(chunk) if self.ignored <= _IGNORED else -1
        try:
            self._incoming.write(chunk)
        except Exception as error:  # noqa: BLE001 - raised again by `Client.get`
            self.problem = error
            return -1
        return len(chunk)

    def connect(self, purpose: int, address: tuple[int, int, int, tuple[object, ...]]) -> object:
        """Open the socket to an address just resolved, or refuse it: nothing lies between this check and its use."""
        family, kind, protocol, where = address
        try:
            if not self._allow_private and not is_public(str(where[0])):
                self.refused = str(where[0])
                return pycurl.SOCKET_BAD
            opened = socket.socket(family, kind, protocol)
        except (OSError, ValueError):
            return pycurl.SOCKET_BAD
        self._sockets.append(opened)
        return opened

    def close(self) -> None:
        """Close our ends of the sockets: libcurl has duplicates of them, and keeps those for the next request."""
        for opened in self._sockets:
            opened.close()


def _seconds(retry_after: str, now: Callable[[], float] = time.time) -> float:
    """What a Retry-After header asks for: seconds, or a date; 0 where it says nothing that can be read."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now())
    except (TypeError, ValueError, OverflowError):
        return 0.0
