"""One contract for both decoders: the same pictures at the same times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import ClipError
from emotion_core.media import decord_reader, pyav_reader
from emotion_core.media.container import read_facts
from emotion_core.media.decode import decode
from emotion_core.media.decord_reader import DecordError, DecordReader
from emotion_core.media.pyav_reader import PyavReader
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec
from tests.support.media_clips import number_of, write_clip

READERS = {"decord": DecordReader, "pyav": PyavReader}
WITH_KEYS = {"g": "10", "keyint_min": "10", "sc_threshold": "0", "bf": "3"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
UNEVEN_MS = [0, 40, 80, 400, 420, 900, 940, 1000, 1500, 1520, 1540, 2600, 2700, 3000, 3040]

# (file name, how it is made): every clip is one that both decoders must read alike
CLIPS: dict[str, tuple[str, dict]] = {
    "h264": ("a.mp4", {"options": WITH_KEYS}),
    "no sound": ("a.mp4", {"sound": None}),
    "one key picture": ("a.mp4", {"options": {"g": "1000", "bf": "2"}}),
    "fragmented": ("a.mp4", {"mux_options": FRAGMENTED, "sound": None}),
    "uneven": ("a.mp4", {"times_ms": UNEVEN_MS}),
    "uneven, matroska": ("a.mkv", {"times_ms": UNEVEN_MS, "options": WITH_KEYS}),
    "picture starts late": ("a.mkv", {"times_ms": [600 + 40 * n for n in range(20)], "sound_s": 2}),
    "turned 90": ("a.mp4", {"turned": 90}),
    "turned 180": ("a.mov", {"turned": 180}),
    "turned 270": ("a.mp4", {"turned": 270, "options": WITH_KEYS}),
    "odd size": ("a.webm", {"size": (97, 63), "codec": "libvpx", "sound": "libopus"}),
    "mpeg4": ("a.mp4", {"codec": "mpeg4", "options": {"qscale": "2", "flags": "qscale"}}),
    "one picture": ("a.mp4", {"frames": 1}),
}  # fmt: skip


def starts_of(recipe: dict) -> np.ndarray:
    """When each picture of a clip starts, seconds."""
    if "times_ms" in recipe:
        return np.array(recipe["times_ms"]) / 1000
    return np.arange(recipe.get("frames", 50)) / 25


def expected(starts: np.ndarray, times: np.ndarray) -> list[int]:
    """Number of the picture that is shown at each time."""
    return [max(int(np.searchsorted(starts, t, side="right")) - 1, 0) for t in times]


def numbers(reader_name: str, path: Path, times: np.ndarray) -> list[int]:
    reader = READERS[reader_name](str(path), read_facts(str(path)))
    try:
        shown = list(reader.frames_at(times))
    finally:
        reader.close()
    assert [time for time, _ in shown] == list(times)
    size = (reader.info.height, reader.info.width, 3)
    assert all(p.shape == size and p.dtype == np.uint8 for _, p in shown)
    assert reader.warnings == []
    return [number_of(p) for _, p in shown]


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("reader", READERS)
def test_picture_shown_at_each_time(reader: str, name: str, tmp_path: Path):
    file_name, recipe = CLIPS[name]
    path = write_clip(tmp_path / file_name, **recipe)
    starts = starts_of(recipe)
    middles = np.append((starts[:-1] + starts[1:]) / 2, starts[-1] + 0.01)
    assert numbers(reader, path, middles) == list(range(len(starts)))
    # exactly when a picture starts it is the one that is shown, also with rounded times
    assert numbers(reader, path, starts) == list(range(len(starts)))
    few = np.sort(np.random.default_rng(0).uniform(0, starts[-1] + 0.03, 5))
    assert numbers(reader, path, few) == expected(starts, few)
    assert numbers(reader, path, np.array([0.0, 0.0, starts[-1] + 0.01])) == [
        expected(starts, np.zeros(1))[0],
        expected(starts, np.zeros(1))[0],
        len(starts) - 1,
    ]


@pytest.mark.parametrize(("turned", "hflip"), [(0, True), (90, True), (180, True), (270, True)])
def test_mirrored_pictures_are_mirrored_back(turned: int, hflip: bool, tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", frames=5, size=(96, 64), turned=turned, hflip=hflip)
    facts = read_facts(str(path))
    assert (facts.info.width, facts.info.height) == (96, 64)
    assert numbers("pyav", path, np.array([0.02, 0.1])) == [0, 2]
    with pytest.raises(DecordError, match="mirror"):
        DecordReader(str(path), facts)


@pytest.mark.parametrize(
    ("file_name", "recipe"),
    [
        ("a.avi", {"codec": "mpeg4", "options": {"bf": "2"}, "sound": "libmp3lame"}),
        ("a.avi", {"codec": "libx264", "options": WITH_KEYS, "sound": "libmp3lame"}),
        ("a.ts", {"options": WITH_KEYS, "sound": None}),
        ("a.mpg", {"codec": "mpeg2video", "options": {"bf": "2", "g": "10"}, "sound": None}),
        ("a.flv", {"codec": "flv", "sound": None}),
        ("a.wmv", {"codec": "msmpeg4", "sound": None}),
        ("b.mpg", {"codec": "mpeg1video", "options": {"g": "12", "bf": "2"}, "sound": None}),
    ],
)
def test_other_containers_through_pyav(file_name: str, recipe: dict, tmp_path: Path):
    path = write_clip(tmp_path / file_name, **recipe)
    middles = np.arange(50) / 25 + 0.02
    assert numbers("pyav", path, middles) == list(range(50))
    media = decode(str(path), DecodePlan(VideoSpec(count=5), None))
    assert media.decoder == "pyav"
    assert [number_of(p) for p in media.frames] == expected(np.arange(50) / 25, media.frame_times_s)
    assert media.warnings[0].startswith("decoder: not decord (")


def _count_decoded(monkeypatch: pytest.MonkeyPatch) -> list:
    decoded: list = []
    original = pyav_reader.decode_packet

    def counted(packet, damage):
        frames = original(packet, damage)
        decoded.extend(frame.pts for frame in frames)
        return frames

    monkeypatch.setattr(pyav_reader, "decode_packet", counted)
    return decoded


def test_jumps_give_the_same_pictures_as_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write_clip(tmp_path / "a.mp4", frames=250, options={**WITH_KEYS, "g": "50"}, sound=None)
    times = np.array([0.5, 3.1, 3.2, 9.98])
    facts = read_facts(str(path))
    reader = PyavReader(str(path), facts)
    seen = []
    original = reader._jump
    reader._jump = lambda wanted_s: seen.append(wanted_s) or original(wanted_s)  # type: ignore
    decoded = _count_decoded(monkeypatch)
    got = [number_of(p) for _, p in reader.frames_at(times)]
    assert got == expected(np.arange(250) / 25, times)
    assert seen == [3.1, 9.98]
    # 0 to 0.5 s, from the key picture at 2 s to 3.2 s, and from the one at 8 s to the end
    assert len(decoded) == pytest.approx(13 + 32 + 50, abs=8)


def test_a_jump_that_lands_too_late_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    original = PyavReader._jump
    monkeypatch.setattr(PyavReader, "_jump", lambda self, wanted_s: original(self, wanted_s + 2))
    path = write_clip(tmp_path / "a.mp4", frames=250, options={**WITH_KEYS, "g": "50"}, sound=None)
    times = np.array([0.5, 3.1, 3.2, 9.98])
    assert numbers("pyav", path, times) == expected(np.arange(250) / 25, times)


@pytest.mark.parametrize(
    "recipe",
    [
        {"options": {**WITH_KEYS, "x264-params": "open-gop=1"}},
        {"codec": "mpeg4", "options": {"bf": "2", "qscale": "2", "flags": "qscale"}},
    ],
)
def test_pictures_that_lean_on_a_later_key_picture(recipe: dict, tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", **recipe)
    with pytest.raises(DecordError, match="key pictures"):
        DecordReader(str(path), read_facts(str(path)))
    times = np.array([0.1, 0.7, 1.3, 1.9])
    assert numbers("pyav", path, times) == expected(np.arange(50) / 25, times)


def test_the_best_of_two_streams(tmp_path: Path, corpora: Path):
    path = corpora / "clips/wild/torchcodec_nasa_13013.mp4"
    facts = read_facts(str(path))
    assert (facts.video.index, facts.info.width, facts.info.height) == (3, 480, 270)
    assert (facts.audio.index, round(facts.info.fps, 2)) == (4, 29.97)


def test_decord_is_refused_where_its_pictures_are_wrong(corpora: Path):
    # at the times of its own table, decord 0.6.0 shows other pictures of both files
    for name, why in (("lipnet_bbaf2n.mpg", "mpeg"), ("pyfeat_no_face.mp4", "98 pictures of 95")):
        path = str(corpora / "clips/wild" / name)
        media = decode(path, DecodePlan(VideoSpec(), None))
        assert media.decoder == "pyav" and len(media.frames) == 6
        assert why in media.warnings[0] and media.warnings[0].startswith("decoder: ")
        with pytest.raises(ClipError, match="unreadable: decord"):
            decode(path, DecodePlan(VideoSpec(), None, decoder="decord"))


STRANGE_PIXELS: dict[str, tuple[str, dict, str]] = {
    "ten bits": ("a.mp4", {"pix_fmt": "yuv420p10le"}, "yuv420p10le"),
    "odd size": ("a.webm", {"size": (97, 63), "codec": "libvpx", "sound": None}, "odd size"),
    "interlaced": ("a.mp4", {"options": {"flags": "+ilme+ildct"}}, "is not PyAV's"),
}


@pytest.mark.parametrize("name", STRANGE_PIXELS)
def test_decord_is_not_chosen_where_it_shows_other_colours(name: str, tmp_path: Path):
    file_name, recipe, why = STRANGE_PIXELS[name]
    path = str(write_clip(tmp_path / file_name, **{"coloured": True, **recipe}))
    plan = DecodePlan(VideoSpec(count=4), None)
    by_name = [decode(path, replace(plan, decoder=decoder)) for decoder in ("decord", "pyav")]
    apart = np.abs(by_name[0].frames.astype(int) - by_name[1].frames).max()
    assert apart > 10, "decord has learned it: let auto choose it"
    chosen = decode(path, plan)
    assert (by_name[0].decoder, chosen.decoder) == ("decord", "pyav")
    assert why in chosen.warnings[0]
    np.testing.assert_array_equal(chosen.frames, by_name[1].frames)


COMPARED = {
    "h264": ("a.mp4", {}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
    "mpeg4": ("a.mp4", {"codec": "mpeg4"}),
    "vp8": ("a.webm", {"codec": "libvpx", "sound": None}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "sound": None}),
}
NOT_COMPARED = {
    "mjpeg": ("a.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "mpeg1video": ("a.mp4", {"codec": "mpeg1video"}),
    "mpeg2video": ("a.mkv", {"codec": "mpeg2video"}),
    "ffv1": ("a.mkv", {"codec": "ffv1", "sound": None}),
    "msmpeg4": ("a.mkv", {"codec": "msmpeg4", "sound": None}),
    "h263": ("a.mov", {"codec": "h263", "size": (176, 144)}),
    "png": ("a.mov", {"codec": "png", "pix_fmt": "rgb24"}),
}


@pytest.mark.parametrize("codec", COMPARED)
def test_decord_shows_the_same_pixels_of_every_codec_it_is_given(codec: str, tmp_path: Path):
    file_name, recipe = COMPARED[codec]
    path = str(write_clip(tmp_path / file_name, frames=40, coloured=True, **recipe))
    plan = DecodePlan(VideoSpec(sampling="fps", fps=25.0), None)
    chosen, right = decode(path, plan), decode(path, replace(plan, decoder="pyav"))
    assert (chosen.decoder, len(chosen.frames)) == ("decord", 40)
    np.testing.assert_array_equal(chosen.frames, right.frames)


@pytest.mark.parametrize("codec", NOT_COMPARED)
def test_decord_is_given_no_other_codec(codec: str, tmp_path: Path):
    file_name, recipe = NOT_COMPARED[codec]
    path = str(write_clip(tmp_path / file_name, frames=10, **recipe))
    plan = DecodePlan(VideoSpec(count=2), None)
    media = decode(path, plan)
    assert (media.decoder, len(media.frames)) == ("pyav", 2)
    told = f"it was never compared on {codec}"
    assert media.warnings == (f"decoder: not decord ({told})",)
    with pytest.raises(ClipError, match=f"unreadable: decord: {told}"):
        decode(path, replace(plan, decoder="decord"))


def test_the_codecs_that_decord_is_given_are_the_ones_compared():
    assert frozenset(COMPARED) == decord_reader._PROVEN


def test_pictures_of_trusted_real_clips_are_the_same(corpora: Path):
    spec = VideoSpec(sampling="fps", fps=60.0, max_frames=40, max_side=10_000)
    trusted = 0
    for path in sorted((corpora / "clips").glob("[lw]*/*")):
        chosen = decode(str(path), DecodePlan(spec, None))
        if chosen.decoder == "decord":
            trusted += 1
            right = decode(str(path), DecodePlan(spec, None, "pyav"))
            np.testing.assert_array_equal(chosen.frames, right.frames, err_msg=path.name)
    assert trusted >= 10


def cut_in_half(path: Path, target: Path) -> Path:
    data = path.read_bytes()
    target.write_bytes(data[: len(data) * 6 // 10])
    return target


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_cut_file_gives_what_there_is_and_says_so(name: str, tmp_path: Path):
    options = {"movflags": "faststart"} if name.endswith("mp4") else None
    whole = write_clip(tmp_path / name, frames=200, mux_options=options)
    path = str(cut_in_half(whole, tmp_path / f"cut-{name}"))
    plan = DecodePlan(VideoSpec(sampling="fps", fps=5), 16000)
    media = decode(path, plan)
    assert media.info.duration_s == pytest.approx(8.0, abs=0.1)
    assert 15 <= len(media.frames) < 35
    got = [number_of(p) for p in media.frames]
    right = expected(np.arange(200) / 25, media.frame_times_s)
    assert got[:-1] == right[:-1]
    assert right[-1] - 4 <= got[-1] <= right[-1]  # pictures between the last two key ones are lost
    assert 3 < len(media.audio) / 16000 < 7
    assert any(w.startswith("decoder: not decord (") for w in media.warnings)
    assert any(w.startswith("video: stops at ") and " of 8.0 s" in w for w in media.warnings)
    assert any(w.startswith("audio: stops at ") and " of 8.0 s" in w for w in media.warnings)


def test_damage_in_the_middle_is_survived(tmp_path: Path):
    whole = write_clip(tmp_path / "a.mp4", frames=200, options=WITH_KEYS, sound=None)
    data = bytearray(whole.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    (tmp_path / "b.mp4").write_bytes(data)
    media = decode(str(tmp_path / "b.mp4"), DecodePlan(VideoSpec(count=4), None, "pyav"))
    assert len(media.frames) == 4
    assert number_of(media.frames[-1]) == expected(np.arange(200) / 25, media.frame_times_s[-1:])[0]
