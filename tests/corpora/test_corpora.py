"""Names on disk -> labelled clips: every published layout, and nothing guessed."""

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotion_core import storage
from emotion_core.corpora import CORPORA, Scan, scan, scan_all
from emotion_core.errors import ClipError, UsageError
from emotion_core.media.stills import picture_of_line
from emotion_core.media.suffixes import AUDIO, IMAGE, MEDIA, VIDEO, kind_of
from emotion_core.preprocessing import command
from tests.support.jobs import run_here


def touch(root: Path, *names: str) -> str:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return str(root)


def names(found: Scan) -> list[str]:
    return [clip.uri.rsplit("/", 1)[-1] for clip in found.clips]


# --- suffixes ----------------------------------------------------------------------------------


def test_kinds_of_media() -> None:
    assert kind_of("/a b#/X.MP4") == "video"
    assert kind_of("s3://b/x.tar/x.FLAC") == "audio"
    assert kind_of("zip://train/happy/1.jpeg::/x/fer.zip") == "image"
    assert kind_of("file:///caf%E9%2Emp4") == "video"
    assert kind_of("/x/README.md") is None
    assert kind_of("/x/mp4") is None
    assert MEDIA == VIDEO | AUDIO | IMAGE
    assert len(MEDIA) == len(VIDEO) + len(AUDIO) + len(IMAGE)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in MEDIA)


# --- RAVDESS -----------------------------------------------------------------------------------


def test_ravdess_names_say_everything(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "Video_Speech_Actor_01/Actor_01/01-01-06-02-02-01-01.MP4",
        "Audio_Speech_Actors_01-24/Actor_12/03-01-02-01-01-02-12.wav",
        "03-02-05-01-01-01-24.flac",
        "02-01-01-01-02-02-13.avi",
    )
    by_speaker = {clip.speaker: clip for clip in scan("ravdess", root).clips}
    clip = by_speaker["01"]
    assert (clip.corpus, clip.emotion, clip.intensity) == ("ravdess", "fearful", "strong")
    assert (clip.statement, clip.repetition) == ("dogs", "1")
    assert (clip.channel, clip.modality, clip.subset) == ("speech", "audio-visual", None)
    assert clip.size == 1 and clip.version and clip.uri.endswith("01-01-06-02-02-01-01.MP4")
    clip = by_speaker["12"]
    assert (clip.emotion, clip.intensity, clip.modality) == ("calm", "normal", "audio")
    assert (clip.statement, clip.repetition) == ("kids", "2")
    assert (by_speaker["24"].emotion, by_speaker["24"].channel) == ("angry", "song")
    assert (by_speaker["13"].emotion, by_speaker["13"].modality) == ("neutral", "video")


NO_RAVDESS = (
    "00-01-01-01-01-01-01.wav",
    "04-01-01-01-01-01-01.mp4",
    "03-00-02-01-01-01-01.wav",
    "03-03-02-01-01-01-01.wav",
    "03-01-00-01-01-01-01.wav",
    "03-01-09-01-01-01-01.wav",
    "03-01-02-03-01-01-01.wav",
    "03-01-02-01-03-01-01.wav",
    "03-01-02-01-01-03-01.wav",
    "03-01-02-01-01-01-00.wav",
    "03-01-02-01-01-01-25.wav",
    "03-01-01-02-01-01-01.wav",  # strong neutral
    "03-02-07-01-01-01-01.wav",  # sung disgust
    "03-02-08-01-01-01-01.wav",  # sung surprise
    "03-01-02-01-01-01-01.mp4",  # audio-only in a video file
    "01-01-02-01-01-01-01.wav",  # full-AV in a sound file
    "3-1-2-1-1-1-1.wav",
    "03-01-02-01-01-01.wav",
    "03-01-02-01-01-01-01-01.wav",
    "03-01-02-01-01-01-01_crop.wav",
    "\u0660\u0663-01-02-01-01-01-01.wav",  # Arabic digits
)


@pytest.mark.parametrize("name", NO_RAVDESS)
def test_ravdess_does_not_guess(tmp_path: Path, name: str) -> None:
    root = touch(tmp_path, name, "03-01-05-02-01-01-07.wav")
    found = scan("ravdess", root)
    assert names(found) == ["03-01-05-02-01-01-07.wav"]
    assert [uri.rsplit("/", 1)[-1] for uri in found.unparsed] == [name]


