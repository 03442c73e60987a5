"""What the two S3 servers of the tests do, on which other tests build."""

import botocore.exceptions
import pytest

from emotion_core import storage
from tests.support.s3 import AnyS3


def test_files_go_and_come(any_s3: AnyS3) -> None:
    storage.write_bytes(f"{any_s3.root}/a/x y.bin", b"one")
    assert storage.read_bytes(f"{any_s3.root}/a/x y.bin") == b"one"
    assert [file.uri for file in storage.list_files(any_s3.root)] == [f"{any_s3.root}/a/x y.bin"]
    storage.remove(f"{any_s3.root}/a")
    assert not storage.exists(f"{any_s3.root}/a/x y.bin")


def test_moto_honours_conditions_and_rclone_does_not(any_s3: AnyS3) -> None:
    client, where = any_s3.server.client(), {"Bucket": any_s3.root[5:], "Key": "x"}
    first = client.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    if any_s3.name == "rclone":
        client.put_object(**where, Body=b"2", IfNoneMatch="*")
        client.put_object(**where, Body=b"3", IfMatch=first)
        assert client.get_object(**where)["Body"].read() == b"3"
        return
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(**where, Body=b"2", IfNoneMatch="*")
    client.put_object(**where, Body=b"3", IfMatch=first)
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(**where, Body=b"4", IfMatch=first)
    assert client.get_object(**where)["Body"].read() == b"3"
