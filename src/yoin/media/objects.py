"""Object storage (s3://, gs://, az://) through fsspec, with the credentials of the user's own environment."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from yoin.errors import YoinError
from yoin.media.addresses import scheme, shown
from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming

PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
_PIECE = 1 << 20


def bucket(url: str) -> str:
    """What the limit on requests to one host is counted by."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc}"


def read(url: str, incoming: Incoming, *, limit: int, version: str = "") -> str:
    """Read an object into ``incoming``; return what tells one version of it from another ("" where nothing does).

    Nothing is read where that is ``version`` already.

    Raises:
        Unusable: there is no such object, access is refused, it is too large, a package is missing, or the storage
            fails.
        StudyError: the disk is full.
    """
    name = shown(url)
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url.strip())
    except ImportError as error:
        package = PACKAGES[scheme(url)]
        raise Unusable("missing_package", f"{name} needs a package: pip install {package}") from error
    except Exception as error:
        raise Unusable("connection", f"{name} could not be opened ({_says(error)}).") from error
    try:
        facts = system.info(path)
        if facts.get("type") == "directory":
            raise Unusable("is_directory", f"{name} is a folder.")
        size = int(facts.get("size") or 0)
        if size > limit:
            raise Unusable("too_large", f"{name} has {size:,} bytes; the limit is {limit:,}.")
        found = next((str(facts[key]) for key in ("ETag", "etag", "md5Hash", "mtime", "created") if facts.get(key)), "")
        if version and found == version:
            return found
        with system.open(path, "rb") as stream:
            while piece := stream.read(_PIECE):
                incoming.write(piece)
    except (Unusable, YoinError):
        raise
    except FileNotFoundError as error:
        raise Unusable("not_found", f"There is no object {name}.") from error
    except PermissionError as error:
        raise Unusable("forbidden", f"Access to {name} is not allowed.") from error
    except TimeoutError as error:
        raise Unusable("timeout", f"{name} took too long.", passing=True) from error
    except Exception as error:
        raise Unusable("connection", f"{name} could not be read ({_says(error)}).", passing=True) from error
    return found


def _says(error: Exception) -> str:
    return shown(" ".join(f"{type(error).__name__}: {error}".split()))
