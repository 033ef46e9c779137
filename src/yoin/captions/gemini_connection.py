"""How Google's services are reached: with a key, or with a project and its credentials."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yoin.captions import keys
from yoin.captions.base import Passing
from yoin.captions.gemini_answers import KEYS, TOKEN, no_credentials, wrong
from yoin.options import CaptionOptions, Spec
from yoin.registry import missing_extra

if TYPE_CHECKING:
    import httpx2
    from google.auth.credentials import Credentials
    from google.auth.exceptions import GoogleAuthError
    from google.genai import Client


@dataclass(frozen=True, repr=False)
class Connection:
    """The clients of one captioner, and where they lead."""

    client: Client
    calls: httpx2.AsyncClient
    lists: httpx2.Client
    base_url: str

    @property
    def host(self) -> str:
        """With the port where it is not the usual one."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    async def aclose(self) -> None:
        """Close all connections."""
        await self.calls.aclose()
        self.close()

    def close(self) -> None:
        """Close those of calls that are not async."""
        self.lists.close()


def connect(name: str, spec: Spec, options: CaptionOptions, concurrency: int) -> Connection:
    """Make the clients of the captioner ``gemini`` or ``vertex``; nothing is sent.

    Raises:
        UsageError: there is no key, no project or no credentials, or the address is not safe.
        MissingExtraError: google-genai is not installed.
    """
    try:
        import google.genai as genai  # "from google" would not name it where it is missing
        import httpx2
        from google.genai import types
    except ModuleNotFoundError as error:
        raise missing_extra(error, stage="captions") from error
    vertex = name == "vertex"
    # Named here, so that no variable of the package can send the key elsewhere.
    project, location, base_url = "", "", spec.base_url or "https://generativelanguage.googleapis.com"
    credentials: Credentials | None = None
    key: str | None = None
    if vertex:
        credentials, project, location = cloud(spec, options)
        region = "" if location == "global" else f"{location}-"
        base_url = spec.base_url or f"https://{region}aiplatform.googleapis.com"
        if not spec.base_url and location in {"us", "eu"}:  # not regions but several
            base_url = f"https://aiplatform.{location}.rep.googleapis.com"
    keys.require_safe(base_url)
    if not vertex:
        key = keys.key_of(*KEYS)
        if key is None:
            raise wrong("there is no key for Gemini", f"set the environment variable {KEYS[0]} to yours")
        _require_sendable(key, " or ".join(KEYS))
    # What travels unencrypted only leads to this machine: a proxy would read it, and certificates are not needed.
    trust_env = urlsplit(base_url).scheme == "https"
    context = httpx2.create_ssl_context() if trust_env else False
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # by what the package has for other ways; it loads none of its own
    calls = httpx2.AsyncClient(
        verify=context,
        trust_env=trust_env,
        timeout=None,  # each call has its own
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
    )
    lists = httpx2.Client(verify=context, trust_env=trust_env)
    client = genai.Client(
        vertexai=vertex,
        api_key=key,
        credentials=credentials,
        project=project or None,
        location=location or None,
        http_options=types.HttpOptions(
            base_url=base_url,
            httpx_async_client=calls,  # so that it never sends with aiohttp, and with that package's retries
            httpx_client=lists,
            async_client_args={"ssl": unused},
        ),
    )
    return Connection(client, calls, lists, base_url)


def cloud(spec: Spec, options: CaptionOptions) -> tuple[Credentials, str, str]:
    """Credentials, project and location for Vertex AI."""
    import google.auth
    import google.oauth2.credentials
    from google.auth.exceptions import GoogleAuthError

    project = options.project or keys.setting_of("GOOGLE_CLOUD_PROJECT") or ""
    location = options.location or keys.setting_of("GOOGLE_CLOUD_LOCATION") or "global"
    credentials: Credentials | None = None
    host = urlsplit(spec.base_url).hostname or ""
    token = keys.setting_of(TOKEN)
    if token is not None:
        _require_sendable(token, TOKEN)
        credentials = google.oauth2.credentials.Credentials(token=token)  # type: ignore[no-untyped-call]
    elif spec.base_url and not host.endswith(".googleapis.com"):
        raise wrong(f"there is no access token for {host}", f"set the environment variable {TOKEN}")
    else:
        try:
            credentials, known = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        except GoogleAuthError:
            credentials, known = None, None
        project = project or str(known or "")
    if credentials is None:
        raise no_credentials("there are no credentials for Google Cloud")
    if not project:
        raise wrong("Vertex AI needs a Google Cloud project", "set the environment variable GOOGLE_CLOUD_PROJECT")
    # They become parts of addresses.
    if not re.fullmatch(r"[a-z0-9][a-z0-9.:-]*", project):
        raise wrong(f"{project!r} is no project's id", "give the id, not the name")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", location):
        raise wrong(f"{location!r} is no location", "give one such as global or us-central1")
    return credentials, project, location


def no_token(error: GoogleAuthError) -> Exception:
    """What it means that the credentials could not be exchanged for a token."""
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or error.retryable:
        return Passing("the server of Google's credentials does not answer")
    return no_credentials("Google did not accept the credentials")


def _require_sendable(secret: str, variable: str) -> None:
    """See that it can be a header, or the error that says it cannot would quote it."""
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise wrong(f"what {variable} holds is no key", "set it again, without spaces and line breaks")
