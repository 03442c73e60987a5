"""What the campaign's proxy does to requests, and that the package lives through it."""

from collections.abc import Iterator

import pytest

from chaos.stores import PASSING
from chaos.weather import Proxy, Weather, proxy
from emotion_core import storage
from emotion_core.errors import ClipError, StorageError
from tests.support.s3 import AnyS3, environment_of


@pytest.fixture
def here(any_s3: AnyS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of each server, with this process's environment pointing at it."""
    import s3fs

    with proxy() as between:
        between.upstream = int(any_s3.server.endpoint.rpartition(":")[2])
        for name, value in environment_of(between.port).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield between


def test_what_passes_costs_nothing(here: Proxy, any_s3: AnyS3) -> None:
    for number, kind in enumerate(PASSING):
        uri = f"{any_s3.root}/{number}.bin"
        here.weather = writing = Weather(kind if kind != "truncated body" else "", most=1)
        storage.write_bytes(uri, b"sound" * 1000)
        here.weather = reading = Weather(kind, key=f"{number}.bin", most=1)
        with storage.local_copy(uri) as path:
            assert path.read_bytes() == b"sound" * 1000, kind
        assert writing.caused == (kind != "truncated body") and reading.caused == 1, kind


def test_what_lasts_is_told_apart(here: Proxy, any_s3: AnyS3) -> None:
    storage.write_bytes(f"{any_s3.root}/a.bin", b"1")
    here.weather = Weather("404 after listing", key="a.bin")
    with pytest.raises(ClipError, match="no such file"), storage.local_copy(f"{any_s3.root}/a.bin"):
        pass
    here.weather = Weather("expired credentials")
    with (
        pytest.raises(StorageError, match="access refused"),
        storage.local_copy(f"{any_s3.root}/a.bin"),
    ):
        pass
