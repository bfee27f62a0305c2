"""URIs of files and folders: their parts, what lies below them, and settings in their query."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

__all__ = ["Uri", "above", "apart", "below", "check_place", "is_stored", "is_uri", "parted", "with_settings"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters or more: C:/ is a drive
_QUERY = re.compile(r"\?(\w+=[^&?]*(?:&\w+=[^&?]*)*)$")  # else a question mark belongs to a glob
_SECRET_USER = re.compile(r"^(?:s3://[^/?]*@|[^:/?]+://[^/@?]*:[^/@?]*@)", re.IGNORECASE)
_SECRET_KEY = re.compile(r"[?&][^=&]*(?:secret|password|token|(?:account|access)_key)[^=&]*=", re.IGNORECASE)


class Uri(NamedTuple):
    """A URI in parts."""

    scheme: str
    path: str
    """With the bucket or host; without the query."""
    query: Mapping[str, str]

    def __str__(self) -> str:
        """Return it as one string again."""
        query = "&".join(f"{name}={quote(value, safe=':/,')}" for name, value in self.query.items())
        return f"{self.scheme}://{self.path}" + (f"?{query}" if query else "")


def is_uri(place: str) -> bool:
    """Return whether a place is a URI; else it is a path of this machine.

    Example:
        >>> is_uri("s3://bucket/a"), is_uri("C:/texts/a"), is_uri("a?b://c")
        (True, False, False)
    """
    return bool(_SCHEME.match(place))


def is_stored(place: str) -> bool:
    """Return whether a place is a URI of something else than a file system of this machine.

    Example:
        >>> is_stored("s3://bucket/a"), is_stored("file:///srv/a"), is_stored("out/a")
        (True, False, False)
    """
    return is_uri(place) and not place.lower().startswith("file://")


def parted(place: str) -> Uri:
    """Return the parts of a URI.

    Example:
        >>> parted("s3://bucket/a?.txt?region=eu-west-1&scheme=http")
        Uri(scheme='s3', path='bucket/a?.txt', query={'region': 'eu-west-1', 'scheme': 'http'})
    """
    scheme, _, rest = place.partition("://")
    found = _QUERY.search(rest)
    if not found:
        return Uri(scheme.lower(), rest, {})
    pairs = (item.partition("=") for item in found[1].split("&"))
    return Uri(scheme.lower(), rest[: found.start()], {name: unquote(value) for name, _, value in pairs})


def apart(place: str) -> tuple[str, str]:
    """Return a place without the query that a URI may have, and the query with its question mark.

    Example:
        >>> apart("s3://bucket/a?.txt?scheme=http"), apart("a?b=c.txt")
        (('s3://bucket/a?.txt', '?scheme=http'), ('a?b=c.txt', ''))
    """
    found = _QUERY.search(place) if is_uri(place) else None
    return (place[: found.start()], found[0]) if found else (place, "")


def below(place: str, name: str) -> str:
    """Return the path or URI of what lies in a folder.

    Example:
        >>> below("s3://bucket/set/?scheme=http", "layers/x"), below("out/", "layers/x")
        ('s3://bucket/set/layers/x?scheme=http', 'out/layers/x')
    """
    if not is_uri(place):
        return f"{place.rstrip('/')}/{name}"
    uri = parted(place)
    return str(uri._replace(path=f"{uri.path.rstrip('/')}/{name}"))


def with_settings(place: str, settings: Mapping[str, str]) -> str:
    """Return an s3:// URI with settings in its query, where it does not say them itself; other places as they are.

    Example:
        >>> with_settings("s3://bucket/set?retries=2", {"retries": "5", "anonymous": "true"})
        's3://bucket/set?anonymous=true&retries=2'
        >>> with_settings("out/set", {"retries": "5"})
        'out/set'
    """
    if not settings or not is_uri(place) or parted(place).scheme != "s3":
        return place
    uri = parted(place)
    return str(uri._replace(query=dict(sorted({**settings, **uri.query}.items()))))


def above(place: str) -> str:
    """Return the URI of the folder in which something lies.

    Example:
        >>> above("s3://bucket/set/a.txt?scheme=http")
        's3://bucket/set?scheme=http'
    """
    uri = parted(place)
    return str(uri._replace(path=uri.path.rstrip("/").rpartition("/")[0]))


def check_place(place: str) -> None:
    """Refuse a URI with a secret: it would be stored in plans, printed in errors, and sent to workers.

    Raises:
        ValueError: it has one; the message does not repeat it.
    """
    if _SECRET_USER.match(place) or _SECRET_KEY.search(place) or _PROXY_SECRET.search(unquote(place)):
        scheme = place.partition("://")[0]
        raise ValueError(
            f"the {scheme}:// URI contains credentials; leave them out, and set them in the environment of this "
            "command and of all workers (for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or use a role of the "
            "machine"
        )


_PROXY_SECRET = re.compile(r"[?&]proxy=(?:\w+://)?[^/@&]*@", re.IGNORECASE)
