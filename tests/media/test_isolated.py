"""Decoding in a child that may hang or die."""

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import ClipError
from emotion_core.media import isolated
from emotion_core.media.decode import decode
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec
from tests.support.media_clips import write_clip

PLAN = DecodePlan(VideoSpec(sampling="fps"), 16000)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=60))


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Opening it for reading blocks until somebody opens it for writing: a decoder that hangs."""
    os.mkfifo(tmp_path / "hangs.mp4")
    return tmp_path / "hangs.mp4"


def pid_of(decoder: IsolatedDecoder) -> int:
    return decoder._call(os.getpid)


def in_child(decoder: IsolatedDecoder, fifo: Path, act) -> None:
    """Calls ``act`` with the write end once the child has opened ``fifo``, in a thread."""

    def wait() -> None:
        with open(fifo, "wb") as end:
            act(end)

    threading.Thread(target=wait, daemon=True).start()


def test_same_as_in_this_process(clip: str):
    with IsolatedDecoder(60) as decoder:
        media, ours = decoder.decode(clip, PLAN), decode(clip, PLAN)
        np.testing.assert_array_equal(media.frames, ours.frames)
        np.testing.assert_array_equal(media.frame_times_s, ours.frame_times_s)
        np.testing.assert_array_equal(media.audio, ours.audio)
        assert (media.info, media.decoder, media.warnings) == (ours.info, "decord", ())
        child = pid_of(decoder)
        assert child != os.getpid()
        theirs = decoder.stream(clip, PLAN, 1.0)
        for part, mine in zip(theirs, stream(clip, PLAN, 1.0), strict=True):
            np.testing.assert_array_equal(part.frames, mine.frames)
            np.testing.assert_array_equal(part.audio, mine.audio)
        assert pid_of(decoder) == child


def test_clip_errors_come_out_as_they_are(tmp_path: Path, clip: str):
    with IsolatedDecoder(60) as decoder:
        (tmp_path / "empty.mp4").touch()
        for call in (decoder.decode, lambda *a: next(decoder.stream(*a, 1.0))):
            with pytest.raises(ClipError) as caught:
                call(str(tmp_path / "empty.mp4"), PLAN)
            assert (caught.value.stage, str(caught.value)) == (
                "decode",
                "empty: the file has no bytes",
            )
        child = pid_of(decoder)
        with pytest.raises(ClipError, match="^error: AttributeError: "):
            decoder.decode(clip, None)  # type: ignore[arg-type]
        assert len(decoder.decode(clip, PLAN).frames)
        assert pid_of(decoder) == child  # none of this costs a child


def test_a_hang_ends_at_the_limit_and_the_next_file_works(fifo: Path, clip: str):
    with IsolatedDecoder(0.5) as decoder:
        child = pid_of(decoder)
        for call in (decoder.decode, lambda *a: next(decoder.stream(*a, 1.0))):
            with pytest.raises(ClipError, match="^timeout: .* 0.5 s") as caught:
                call(str(fifo), PLAN)
            assert caught.value.stage == "decode"
            decoder.timeout_s = 60
            assert len(decoder.decode(clip, PLAN).frames) == 12
            decoder.timeout_s = 0.5
        assert pid_of(decoder) != child
        assert not Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_names_its_signal_and_the_next_file_works(number: int, fifo: Path, clip: str):
    with IsolatedDecoder(60) as decoder:
        child = pid_of(decoder)
        in_child(decoder, fifo, lambda end: os.kill(child, number))
        name = signal.Signals(number).name
        with pytest.raises(ClipError, match=f"^crash: .*signal {number:d}, {name}") as caught:
            decoder.decode(str(fifo), PLAN)
        assert caught.value.stage == "decode"
        assert len(decoder.decode(clip, PLAN).frames) == 12


def test_a_child_that_leaves_by_itself(clip: str):
    with IsolatedDecoder(60) as decoder:
        with pytest.raises(ClipError, match="^crash: .*exit status 7"):
            decoder._call(os._exit, 7)
        assert len(decoder.decode(clip, PLAN).frames) == 12


def test_a_child_found_dead_costs_no_file(clip: str):
    with IsolatedDecoder(60) as decoder:
        for _ in range(2):
            child = pid_of(decoder)
            os.kill(child, signal.SIGKILL)
            assert len(decoder.decode(clip, PLAN).frames) == 12
            assert pid_of(decoder) != child


def test_a_crash_in_mid_stream(clip: str):
    with IsolatedDecoder(60) as decoder:
        parts = decoder.stream(clip, PLAN, 1.0)
        assert len(next(parts).frames) == 5
        os.kill(pid_of(decoder), signal.SIGKILL)
        with pytest.raises(ClipError, match="^crash: "):
            next(parts)
        assert len(list(decoder.stream(clip, PLAN, 1.0))) == 3


def test_a_file_that_takes_the_child_along_takes_open_streams_too(clip: str, fifo: Path):
    with IsolatedDecoder(60) as decoder:
        parts = decoder.stream(clip, PLAN, 1.0)
        next(parts)
        child = pid_of(decoder)
        in_child(decoder, fifo, lambda end: os.kill(child, signal.SIGKILL))
        with pytest.raises(ClipError, match="^crash: "):
            decoder.decode(str(fifo), PLAN)
        with pytest.raises(ClipError, match="^crash: .* is gone"):
            next(parts)
        assert len(decoder.decode(clip, PLAN).frames) == 12


def test_streams_side_by_side_and_streams_left_early(clip: str):
    with IsolatedDecoder(60) as decoder:
        one, two = (decoder.stream(clip, PLAN, 1.0) for _ in range(2))
        a, b = next(one), next(two)
        np.testing.assert_array_equal(a.frames, b.frames)
        assert len(next(one).frames) == 5
        one.close()
        assert len(list(two)) == 2
        assert decoder._call(_open_in_child) == 0


def _open_in_child() -> int:
    return len(isolated._open_streams)


def test_the_child_is_replaced_after_so_many_files(clip: str):
    with IsolatedDecoder(60, recycle_after=2) as decoder:
        children = []
        for _ in range(3):
            decoder.decode(clip, PLAN)
            children.append(pid_of(decoder))
        assert children[0] == children[1] != children[2]
        parts = decoder.stream(clip, PLAN, 1.0)
        next(parts)
        decoder.decode(clip, PLAN)  # the third file, but a stream is open
        assert pid_of(decoder) == children[2]
        assert len(list(parts)) == 2


def test_usable_without_a_with_block_and_after_close(clip: str):
    decoder = IsolatedDecoder(60)
    assert len(decoder.decode(clip, PLAN).frames) == 12
    child = pid_of(decoder)
    decoder.close()
    assert not Path(f"/proc/{child}").exists()
    assert len(decoder.decode(clip, PLAN).frames) == 12
    decoder.close()
    decoder.close()


OWNER = """
import sys
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan
if __name__ == "__main__":
    decoder = IsolatedDecoder(600)
    {act}
"""


def run_owner(act: str, tmp_path: Path, *arguments: str) -> subprocess.Popen:
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(act=act))
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, str(script), *arguments], env=environment)


def test_the_child_does_not_outlive_a_killed_parent(fifo: Path, tmp_path: Path):
    owner = run_owner("decoder.decode(sys.argv[1], DecodePlan(None, 16000))", tmp_path, str(fifo))
    with open(fifo, "wb") as end:  # returns once the child is inside the decoder, where it hangs
        owner.kill()
        owner.wait()
        poll = select.poll()
        poll.register(end, select.POLLERR)  # comes when nobody is left to read
        assert poll.poll(30_000), "the child is still there"


def test_a_script_ends_though_it_never_closed_its_decoder(clip: str, tmp_path: Path):
    act = "assert len(decoder.decode(sys.argv[1], DecodePlan(None, 16000)).audio)"
    assert run_owner(act, tmp_path, clip).wait(60) == 0


def test_the_child_loads_no_heavy_library():
    code = (
        "import sys, emotion_core.media.isolated\n"
        "heavy = {'torch', 'ray', 'librosa', 'cv2', 'onnxruntime', 'pyarrow', 'decord'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert out.stdout.decode().strip() == "[]", out.stderr