def test_ravdess_takes_an_utterance_once_in_its_richest_form(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        *(f"{kind}-01-05-02-01-01-07.{suffix}" for kind, suffix in KINDS),
        "02-01-05-02-01-02-07.mp4",
        "03-01-05-02-01-02-07.wav",
        "again/03-01-05-02-01-02-07.wav",
        "02-01-05-02-02-01-07.mp4",
        "03-02-05-02-01-01-07.wav",  # the same words, sung: another utterance
        "notes.txt",
        "odd.wav",
    )
    found = scan("ravdess", root)
    assert sorted(names(found)) == [
        "01-01-05-02-01-01-07.mp4",
        "02-01-05-02-02-01-07.mp4",
        "03-01-05-02-01-02-07.wav",
        "03-02-05-02-01-01-07.wav",
    ]
    assert "/again/" not in "".join(clip.uri for clip in found.clips)
    assert (found.duplicates, found.other_modality, len(found.unparsed)) == (4, 0, 1)


KINDS = (("01", "mp4"), ("02", "mp4"), ("03", "wav"))


@pytest.mark.parametrize(
    ("modality", "taken", "duplicates", "elsewhere"),
    [("audio-visual", 1, 2, 1), ("video", 1, 2, 1), ("audio", 2, 2, 0)],
)
def test_modality_chooses(
    tmp_path: Path, modality: str, taken: int, duplicates: int, elsewhere: int
) -> None:
    root = touch(
        tmp_path,
        *(f"{kind}-01-05-02-01-01-07.{suffix}" for kind, suffix in KINDS),
        "03-01-06-02-01-01-07.wav",
    )
    found = scan("ravdess", root, modality)
    assert {clip.modality for clip in found.clips} == {modality}
    assert len(found.clips) == taken
    assert (found.duplicates, found.other_modality) == (duplicates, elsewhere)
    assert len(found.clips) + found.duplicates + found.other_modality == 4


def test_a_modality_that_is_not_there_is_said(tmp_path: Path) -> None:
    root = touch(tmp_path, "03-01-05-02-01-01-07.wav")
    with pytest.raises(UsageError, match=r"no ravdess clip in this modality \(1 in others\)"):
        scan("ravdess", root, "video")
    with pytest.raises(UsageError, match="choose one of audio-visual, audio, video"):
        scan("ravdess", root, "sound")


def test_songs_are_left_out_and_told(tmp_path: Path) -> None:
    speech, song = "03-01-05-02-01-01-07.wav", "03-02-05-02-01-01-07.wav"
    root = touch(tmp_path / "ravdess", speech, song)
    assert names(scan("ravdess", root)) == [speech, song]
    assert names(scan("ravdess", root, channel="all")) == [speech, song]
    for channel, taken in (("speech", speech), ("song", song)):
        found = scan("ravdess", root, channel=channel)
        assert names(found) == [taken]
        assert list(found.left_out.values()) == [1]
    # most corpora name no channel: they are not sung
    folder = f"folder={touch(tmp_path / 'own', 'happy/1.wav')}"
    assert len(scan_all([folder], channel="speech")[0].clips) == 1
    with pytest.raises(UsageError, match="no song there, 1 other clips: pass --channel all"):
        scan_all([folder], channel="song")
    with pytest.raises(UsageError, match="no channel 'sung': choose one of speech, song, all"):
        scan_all([folder], channel="sung")


@pytest.mark.parametrize(
    ("options", "channel"),
    [((), "speech"), (("--recipe", "strip-cnn-lstm"), "all"), (("--channel", "song"), "song")],
)
def test_preprocess_asks_for_the_recipe_s_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], channel: str
) -> None:
    def asked(corpora: list[str], modality: str | None, channel: str) -> list[Scan]:
        raise UsageError(f"asked for {channel}")

    monkeypatch.setattr(command, "scan_all", asked)
    place = ("--corpus", "ravdess=x", "--out", tmp_path / "out")
    done = run_here("preprocess", *place, *options)
    assert done.returncode == 2 and done.stderr.strip().endswith(f"asked for {channel}")


# --- SAVEE -------------------------------------------------------------------------------------


