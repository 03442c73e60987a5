"""Names and messages of strangers: nothing secret, and nothing that drives a terminal, is shown."""

import pytest
from rich.markup import render

from emotion_core.text import as_markup, holds_secret, printable, redacted, without_secret

# Each holds S3CR3T where the secret is.
ADDRESSES = (
    "https://ann:S3CR3T@host/a.mp4",
    "https://S3CR3T@host/a.mp4",
    "HTTPS://ann:S3CR3T@host/a.mp4",
    "s3://KEYID:S3CR3T@bucket/a.mp4",
    "sftp://ann:p@S3CR3T/x@host/a.mp4",
    "ftp://ann:12S3CR3T@host:21/a.mp4",
    "https://b.s3.amazonaws.com/a.mp4?X-Amz-Expires=60&X-Amz-Signature=S3CR3T",
    "https://b.s3.amazonaws.com/a.mp4?x-amz-credential=S3CR3T%2F2026&X-Amz-Date=1",
    "https://b.s3.amazonaws.com/a.mp4?AWSAccessKeyId=x&Signature=S3CR3T",
    "https://acc.blob.core.windows.net/c/a.mp4?sv=2024&sig=S3CR3T&se=2026",
    "https://host/a.mp4?access_token=S3CR3T",
    "https://host/a.mp4?token=S3CR3T",
    "https://host/a.mp4#access_token=S3CR3T",
    "s3://bucket/a.mp4?X-Amz-Security-Token=S3CR3T",
    "zip://in/a.mp4::https://ann:S3CR3T@host/x.zip",
)
HARMLESS = (
    "https://host/a.mp4?version=3&page=2",
    "https://host:8080/a@b.mp4",
    "http://[::1]:8080/a.mp4",
    "s3://bucket/token=7/sig=8/a:b@c.mp4",
    "s3://bucket/what?token=1.mp4",
    "abfs://container@account.dfs.core.windows.net/a.mp4",
    "sftp://ann@host/a.mp4",
    "zip://a:b@c.mp4::/data/x.zip",
    "file:///data/a.mp4?token=1",
    "/data/what?token=1.mp4",
    "C:\\a.mp4?sig=1",
    "ravdess=data/ravdess",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_secret_is_seen_and_hidden(address: str) -> None:
    assert holds_secret(address)
    hidden = redacted(f"403, message='Forbidden', url='{address}' and <{address}>")
    assert "S3CR3T" not in hidden and hidden.count("***") >= 2
    assert redacted(hidden) == hidden
    told = without_secret(address, "--videos")
    assert "S3CR3T" not in told and told.startswith("--videos: ") and "AWS_PROFILE" in told


@pytest.mark.parametrize("address", HARMLESS)
def test_what_is_none_stays(address: str) -> None:
    assert not holds_secret(address)


def test_keys_that_are_known_by_their_looks() -> None:
    key = "AKIA" + "ABCDEFGH12345678"
    assert redacted(f"the key {key} is not known") == "the key *** is not known"
    assert holds_secret(f"https://host/a.mp4?who={key}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\udce9.mp4", "caf\ufffd.mp4"),
        ("a\x1b[2J\x1b]0;pwned\x07b.mp4", "a\ufffd[2J\ufffd]0;pwned\ufffdb.mp4"),
        ("line\nbreak\r\t.mp4", "line\ufffdbreak\ufffd\ufffd.mp4"),
        ("gpj\u202e4pm", "gpj\ufffd4pm"),
        ("\x9b2J.mp4", "\ufffd2J.mp4"),
        ("猫\u3000ü नमस्\u200dते.mp4", "猫\u3000ü नमस्\u200dते.mp4"),
    ],
)
def test_what_cannot_be_shown_is_seen_to_be_there(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode()


@pytest.mark.parametrize(
    "name", ["notes[/b].txt", "[red]x.mp4", "[link=http://x]y[/link]", "[b", "a]"]
)
def test_a_name_is_no_markup(name: str) -> None:
    assert render(as_markup(name)).plain == name
    assert render(f"[bold]{as_markup(name)}[/]").plain == name
