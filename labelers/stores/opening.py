"""File systems of paths and URIs, one for each store and its settings in a process."""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.stores.uri import Uri, check_place, is_uri, parted

__all__ = ["RETRIES", "SETTINGS", "is_local", "is_whole", "opened_place"]

RETRIES = 8
"""How often a request to S3 is made at most; with the pauses between them, about a minute."""

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def opened_place(place: str) -> tuple[pafs.FileSystem, str]:
    """Return the file system of a path or URI, and the path in it; nothing need lie there.

    Raises:
        ValueError: a URI with credentials, with an unknown setting, or of a protocol that nothing here knows.
        OSError: the store cannot be asked.
    """
    if not is_uri(place):
        return pafs.LocalFileSystem(), str(Path(place).resolve())
    check_place(place)
    uri = parted(place)
    if uri.scheme == "s3":
        path = uri.path.rstrip("/")
        return _s3(path.partition("/")[0], tuple(sorted(uri.query.items())), _environment()), path
    try:
        found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(place)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if "nrecognized filesystem type" not in str(error):
            raise ValueError(f"{place}: {error}") from None
        return _by_fsspec(place, uri)
    return found


def is_local(system: pafs.FileSystem) -> bool:
    """Return whether files lie on a disk of this machine."""
    return isinstance(system, pafs.LocalFileSystem)


def is_whole(system: pafs.FileSystem) -> bool:
    """Return whether a file appears only when its upload ends, in the place of an earlier one.

    Such a store has neither folders nor renaming.
    """
    kinds = [getattr(pafs, name, None) for name in ("S3FileSystem", "GcsFileSystem")]
    return isinstance(system, tuple(kind for kind in kinds if kind)) or bool(getattr(system, "is_whole", False))


def _environment() -> tuple[str, str]:
    """Return endpoint and region that the environment names."""
    names = (("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), ("AWS_REGION", "AWS_DEFAULT_REGION"))
    endpoint, region = (next((os.environ[name] for name in group if os.environ.get(name)), "") for group in names)
    return endpoint, region


def _switch(value: str) -> bool:
    """Read a truth value.

    Raises:
        ValueError: it is none.
    """
    if value.lower() not in _TRUE | _FALSE:
        raise ValueError("give true or false")
    return value.lower() in _TRUE


def _attempts(value: str) -> Any:
    """Read how often a request is made at most."""
    return pafs.AwsStandardS3RetryStrategy(max_attempts=int(value))


SETTINGS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "region": ("region", str),
    "scheme": ("scheme", str),
    "endpoint_override": ("endpoint_override", str),
    "role": ("role_arn", str),
    "proxy": ("proxy_options", str),
    "anonymous": ("anonymous", _switch),
    "connect_timeout": ("connect_timeout", float),
    "request_timeout": ("request_timeout", float),
    "retries": ("retry_strategy", _attempts),
    "tls_ca_file_path": ("tls_ca_file_path", str),
    "force_virtual_addressing": ("force_virtual_addressing", _switch),
    "allow_bucket_creation": ("allow_bucket_creation", _switch),
    "allow_delayed_open": ("allow_delayed_open", _switch),
}
"""Settings in the query of an s3:// URI, with the argument of pyarrow that each becomes."""


@lru_cache(maxsize=64)
def _s3(bucket: str, query: tuple[tuple[str, str], ...], environment: tuple[str, str]) -> pafs.FileSystem:
    """Return the client of S3 for a bucket; its credentials come from the environment."""
    options: dict[str, Any] = {"allow_delayed_open": True, "retry_strategy": _attempts(str(RETRIES))}
    for name, value in query:
        if name not in SETTINGS:
            raise ValueError(f"s3://{bucket}: unknown setting {name!r} in the URI; there are {', '.join(SETTINGS)}")
        argument, read = SETTINGS[name]
        try:
            options[argument] = read(value)
        except ValueError as error:
            raise ValueError(f"s3://{bucket}: {name}={value} in the URI: {error}") from None
    endpoint, region = environment
    if endpoint and "endpoint_override" not in options:
        scheme, _, host = endpoint.rpartition("://")
        options["endpoint_override"] = host.rstrip("/")
        options.setdefault("scheme", scheme or "https")
    if region:
        options.setdefault("region", region)
    elif not options.keys() & {"region", "endpoint_override"}:
        options["region"] = pafs.resolve_s3_region(bucket)
    return pafs.S3FileSystem(**options)


def _by_fsspec(place: str, uri: Uri) -> tuple[pafs.FileSystem, str]:
    """Return the file system of a protocol that pyarrow does not know.

    Raises:
        ValueError: fsspec is not installed, or does not know it either.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        text = f"pyarrow does not know {uri.scheme}://; install fsspec and its package for this protocol"
        raise ValueError(f"{place}: {text}") from None
    try:
        system, path = url_to_fs(place)
    except (ValueError, ImportError) as error:
        raise ValueError(f"{place}: {error}") from None
    return pafs.PyFileSystem(pafs.FSSpecHandler(system)), path