def test_savee_layouts(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "AudioData/DC/a01.wav",
        "AudioVisualClip/JE/su15.AVI",
        "KL_n30.flac",
        "flat/jk_sa7.wav",
    )
    found = {clip.speaker: clip for clip in scan("savee", root).clips}
    assert {s: (c.emotion, c.statement, c.modality) for s, c in found.items()} == {
        "DC": ("angry", "a01", "audio"),
        "JE": ("surprised", "su15", "audio-visual"),
        "KL": ("neutral", "n30", "audio"),
        "JK": ("sad", "sa07", "audio"),
    }
    assert {(c.corpus, c.channel, c.intensity) for c in found.values()} == {
        ("savee", "speech", None)
    }


def test_savee_takes_sound_or_clip_once(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "AudioData/DC/a01.wav",
        "AudioData/DC/a02.wav",
        "AudioVisualClip/DC/a1.avi",
        "DC_a01.wav",
    )
    found = scan("savee", root)
    assert names(found) == ["a02.wav", "a1.avi"]
    assert found.duplicates == 2
    sound = scan("savee", root, "audio")
    assert names(sound) == ["a01.wav", "a02.wav"]
    assert sound.duplicates == 2


@pytest.mark.parametrize(
    "name", ["XX/a01.wav", "a01.wav", "DC/a00.wav", "DC/a16.wav", "DC/n31.wav", "DC/x01.wav"]
)
def test_savee_does_not_guess(tmp_path: Path, name: str) -> None:
    found = scan("savee", touch(tmp_path, name, "DC/d15.wav"))
    assert names(found) == ["d15.wav"]
    assert len(found.unparsed) == 1


# --- TESS --------------------------------------------------------------------------------------


def test_tess_spellings(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "OAF_angry/OAF_back_angry.wav",
        "OAF_Pleasant_surprise/OAF_back_ps.wav",
        "OAF_neutral/OA_bite_neutral.wav",
        "YAF_pleasant_surprised/YAF_back_pleasant_surprised.wav",
        "YAF_sad/yaf_back_SAD.wav",
        "copy/YAF_sad/YAF_back_sad.wav",
        "OAF_back_calm.wav",
        "XAF_back_sad.wav",
        "OAF_sad.wav",
    )
    found = scan("tess", root, "video")  # the choice is for corpora that have one
    assert sorted((c.speaker, c.statement, c.emotion) for c in found.clips) == [
        ("OAF", "back", "angry"),
        ("OAF", "back", "surprised"),
        ("OAF", "bite", "neutral"),
        ("YAF", "back", "sad"),
        ("YAF", "back", "surprised"),
    ]
    assert {(c.corpus, c.modality) for c in found.clips} == {("tess", "audio")}
    assert (found.duplicates, len(found.unparsed)) == (1, 3)


# --- FER2013 -----------------------------------------------------------------------------------


def test_fer2013_folders(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "test",
        "train/happy/Training_1.jpg",
        "test/sad/PublicTest_2.jpg",
        "test/sad/PrivateTest_3.jpg",
        "train/fear/plain.png",
        "PrivateTest/surprise/plain.png",
        "test/angry/plain.png",
        "neutral/plain.png",
        "train/contempt/Training_4.jpg",
        "train/calm/Training_5.jpg",
    )
    found = scan("fer2013", root)
    assert sorted((c.emotion, c.subset) for c in found.clips if c.subset) == [
        ("angry", "PublicTest"),
        ("fearful", "train"),
        ("happy", "train"),
        ("sad", "PrivateTest"),
        ("sad", "PublicTest"),
        ("surprised", "PrivateTest"),
    ]
    # 'test' above the given folder says nothing about the pictures
    assert [c.emotion for c in found.clips if not c.subset] == ["neutral"]
    assert {(c.corpus, c.modality, c.speaker) for c in found.clips} == {("fer2013", "face", None)}
    assert len(found.unparsed) == 2


def test_fer2013_inside_its_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "fer.zip", "w") as archive:
        archive.writestr("fer2013/train/disgust/Training_1.jpg", b"one")
    (clip,) = scan("fer2013", str(tmp_path / "fer.zip")).clips
    assert (clip.emotion, clip.subset, clip.size) == ("disgust", "train", 3)
    with storage.local_copy(clip.uri, clip.member) as path:
        assert path.read_bytes() == b"one"


