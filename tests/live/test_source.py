"""A source: played at its pace, watched, and sought again when it is lost."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.live.addresses import Address, Input, address
from emotion_core.live.front import Front, Taken
from emotion_core.live.orders import Order
from emotion_core.live.source import Patience, Source
from emotion_core.media.decode import decode
from emotion_core.media.spawning import BareContext
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec
from tests.support.live_sources import CuttingServer
from tests.support.media_clips import number_of, write_clip
from tests.support.rtsp_server import RtspServer

RATE = 16_000
FPS = VideoSpec(sampling="fps", fps=10.0, max_frames=10**6)
PLAN = DecodePlan(FPS, RATE, decoder="pyav", span_s=4.0, short_s=0.2)
QUICK = Patience(first_s=0.1, most_s=0.4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=60)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("stream") / "clip.ts"
    return write_clip(path, frames=100, format="mpegts").read_bytes()


def open_source(given: Address, pace: float = 1e6, read_s: float = 3.0) -> tuple[Source, Front]:
    front = Front(RATE, most_wait_s=None)
    order = Order(given, PLAN, None, open_s=20.0, read_s=read_s, pace=pace)
    return Source(order, front, QUICK), front


def taken(front: Front, seconds: float = 120.0) -> Iterator[Taken]:
    """What comes, until it ends or for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        each = front.take(0.5)
        yield each
        if each.ended:
            return
    raise AssertionError("it takes too long")


def test_a_file_comes_whole_and_as_decoding_has_it(clip: Path) -> None:
    source, front = open_source(address(str(clip), None))
    source.start()
    pictures, sound = [], []
    for each in taken(front):
        pictures += [each.picture] if each.picture else []
        sound += each.sound
    source.close()

    want = decode(str(clip), PLAN)
    assert [each.time_s for each in pictures] == want.frame_times_s.tolist()
    assert np.array_equal(np.stack([each.rgb for each in pictures]), want.frames)
    assert [block.first for block in sound] == np.cumsum(
        [0, *(len(block.samples) for block in sound[:-1])]
    ).tolist()
    assert np.array_equal(np.concatenate([block.samples for block in sound]), want.audio)
    assert front.take(0).status.source == "ended"


def test_a_file_plays_at_its_own_pace(clip: Path) -> None:
    source, front = open_source(address(str(clip), None), pace=0.5)
    began = time.monotonic()
    source.start()
    pictures = [each.picture for each in taken(front) if each.picture]
    source.close()

    assert len(pictures) == 24 and pictures[-1].time_s > 2.3
    assert all(each.arrived >= began + 2 * each.time_s for each in pictures), "none is early"


def test_a_file_that_is_paused_stands_still(clip: Path) -> None:
    source, front = open_source(address(str(clip), None), pace=0.5)
    source.start()
    before = next(each.picture for each in taken(front) if each.picture)
    source.pause()
    assert front.take(0).status.source == "paused"
    # what was under way when it was told comes; then nothing does, while fifteen would be due
    latest, still_since = before.time_s, time.monotonic()
    while time.monotonic() - still_since < 3.0:
        if picture := front.take(0.2).picture:
            latest, still_since = picture.time_s, time.monotonic()
    source.resume()
    after = [each.picture for each in taken(front) if each.picture]
    source.close()

    assert after and after[0].time_s == pytest.approx(latest + 0.1, abs=0.05)
    assert after[-1].time_s > 2.2


def test_a_stream_that_breaks_off_is_opened_again(stream: bytes) -> None:
    third = len(stream) // 3
    with CuttingServer(stream, cuts=(third, third)) as server:
        source, front = open_source(address(server.url, None))
        source.start()
        pictures, states, notes, numbers = [], [], [], []
        for each in taken(front):
            if each.status.source not in states[-1:]:
                states.append(each.status.source)
            notes.append(each.status.note)
            if each.picture:
                pictures.append(each.picture)
                numbers.append(number_of(each.picture.rgb))
            if server.calls >= 4 and states[-1] == "playing":
                break
        source.close()

    assert states[:4] == ["playing", "reconnecting", "playing", "reconnecting"]
    assert any(note.startswith("lost after ") and "trying again" in note for note in notes)
    times = [each.time_s for each in pictures]
    assert times == sorted(times), "the clock of the session never goes back"
    assert sum(np.diff(numbers) < 0) >= 2, "the stream began anew"


