"""Stores that hold odd keys, or say less of an object than S3 does."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import s3fs

from emotion_core import storage
from emotion_core.corpora.inputs import collect
from emotion_core.errors import ClipError
from tests.support.s3 import AnyS3

KEYS = ("d/a.mp4", "d/a.mp4/x.mp4", "d/./y.mp4", "d/../z.mp4", "d//b.mp4", "d/ok.mp4")


def test_every_key_is_an_input(any_s3: AnyS3) -> None:
    if any_s3.name != "moto":
        pytest.skip("rclone keeps objects as files, which cannot have such names")
    client, bucket = any_s3.server.client(), any_s3.root[5:].strip("/")
    for key in (*KEYS, "d/.hidden/z.mp4"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    clips = collect([f"s3://{bucket}/d"]).clips
    assert sorted(clip.uri for clip in clips) == sorted(f"s3://{bucket}/{key}" for key in KEYS)
    for clip in clips:
        with storage.local_copy(clip.uri, None, clip.size, clip.version) as path:
            assert path.read_bytes().decode() == clip.uri.removeprefix(f"s3://{bucket}/")


def test_an_object_that_is_a_prefix_too_is_listed_with_what_is_below(any_s3: AnyS3) -> None:
    if any_s3.name != "moto":
        pytest.skip("rclone keeps objects as files: one cannot be a folder too")
    client, bucket = any_s3.server.client(), any_s3.root[5:].strip("/")
    for key in KEYS[:2]:
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    listed = [info.uri for info in storage.list_files(f"s3://{bucket}/d/a.mp4")]
    assert listed == [f"s3://{bucket}/{key}" for key in KEYS[:2]]


class _Plain(BaseHTTPRequestHandler):
    """A store of one bucket ``b`` that gives no ETags."""

    objects: dict[str, tuple[bytes, str]] = {}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query, key = parse_qs(place.query), unquote(place.path).removeprefix("/b").strip("/")
        if "list-type" in query:
            self._list(query.get("prefix", [""])[0])
        elif key in self.objects:
            self._send(200, *self.objects[key])
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _list(self, prefix: str) -> None:
        found = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(data)}</Size>"
            f"<LastModified>2026-01-01T00:00:{second}.000Z</LastModified></Contents>"
            for key, (data, when) in self.objects.items()
            if key.startswith(prefix) and (second := when[-6:-4])
        )
        text = f"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>{found}"
        self._send(200, f"{text}</ListBucketResult>".encode())

    def _send(self, code: int, data: bytes, when: str = "Thu, 01 Jan 2026 00:00:00 GMT") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", when)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[bytes, str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Plain)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    s3fs.S3FileSystem.clear_instance_cache()
    _Plain.objects.clear()
    yield _Plain.objects
    s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()


def test_a_store_without_etags(plain: dict[str, tuple[bytes, str]]) -> None:
    plain["d/a.mp4"] = (b"old", "Thu, 01 Jan 2026 00:00:01 GMT")
    (clip,) = collect(["s3://b/d"]).clips
    assert clip.version
    with storage.local_copy(clip.uri, None, clip.size, clip.version) as path:
        assert path.read_bytes() == b"old"
    plain["d/a.mp4"] = (b"new", "Thu, 01 Jan 2026 00:00:02 GMT")
    with (
        pytest.raises(ClipError, match="not what it was"),
        storage.local_copy(clip.uri, None, clip.size, clip.version),
    ):
        pass
