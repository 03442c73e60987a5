"""No speaker on two sides, every speaker tested once, and nothing depends on the order of rows."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.corpora import ravdess, savee, scan_all
from emotion_core.corpora.protocols import EMOBOX6, LUNA5, PROTOCOLS
from emotion_core.corpora.splits import SIDES, assign_split, expand, is_speaker_independent, plain
from emotion_core.errors import UsageError

NAMED = ("elte", *(f"{name}:{fold}" for name in ("luna5", "emobox6") for fold in range(5)))
NAMED += ("emobox6:5", *(f"savee4:{fold}" for fold in range(4)))


def corpus(
    name: str, speakers: tuple[str, ...], each: int = 10, folder: str = "/data", version: str = "1"
) -> list[Clip]:
    return [
        Clip(
            f"{folder}/{name}/{speaker}/{number:03d}.wav",
            100,
            version,
            corpus=name,
            speaker=speaker,
            emotion=("happy", "sad")[number % 2],
            statement=str(number),
        )
        for speaker in speakers
        for number in range(each)
    ]


def faces(subsets: dict[str, int]) -> list[Clip]:
    return [
        Clip(f"/fer/{subset}/{number}.jpg", 1, "1", corpus="fer2013", subset=subset)
        for subset, count in subsets.items()
        for number in range(count)
    ]


BOTH = corpus("ravdess", ravdess.SPEAKERS) + corpus("savee", savee.SPEAKERS)


def sides(spec: str, clips: list[Clip], seed: int = 0) -> dict[str, str]:
    table = manifest_table(clips)
    assigned = assign_split(spec, table, seed)
    assert assigned.shape == (len(clips),) and assigned.dtype.kind == "U"
    assert set(assigned.tolist()) <= {*SIDES, ""}
    return dict(zip(table.column("clip_id").to_pylist(), assigned.tolist(), strict=True))


def speakers_of(spec: str, clips: list[Clip]) -> dict[str, set[tuple[str | None, str | None]]]:
    assigned = sides(spec, clips)
    found: dict[str, set[tuple[str | None, str | None]]] = {side: set() for side in (*SIDES, "")}
    for clip in clips:
        found[assigned[clip.clip_id]].add((clip.corpus, clip.speaker))
    return found


# --- every named protocol ----------------------------------------------------------------------


@pytest.mark.parametrize("spec", [*NAMED, "loso:05", "loso:24", "loso:KL"])
def test_no_speaker_is_on_two_sides(spec: str) -> None:
    found = speakers_of(spec, BOTH)
    for one, other in itertools.combinations((*SIDES, ""), 2):
        assert not found[one] & found[other]
    assert all(found[side] for side in SIDES)
    tested = "savee" if spec in ("loso:KL",) or spec.startswith("savee4") else "ravdess"
    on_a_side = found["train"] | found["validation"] | found["test"]
    # everybody of the corpus has a side, nobody of the other one
    everybody = savee.SPEAKERS if tested == "savee" else ravdess.SPEAKERS
    assert on_a_side == {(tested, speaker) for speaker in everybody}
    assert is_speaker_independent(spec)


@pytest.mark.parametrize("name", ["luna5", "emobox6", "savee4", "loso:ravdess", "loso:savee"])
def test_all_folds_test_every_speaker_exactly_once(name: str) -> None:
    spec = name + ("/all" if name.startswith("loso") else ":all")
    tested: Counter[tuple[str | None, str | None]] = Counter()
    for fold in expand(spec, manifest_table(BOTH)):
        tested.update(speakers_of(fold, BOTH)["test"])
    which, everybody = (
        ("savee", savee.SPEAKERS) if "savee" in name else ("ravdess", ravdess.SPEAKERS)
    )
    assert tested == {(which, speaker): 1 for speaker in everybody}


def actors(spec: str, side: str) -> list[int]:
    return sorted(int(speaker or 0) for _, speaker in speakers_of(spec, BOTH)[side])


def test_the_published_actors_are_tested() -> None:
    assert actors("elte", "train") == list(range(1, 18))
    assert actors("elte", "validation") == [18, 19, 20, 21, 22]
    assert actors("elte", "test") == [23, 24]
    luna = [[2, 5, 14, 15, 16], [3, 6, 7, 13, 18], [10, 11, 12, 19, 20], [8, 17, 21, 23, 24]]
    luna.append([1, 4, 9, 22])
    assert [actors(f"luna5:{fold}", "test") for fold in range(5)] == luna
    emobox = [[1, 11, 20, 21], [4, 10, 12, 14], [8, 9, 19, 23], [3, 5, 7, 24], [2, 15, 16, 18]]
    emobox.append([6, 13, 17, 22])
    assert [actors(f"emobox6:{fold}", "test") for fold in range(6)] == emobox
    assert [
        [speaker for _, speaker in speakers_of(f"savee4:{fold}", BOTH)["test"]] for fold in range(4)
    ] == [["DC"], ["JE"], ["JK"], ["KL"]]


def test_validation_speakers_follow_the_written_rule() -> None:
    # fold 1 of EmoBox tests women only, so that fold 0 takes its two men from fold 2
    assert actors("emobox6:0", "validation") == [4, 9, 10, 19]
    assert actors("luna5:0", "validation") == [3, 6, 7, 18]
    assert actors("luna5:4", "validation") == [2, 5, 14, 15]
    for spec in (s for s in NAMED if s.startswith(("luna5", "emobox6"))):
        assert sorted(actor % 2 for actor in actors(spec, "validation")) == [0, 0, 1, 1]
    assert speakers_of("savee4:3", BOTH)["validation"] == {("savee", "DC")}
    assert actors("loso:22", "validation") == [1, 2, 23, 24]


def test_the_data_itself_is_consistent() -> None:
    for folds in (LUNA5, EMOBOX6):
        assert sorted(itertools.chain(*folds)) == list(ravdess.SPEAKERS)
    for each in itertools.chain(*PROTOCOLS.values()):
        everybody = (*each.train, *each.validation, *each.test)
        assert len(set(everybody)) == len(everybody)
    with pytest.raises(TypeError):
        PROTOCOLS["mine"] = ()  # type: ignore[index]


# --- order, place, seed ------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["luna5:1", "loso:05", "random", "random:savee", "elte+savee4:0"])
def test_the_order_of_rows_changes_nothing(spec: str) -> None:
    shuffled = [BOTH[i] for i in np.random.default_rng(1).permutation(len(BOTH))]
    assert sides(spec, BOTH) == sides(spec, shuffled)


def test_a_random_split_is_the_same_for_another_copy_of_the_corpus() -> None:
    copy = corpus("ravdess", ravdess.SPEAKERS, folder="/elsewhere", version="2")
    here = sides("random", BOTH[: len(copy)])
    assert list(here.values()) == list(sides("random", copy).values())


def test_random_divides_80_to_20_and_shares_speakers() -> None:
    counts = Counter(sides("random:ravdess", BOTH).values())
    assert counts == {"train": 173, "validation": 19, "test": 48, "": 40}
    both = sides("random", BOTH)
    assert Counter(both.values()) == {"train": 173 + 29, "validation": 19 + 3, "test": 48 + 8}
    assert sides("random", BOTH, seed=1) != both
    assert sides("random", BOTH, seed=0) == both
    found = speakers_of("random", BOTH)
    assert len(found["train"] & found["test"]) > 20
    assert not is_speaker_independent("random")
    assert not is_speaker_independent("luna5:0+random:tess")


def test_names_that_repeat_between_speakers_are_drawn_apart() -> None:
    drawn = sides("random:savee", BOTH)
    first = [drawn[c.clip_id] for c in BOTH if c.corpus == "savee" and int(c.statement or 0) < 5]
    by_speaker = {tuple(first[i : i + 5]) for i in range(0, len(first), 5)}
    assert len(by_speaker) > 1


# --- FER2013 and joined protocols --------------------------------------------------------------


def test_fer2013_uses_its_published_subsets() -> None:
    clips = faces({"train": 100, "PublicTest": 12, "PrivateTest": 13}) + BOTH
    public = sides("fer2013", clips)
    assert Counter(public.values()) == {
        "train": 90,
        "validation": 10,
        "test": 12,
        "": 13 + len(BOTH),
    }
    private = sides("fer2013:private", clips)
    by_subset = {c.clip_id: c.subset for c in clips}
    assert {by_subset[i] for i, side in private.items() if side == "test"} == {"PrivateTest"}
    assert {by_subset[i] for i, side in public.items() if side == "test"} == {"PublicTest"}
    assert {by_subset[i] for i, side in public.items() if side == "validation"} == {"train"}
    assert not is_speaker_independent("fer2013")
    with pytest.raises(UsageError, match="no FER2013 picture of its PrivateTest"):
        sides("fer2013:private", faces({"train": 100, "PublicTest": 12}))


def test_joined_protocols_speak_each_of_their_corpus() -> None:
    joined = sides("luna5:2+savee4:1", BOTH)
    one, other = sides("luna5:2", BOTH), sides("savee4:1", BOTH)
    assert joined == {clip_id: one[clip_id] or other[clip_id] for clip_id in joined}
    assert "" not in joined.values()
    for spec in ("luna5:2+emobox6:1", "elte+random"):
        with pytest.raises(UsageError, match="two of its protocols speak of corpus 'ravdess'"):
            sides(spec, BOTH)


# --- folds -------------------------------------------------------------------------------------


def test_spaces_in_a_spec_mean_nothing() -> None:
    assert plain(" elte + savee4:0 ") == "elte+savee4:0"
    assert expand(plain("elte + savee4:0")) == [plain("elte + savee4:0")]


def test_expand() -> None:
    assert expand("luna5:all") == [f"luna5:{fold}" for fold in range(5)]
    assert expand("luna5:3") == ["luna5:3"]
    assert expand("elte") == ["elte"]
    assert expand("random") == ["random"]
    assert expand("luna5:0+savee4:all") == [f"luna5:0+savee4:{fold}" for fold in range(4)]
    three = manifest_table(corpus("folder", ("c", "a", "b")))
    assert expand("loso:all", three) == ["loso:folder/a", "loso:folder/b", "loso:folder/c"]
    assert len(expand("loso:all", manifest_table(BOTH))) == 28
    with pytest.raises(UsageError, match="needs the features"):
        expand("loso:all")
    with pytest.raises(UsageError, match="only one term"):
        expand("luna5:all+savee4:all")
    with pytest.raises(UsageError, match="no such speakers"):
        expand("loso:tess/all", three)
    for wrong in ("elte:all", "luna7:all", "luna5"):
        with pytest.raises(UsageError, match="no split"):
            expand(wrong)


# --- wrong usage -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("luna", "no split 'luna': choose one of elte, luna5:0..4"),
        ("", "no split ''"),
        ("luna5", "choose luna5:0 to luna5:4, or luna5:all"),
        ("luna5:5", "choose luna5:0 to luna5:4"),
        ("luna5:-1", "choose luna5:0 to luna5:4"),
        ("luna5:all", "choose luna5:0 to luna5:4"),
        ("elte:0", "no split 'elte:0': choose elte"),
        ("loso:25", "no such speaker; the features hold ravdess .01, 02"),
        ("loso:", "no such speaker"),
        ("random:tess", "no such corpus"),
        ("fer2013:secret", "choose fer2013 or fer2013:private"),
        ("fer2013", "no FER2013 picture of its PublicTest"),
        ("luna5:0+nothing", "no split 'nothing'"),
    ],
)
def test_unknown_protocols(spec: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        sides(spec, BOTH)


def test_everybody_trains_and_nobody_is_tested() -> None:
    table = manifest_table(BOTH)
    assert set(assign_split("everybody", table).tolist()) == {"train"}
    one = speakers_of("everybody:savee", BOTH)
    assert one["train"] == {("savee", speaker) for speaker in savee.SPEAKERS}
    assert not one["test"] and not one["validation"]
    # another corpus beside the speakers of a fold
    joined = speakers_of("emobox6:0+everybody:savee", BOTH)
    assert {("savee", speaker) for speaker in savee.SPEAKERS} < joined["train"]
    assert {who for who, _ in joined["test"]} == {"ravdess"}
    assert expand("emobox6:all+everybody:savee")[5] == "emobox6:5+everybody:savee"
    with pytest.raises(UsageError, match="everybody:tess: no clip on the train side"):
        sides("everybody:tess", BOTH)


def test_a_side_without_clips_names_the_protocol_and_what_is_there() -> None:
    with pytest.raises(UsageError) as raised:
        sides("savee4:0", corpus("ravdess", ("01", "02")))
    assert str(raised.value) == (
        "--split savee4:0: no clip on the train side; the features hold ravdess (01, 02)"
    )
    with pytest.raises(UsageError, match="elte: no clip on the test side"):
        sides("elte", corpus("ravdess", ravdess.SPEAKERS[:22]))
    with pytest.raises(UsageError, match="no clip of any corpus"):
        sides("elte", [])


def test_loso_says_which_corpus_where_it_must() -> None:
    clips = corpus("ravdess", ("01", "02", "03")) + corpus("mine", ("01", "2", "3"))
    with pytest.raises(UsageError, match="write loso:mine/01 or loso:ravdess/01"):
        sides("loso:01", clips)
    assert speakers_of("loso:ravdess/1", clips)["test"] == {("ravdess", "01")}
    assert speakers_of("loso:mine/3", clips) == {
        "train": {("mine", "2")},
        "validation": {("mine", "01")},
        "test": {("mine", "3")},
        "": {("ravdess", s) for s in ("01", "02", "03")},
    }
    with pytest.raises(UsageError, match="tess has 2 speakers, and each side needs its own"):
        sides("loso:OAF", corpus("tess", ("OAF", "YAF")))


def test_rows_without_a_speaker_are_outside() -> None:
    clips = [*BOTH, Clip("/x.wav", 1, "1", corpus="ravdess"), Clip("/y.wav", 1, "1")]
    for spec in ("elte", "loso:ravdess/01"):
        assigned = sides(spec, clips)
        assert assigned[clips[-1].clip_id] == assigned[clips[-2].clip_id] == ""


def test_a_table_without_the_columns() -> None:
    with pytest.raises(UsageError, match="no column clip_id, uri"):
        assign_split("elte", pa.table({"corpus": ["ravdess"]}))


# --- real corpora ------------------------------------------------------------------------------


def test_sizes_on_the_real_corpora(corpora: Path) -> None:
    folder = corpora / "corpora"
    scans = scan_all([f"ravdess={folder}/ravdess", f"savee={folder}/savee"])
    clips = [clip for scan in scans for clip in scan.clips]
    table = manifest_table(clips)
    assert Counter(assign_split("elte", table).tolist()) == {
        "train": 17 * 60,
        "validation": 5 * 60,
        "test": 2 * 60,
        "": 480,
    }
    for spec in NAMED:
        counts = Counter(assign_split(spec, table).tolist())
        each = 120 if spec.startswith("savee4") else 60
        assert all(counts[side] % each == 0 and counts[side] for side in SIDES)