PIXELS = np.arange(2304, dtype=np.int64).reshape(48, 48) % 256


def csv_line(emotion: object, usage: str, pixels: np.ndarray = PIXELS) -> str:
    return f"{emotion},{' '.join(map(str, pixels.ravel()))},{usage}"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_fer2013_csv_is_read_line_by_line(tmp_path: Path, newline: str) -> None:
    lines = [
        "emotion,pixels,Usage",
        csv_line(0, "Training"),
        csv_line(6, "PublicTest", PIXELS.T),
        csv_line(7, "Training"),
        csv_line(3, "Secret"),
        "",
        csv_line(5, "PrivateTest"),
    ]
    (tmp_path / "fer2013.csv").write_bytes(newline.join(lines).encode())
    for uri in (str(tmp_path), str(tmp_path / "fer2013.csv")):
        found = scan("fer2013", uri)
        assert [(c.emotion, c.subset) for c in found.clips] == [
            ("angry", "train"),
            ("neutral", "PublicTest"),
            ("surprised", "PrivateTest"),
        ]
        assert [u.rsplit(" ", 2)[-2:] for u in found.unparsed] == [["line", "4"], ["line", "5"]]
    assert len({clip.clip_id for clip in found.clips}) == 3
    expected = (PIXELS, PIXELS.T, PIXELS)
    for clip, pixels in zip(found.clips, expected, strict=True):
        with storage.local_copy(clip.uri, clip.member) as path:
            line = path.read_bytes()
        assert len(line) == clip.size and line.decode() in lines
        image = picture_of_line(line)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, pixels)


def test_fer2013_csv_with_its_columns_in_another_order(tmp_path: Path) -> None:
    pixels = " ".join(map(str, PIXELS.ravel()))
    text = f"emotion, Usage, pixels\n4,PublicTest,{pixels}\n"
    (tmp_path / "icml_face_data.csv").write_text(text)
    (clip,) = scan("fer2013", str(tmp_path)).clips
    assert (clip.emotion, clip.subset) == ("sad", "PublicTest")
    line = storage.read_bytes(clip.uri)[-clip.size - 1 :]
    np.testing.assert_array_equal(picture_of_line(line), PIXELS)


def test_fer2013_csv_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="no columns emotion, pixels and Usage"):
        scan("fer2013", str(tmp_path / "x.csv"))
    with zipfile.ZipFile(tmp_path / "fer.zip", "w") as archive:
        archive.writestr("fer2013.csv", "emotion,pixels,Usage\n")
    with pytest.raises(UsageError, match="unpack the CSV file first"):
        scan("fer2013", str(tmp_path / "fer.zip"))


@pytest.mark.parametrize("line", [b"", b"0,1 2 3,Training", b"0,a b,Training"])
def test_a_line_without_its_pixels_is_the_clips_trouble(line: bytes) -> None:
    with pytest.raises(ClipError) as raised:
        picture_of_line(line)
    assert raised.value.stage == "decode"
    with pytest.raises(ClipError):
        picture_of_line(csv_line(0, "Training", PIXELS + 1).encode())  # one is 256


# --- folders -----------------------------------------------------------------------------------


def test_any_folders_named_by_emotion(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "Happy/1.mp4",
        "train/fear/2.wav",
        "pleasant surprise/3.png",
        "bored/4.mp4",
        "5.mp4",
        "happy/notes.txt",
        "happy/Anna/6.mp4",
        "all/sad/ben/7.wav",
        "happy/n/8.wav",  # neutral, or a speaker?
        "happy/Anna/take 1/9.mp4",
    )
    found = scan("folder", root)
    assert [(c.emotion, c.modality) for c in found.clips] == [
        ("happy", "audio-visual"),
        ("sad", "audio"),
        ("happy", "audio-visual"),
        ("surprised", "image"),
        ("fearful", "audio"),
    ]
    assert [c.speaker for c in found.clips] == [None, "ben", "Anna", None, None]
    assert {c.corpus for c in found.clips} == {"folder"}
    assert len(found.unparsed) == 4
    # a folder above the given one labels nothing but what lies in it
    (alone,) = scan("folder", touch(tmp_path / "sad", "1.wav", "eve/2.wav")).clips
    assert (alone.emotion, alone.speaker) == ("sad", None)