def test_sound_that_comes_seldom_is_where_it_belongs(tmp_path: Path) -> None:
    """Of a camera that sends sound only when there is some, its silence is not sent along."""
    whole, seldom = write_clip(tmp_path / "whole.mkv", frames=200, fps=5), tmp_path / "seldom.mkv"
    with av.open(str(whole)) as given, av.open(str(seldom), "w") as film:
        streams = {each.index: film.add_stream_from_template(each) for each in given.streams}
        for packet in given.demux():
            time_s = float((packet.pts or 0) * packet.time_base)
            if packet.dts is None or (packet.stream.type == "audio" and 3 < time_s < 30):
                continue
            packet.stream = streams[packet.stream.index]
            film.mux(packet)
    with CuttingServer(seldom.read_bytes()) as server:
        source, front = open_source(address(server.url, None))
        source.start()
        heard: list[tuple[int, int]] = []
        for each in taken(front):
            heard += [(block.first, len(block.samples)) for block in each.sound]
            if each.status.source == "reconnecting":
                break
        source.close()

    assert sum(count for _, count in heard) == pytest.approx(13 * RATE, abs=RATE)
    late = [first for first, _ in heard if first > 5 * RATE]
    assert late[0] == pytest.approx(30 * RATE, abs=RATE)


@pytest.mark.parametrize("whole", [True, False])
def test_a_recording_on_a_server_ends_only_at_its_end(tmp_path: Path, whole: bool) -> None:
    content = write_clip(tmp_path / "talk.mkv", frames=100).read_bytes()
    cuts = () if whole else (len(content) // 2,)
    with CuttingServer(content, cuts) as server:
        source, front = open_source(address(server.url, None))
        source.start()
        states = [each.status.source for each in taken(front)]
        source.close()

    assert states[-1] == "ended" and ("reconnecting" in states) is not whole


def test_a_stream_that_falls_silent_is_lost(stream: bytes) -> None:
    with CuttingServer(stream, cuts=(len(stream) // 2,) * 9, stall=True) as server:
        source, front = open_source(address(server.url, None), read_s=1.0)
        source.start()
        notes = (each.status.note for each in taken(front))
        note = next(note for note in notes if note)
        source.close()

    assert "nothing came from it for too long" in note or "does not answer" in note


def test_a_stream_that_is_lost_while_it_is_paused_says_both(stream: bytes) -> None:
    with CuttingServer(stream, cuts=(len(stream) // 3,) * 99) as server:
        source, front = open_source(address(server.url, None))
        source.start()
        source.pause()
        notes = (each.status.note for each in taken(front))
        note = next(note for note in notes if note.startswith("paused; "))
        source.close()

    assert note.startswith("paused; lost after ") and "trying again" in note


@pytest.mark.parametrize("first", [True, False])
def test_no_process_to_be_had_is_told(
    stream: bytes, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """At first it is one line, later the source is sought again."""

    class Full(BareContext):
        made = 0

        def Process(self, *args: Any, **named: Any) -> Any:
            Full.made += 1
            if first or Full.made == 2:
                raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
            return super().Process(*args, **named)

    monkeypatch.setattr("emotion_core.live.source.BareContext", Full)
    with CuttingServer(stream, cuts=(len(stream) // 3,)) as server:
        source, front = open_source(address(server.url, None))
        if first:
            with pytest.raises(UsageError, match="--source .*temporarily unavailable$"):
                source.start()
            return
        source.start()
        notes = (each.status.note for each in taken(front))
        assert next(note for note in notes if "temporarily unavailable" in note)
        assert next(each for each in taken(front) if each.status.source == "playing")
        source.close()


def test_waits_grow_and_have_an_end(stream: bytes) -> None:
    waits: list[float] = []

    class Told(Source):
        def _wait(self, wait_s: float, lasted_s: float, closed: object) -> None:
            waits.append(wait_s)
            if len(waits) == 4:
                self._closing.set()

    with CuttingServer(stream[: len(stream) // 4], cuts=(0,) * 0) as server:
        front = Front(RATE)
        source = Told(Order(address(server.url, None), PLAN), front, QUICK)
        source.start()
        list(taken(front))

    assert waits == [0.1, 0.2, 0.4, 0.4]


def test_a_stream_is_closed_while_it_plays(stream: bytes) -> None:
    with CuttingServer(stream, stall=True) as server:
        source, front = open_source(address(server.url, None), read_s=60.0)
        source.start()
        next(each for each in taken(front) if each.picture)
        began = time.monotonic()
        source.close()
        source.close()

    assert time.monotonic() - began < 30 and front.take(0).status.source == "ended"


def refused(given: Address) -> str:
    source, _ = open_source(given)
    with pytest.raises(UsageError) as error:
        source.start()
    source.close()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_no_medium_is_told_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no pictures in here, and no sound\n" * 100)
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n")

    assert "notes.mp4: unreadable" in refused(address(str(text), None))
    assert "unreadable" in refused(address(str(playlist), None))


def test_a_device_that_is_not_there_is_told_in_one_line() -> None:
    assert "No such file" in refused(Address("camera 77", Input("/dev/video77", "v4l2")))


def test_a_port_that_refuses_is_told_and_nothing_secret_with_it() -> None:
    with CuttingServer(b"") as server:
        place = server.url
    told = refused(address(place.replace("http://", "http://me:hush@"), None))

    assert "refused" in told and "hush" not in told


def test_a_server_that_sends_on_or_names_other_files_is_not_followed() -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n"
    with CuttingServer(playlist) as server:
        refused(address(server.url.replace("/stream", "/moved"), None))
        assert server.calls == 1
        refused(address(server.url, None))
        assert server.calls == 2, "what the list names is not asked for"


def test_a_camera_and_its_microphone_play_side_by_side(stream: bytes, tmp_path: Path) -> None:
    """Two streams stand in: each opened for itself, its times those at which things come."""
    path = write_clip(tmp_path / "sound.ts", frames=0, sound_s=3.0, format="mpegts", fps=25)
    sound = path.read_bytes()
    with RtspServer(stream, seconds=60.0) as eye, RtspServer(sound, seconds=3.0) as ear:
        options = address(eye.url, None).main.options
        see, hear = (Input(each.url, None, options, arrival=True) for each in (eye, ear))
        given = Address("two", see, hear)
        source, front = open_source(given, read_s=30.0)
        source.start()
        assert front.info is not None and front.info.has_audio
        pictures = heard = 0
        note = ""
        for each in taken(front):
            pictures += each.picture is not None
            heard += sum(len(block.samples) for block in each.sound)
            note = note or each.status.note
            if note and pictures and heard:
                break
        source.close()

    assert "the microphone gives no more" in note


def test_a_camera_that_hangs_beside_its_microphone_is_lost(stream: bytes, tmp_path: Path) -> None:
    """A pipe stands in for the camera: no time limit ends a read of either."""
    sound = write_clip(tmp_path / "sound.ts", frames=0, sound_s=60.0, format="mpegts", fps=25)
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)

    def give() -> None:
        with pipe.open("wb") as file, suppress(BrokenPipeError):
            file.write(stream)
            file.flush()
            over.wait()

    over = threading.Event()
    threading.Thread(target=give, daemon=True).start()
    with RtspServer(sound.read_bytes(), seconds=60.0) as ear:
        see = Input(str(pipe), "mpegts", {}, arrival=True)
        hear = Input(ear.url, None, address(ear.url, None).main.options, arrival=True)
        source, front = open_source(Address("two", see, hear), read_s=10.0)
        try:
            source.start()
            notes = (each.status.note for each in taken(front))
            note = next(note for note in notes if note)
        finally:
            source.close()
            over.set()

    assert f"nothing came from {pipe} for too long" in note


def test_an_rtsp_camera_that_is_lost_comes_back(stream: bytes) -> None:
    with RtspServer(stream, seconds=4.0, cut=0.6) as server:
        source, front = open_source(address(server.url, None))
        source.start()
        times: list[float] = []
        states: list[str] = []
        heard = 0
        for each in taken(front):
            if each.status.source not in states[-1:]:
                states.append(each.status.source)
            times += [each.picture.time_s] if each.picture else []
            heard += sum(len(block.samples) for block in each.sound)
            if server.calls > 1 and states[-1] == "playing" and times[-1] > 5:
                break
        source.close()

    assert states[:3] == ["playing", "reconnecting", "playing"] and heard > RATE
    assert times == sorted(times) and len(times) > 20
