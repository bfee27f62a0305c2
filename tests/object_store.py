"""An object store in this process that speaks as much of S3 as pyarrow asks for, counts requests, and can fail.

It answers what it holds or what a fault says, keeps objects in memory, and looks at no signature.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

__all__ = ["BUCKET", "ObjectStore", "Request", "right", "store_of"]

BUCKET = "bucket"
_DATE = "2026-11-30T12:00:00.000Z"

Request = tuple[str, str]
"""Method, and path with query."""


def right(number: int, request: Request) -> str:
    """Let nothing go wrong."""
    return ""


class ObjectStore:
    """One bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.fault: Callable[[int, Request], str] = right
        """What goes wrong with a request of a number: ``"403 AccessDenied"``, a status with the code of an error;
        ``"close"``, a connection that is closed half-way; ``"away"``, no answer; or nothing."""
        self.guard = threading.Lock()
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.numbers = count(1)
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Answer, on the same port as before."""
        handler = type("_Handler", (_Answers,), {"store": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Answer no more; objects are kept."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.fault = lambda number, request: "away"  # to connections that are open

    def uri(self, path: str, **settings: object) -> str:
        """Return a URI that names this store in its query."""
        rest = "".join(f"&{name}={value}" for name, value in settings.items())
        return f"s3://{BUCKET}/{path}?endpoint_override=127.0.0.1:{self.port}&scheme=http{rest}"

    def counted(self, *without: str) -> int:
        """Return how many requests were made that have none of some words."""
        return sum(not any(word in unquote(path) for word in without) for _, path in self.requests)

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the objects below a folder whose bytes are promised, by their names in it."""
        promised = ("train/", "validation/", "test/", "rejects/", "stats/")
        below = {name.removeprefix(f"{folder}/"): data for name, data in self.objects.items() if folder in name}
        return {name: data for name, data in sorted(below.items()) if name.startswith(promised) and name[-1] != "/"}


@contextmanager
def store_of(patch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """Yield a store, with credentials and without proxies in the environment."""
    for name in ("HTTP_PROXY", "http_proxy", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_ACCESS_KEY_ID", "tester")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = ObjectStore()
    try:
        yield store
    finally:
        store.stop()


class _Answers(BaseHTTPRequestHandler):
    """Answers one connection."""

    store: ObjectStore
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def handle(self) -> None:
        """Answer requests until the client has gone."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def _answer(self) -> None:
        request = (self.command, self.path)
        body = self._body()
        store = self.store
        with store.guard:
            number = next(store.numbers)
            store.requests.append(request)
        fault = store.fault(number, request)
        if fault == "away":
            self.close_connection = True
        elif fault == "close":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif fault:
            status, _, code = fault.partition(" ")
            self._error(int(status), code)
        else:
            self._right(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815

    def _right(self, body: bytes) -> None:
        """Answer a request to which nothing happens."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            self._error(404, "NoSuchBucket")
        elif self.command == "GET" and not key:
            self._list(query)
        elif self.command == "POST" and not key:
            self._delete_all(body)
        elif self.command == "POST" or "uploadId" in query:
            self._upload(key, query, body)
        else:
            self._object(key, body)

    def _object(self, key: str, body: bytes) -> None:
        """Read, write or remove an object."""
        objects = self.store.objects
        if self.command == "PUT":
            objects[key] = body
            self._send(200, b"", {"ETag": _tag(body)})
        elif self.command == "DELETE":
            objects.pop(key, None)
            self._send(204, b"")
        elif key and key not in objects:
            self._error(404, "NoSuchKey")
        else:
            self._read(objects.get(key, b""))

    def _read(self, data: bytes) -> None:
        """Send an object, or a range of it."""
        headers = {"ETag": _tag(data), "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT"}
        asked = self.headers.get("Range")
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or len(data)) + 1, len(data))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            self._send(206, data[start:stop], headers)
        else:
            self._send(200, data, headers)

    def _list(self, query: dict[str, str]) -> None:
        """List objects with a prefix, folders in one line each."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        lines, folders = list[str](), set[str]()
        for key, data in sorted(self.store.objects.items()):
            if not key.startswith(prefix):
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                folders.add(f"{prefix}{head}{delimiter}")
            else:
                facts = f"<Size>{len(data)}</Size><LastModified>{_DATE}</LastModified><ETag>{_tag(data)}</ETag>"
                lines.append(f"<Contents><Key>{escape(key)}</Key>{facts}</Contents>")
        lines += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)]
        told = f"<KeyCount>{len(lines)}</KeyCount><IsTruncated>false</IsTruncated>{''.join(lines)}"
        self._send(200, f"<ListBucketResult>{told}</ListBucketResult>".encode())

    def _delete_all(self, body: bytes) -> None:
        """Remove several objects."""
        for part in body.decode().split("<Key>")[1:]:
            self.store.objects.pop(part.partition("</Key>")[0], None)
        self._send(200, b"<DeleteResult></DeleteResult>")

    def _upload(self, key: str, query: dict[str, str], body: bytes) -> None:
        """Take a large object in parts, which are one once the upload ends."""
        uploads = self.store.uploads
        if "uploads" in query:
            name = f"upload{len(uploads)}"
            uploads[name] = {}
            told = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            self._send(200, f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>".encode())
        elif self.command == "PUT":
            uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._send(200, b"", {"ETag": _tag(body)})
        elif self.command == "POST":
            self.store.objects[key] = b"".join(data for _, data in sorted(uploads.pop(query["uploadId"]).items()))
            told = f"<Key>{escape(key)}</Key><ETag>{_tag(self.store.objects[key])}</ETag>"
            self._send(200, f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>".encode())
        else:
            uploads.pop(query["uploadId"], None)
            self._send(204, b"")

    def _body(self) -> bytes:
        """Return what the request brings, out of the chunks in which newer clients sign it."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        found = b""
        while data:
            head, _, data = data.partition(b"\r\n")
            size = int(head.split(b";")[0], 16)
            if not size:
                return found
            found, data = found + data[:size], data[size + 2 :]
        return found

    def _error(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{code} by the tests</Message></Error>".encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/xml", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