# --- what users give ---------------------------------------------------------------------------


def test_scan_all_keeps_the_order_and_takes_any_uri(tmp_path: Path) -> None:
    ravdess = touch(tmp_path / "a=b #1", "03-01-05-02-01-01-07.wav")
    savee = touch(tmp_path / "s", "DC_a01.wav")
    scans = scan_all([f"savee={savee}", f"ravdess={ravdess}"])
    assert [s.clips[0].corpus for s in scans] == ["savee", "ravdess"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("ravdess", "'ravdess': write NAME=URI"),
        ("ravdess=", "write NAME=URI"),
        (
            "iemocap=/x",
            "no corpus 'iemocap': choose one of ravdess, savee, tess, cremad, fer2013, folder",
        ),
        ("savee=/none/x", "/none/x: no such file or folder"),
    ],
)
def test_wrong_specs(spec: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        scan_all([spec])
    with pytest.raises(UsageError, match="give --corpus NAME=URI"):
        scan_all([])


@pytest.mark.parametrize(
    "name", [name for name in CORPORA if name not in ("manifest", "labelstudio")]
)
def test_a_folder_without_clips_says_what_was_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no media files there; looked for .*[A-Za-z]"):
        scan(name, str(tmp_path))
    touch(tmp_path, "what/is this.wav", "what/is that.jpg")
    with pytest.raises(UsageError, match=r"none of \d media files? has .*for example is th"):
        scan(name, str(tmp_path))


def test_a_file_counts_in_one_corpus_only(tmp_path: Path) -> None:
    root = touch(tmp_path, "happy/03-01-05-02-01-01-07.wav")
    with pytest.raises(UsageError, match=r"both hold .*07\.wav"):
        scan_all([f"ravdess={root}", f"folder={root}"])
    with pytest.raises(UsageError, match="both hold"):
        scan_all([f"ravdess={root}", f"ravdess={root}/"])
    with pytest.raises(UsageError, match="both hold"):
        scan_all([f"ravdess={root}", f"ravdess={root}"])


# --- real corpora ------------------------------------------------------------------------------


def test_published_counts_of_ravdess(corpora: Path) -> None:
    found = scan("ravdess", str(corpora / "corpora/ravdess"))
    assert len(found.clips) == 1440 and not found.unparsed and not found.duplicates
    emotions = Counter(clip.emotion for clip in found.clips)
    assert emotions.pop("neutral") == 96
    assert set(emotions.values()) == {192} and len(emotions) == 7
    speakers = Counter(clip.speaker for clip in found.clips)
    assert set(speakers.values()) == {60} and len(speakers) == 24


def test_published_counts_of_savee(corpora: Path) -> None:
    found = scan("savee", str(corpora / "corpora/savee"))
    assert len(found.clips) == 480 and not found.unparsed and not found.duplicates
    each = Counter((clip.speaker, clip.emotion) for clip in found.clips)
    assert {s for s, _ in each} == {"DC", "JE", "JK", "KL"}
    assert {count for (_, emotion), count in each.items() if emotion == "neutral"} == {30}
    assert {count for (_, emotion), count in each.items() if emotion != "neutral"} == {15}
    assert len(each) == 4 * 7


def test_published_counts_of_fer2013(corpora: Path) -> None:
    found = scan("fer2013", str(corpora / "corpora/fer2013.zip"))
    assert not found.unparsed
    assert Counter(clip.subset for clip in found.clips) == {"train": 28709, "PublicTest": 3589}
    train = Counter(clip.emotion for clip in found.clips if clip.subset == "train")
    assert (train["happy"], train["disgust"], train["fearful"]) == (7215, 436, 4097)


def test_labels_of_original_files(corpora: Path) -> None:
    originals = scan("ravdess", str(corpora / "clips"))
    by_name = {clip.uri.rsplit("/", 1)[-1]: clip for clip in originals.clips}
    clip = by_name["02-01-08-02-01-01-19.mp4"]
    assert (clip.emotion, clip.speaker, clip.modality) == ("surprised", "19", "video")
    assert by_name["01-01-07-02-02-01-01.mp4"].emotion == "disgust"
