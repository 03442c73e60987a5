"""A bundle from a stranger: it imports nothing, takes no memory, and ends in one line at worst.

Whoever makes such a bundle computes its ``model_id`` too, so every one here has the right one.
"""

import hashlib
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from emotion_core.errors import UsageError
from emotion_core.evaluation.folds import ModelCache, find_folds
from emotion_core.faces.detectors import detector_id
from emotion_core.labelling.how import Labelling
from emotion_core.models import weights
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.made import feature_settings, recipe_of_features
from emotion_core.models.networks import NETWORKS, build_network
from emotion_core.recipes.emotions import LABEL_SETS
from tests.support.synthetic_features import SMALL

ROOT = Path(__file__).resolve().parents[2]
FEATURES = {
    "detector": {"name": "centerface", "weights_hash": "ab"},
    "decoder": "auto",
    "audio_backend": "librosa",
}
# Runs when it is imported, as any module does.
SPY = """
import pathlib
import torch
pathlib.Path(__file__).with_name("ran").touch()

class Network(torch.nn.Linear):
    def __init__(self, audio, video, n_classes, **options):
        super().__init__(3, n_classes)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An ordinary bundle."""
    info = BundleInfo(
        SMALL, LABEL_SETS["emotions7"], FEATURES, 18, ("audio", "face"), "elte", 3,
        ("ravdess/01",), {"ravdess": 20},
    )  # fmt: skip
    save_bundle(str(tmp_path / "m"), info, build_network(SMALL).state_dict(), {}, [], "# card")
    return tmp_path / "m"


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is there once the module ``stranger`` was imported."""
    (tmp_path / "stranger.py").write_text(SPY)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "ran"
    sys.modules.pop("stranger", None)


def written(place: Path) -> dict[str, Any]:
    return json.loads((place / "recipe.json").read_text())


def forge(place: Path, data: Any) -> None:
    """Write a ``recipe.json`` with the ``model_id`` that belongs to it and to the weights."""
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != "model_id"}
        digest = hashlib.sha256((place / "model.safetensors").read_bytes())
        digest.update(json.dumps(data, sort_keys=True).encode())
        data["model_id"] = digest.hexdigest()[:16]
    (place / "recipe.json").write_text(json.dumps(data))


def change(place: Path, path: tuple[str, ...], value: Any) -> None:
    data = written(place)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    forge(place, data)


def name_network(place: Path, name: str) -> None:
    """Make the bundle one of a network elsewhere, a dense layer of 3 x 7 weights."""
    save_file({"weight": torch.zeros(7, 3), "bias": torch.zeros(7)}, place / "model.safetensors")
    change(place, ("recipe", "network"), name)


# --- code ----------------------------------------------------------------------------------------


def test_a_bundle_imports_no_module_that_it_names(place: Path, spy: Path) -> None:
    name_network(place, "stranger:Network")

    with pytest.raises(UsageError, match="'stranger:Network'.*--trust-code") as raised:
        load_bundle(str(place))

    assert str(place) in str(raised.value) and "\n" not in str(raised.value)
    assert not spy.exists(), "the module's code ran"


def test_it_does_with_trust_code(place: Path, spy: Path) -> None:
    name_network(place, "stranger:Network")

    assert load_bundle(str(place), trust_code=True).network.state_dict()["weight"].shape == (7, 3)
    assert spy.exists()


def test_a_recipe_of_one_s_own_vouches_for_its_own_network_only(place: Path, spy: Path) -> None:
    name_network(place, "stranger:Network")
    with pytest.raises(UsageError, match="--trust-code"):
        load_bundle(str(place), own_network="mine:Network")
    assert not spy.exists()

    assert load_bundle(str(place), own_network="stranger:Network").network


@pytest.mark.parametrize("name", ["os:path", "emotion_core.models.networks:build_network", ":x"])
def test_a_module_that_is_there_already_is_no_exception(place: Path, name: str) -> None:
    name_network(place, name)
    with pytest.raises(UsageError, match="not one of this package"):
        load_bundle(str(place))


def test_labelling_and_evaluation_pass_the_user_s_word_on(place: Path, spy: Path) -> None:
    name_network(place, "stranger:Network")
    _, folds = find_folds([str(place)])
    with pytest.raises(UsageError, match="--trust-code"):
        Labelling((str(place),)).check()
    with pytest.raises(UsageError, match="--trust-code"):
        ModelCache().bundles(folds[0])
    assert not spy.exists()

    assert ModelCache(trust_code=True).bundles(folds[0])
    assert Labelling((str(place),), trust_code=True).together


def test_features_name_no_code_either(tmp_path: Path, spy: Path) -> None:
    (tmp_path / "f").mkdir()
    settings = {"audio": None, "video": None, "recipe": "stranger:RECIPE"}
    (tmp_path / "f" / "settings.json").write_text(json.dumps({"settings": settings}))
    uri = str(tmp_path / "f")

    with pytest.raises(UsageError, match="'stranger:RECIPE', which is none of this package"):
        recipe_of_features(feature_settings(uri), uri)
    assert not spy.exists()


def test_a_detector_s_path_in_a_bundle_is_not_opened(place: Path, tmp_path: Path) -> None:
    change(place, ("features", "detector", "name"), f"insightface:{tmp_path}")

    with pytest.raises(UsageError, match="is a path: pass it as --detector"):
        Labelling((str(place),)).check()


# --- sizes ---------------------------------------------------------------------------------------


ABSURD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("timedist-blstm", {"hidden": 1_000_000}),  # 10^12 weights
    ("timedist-blstm", {"fusion": 10**12}),
    ("timedist-blstm", {"hidden": 10**400}),
    ("timedist-blstm", {"frame_widths": [8] * 1_000_000}),
    ("fer-cnn", {"convolutions": 10**9}),
    ("alexnet-visual", {"width": 10**9}),
    ("audio-cnn1d", {"widths": [10**7, 10**7]}),
)
LOADS = """
import resource, sys
from emotion_core.errors import UsageError
from emotion_core.models.bundle import load_bundle
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = used()
for place in sys.argv[1:]:
    try:
        load_bundle(place)
    except UsageError as error:
        print("refused:", error)
print(used() - before)
"""


def test_a_network_of_absurd_size_takes_no_memory(place: Path, tmp_path: Path) -> None:
    places = []
    for number, (network, options) in enumerate(ABSURD):
        places.append(str(shutil.copytree(place, tmp_path / f"absurd-{number}")))
        data = written(place)
        data["recipe"].update(network=network, network_options=options)
        forge(Path(places[-1]), data)

    done = subprocess.run(
        [sys.executable, "-c", LOADS, *places],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    *refused, more = done.stdout.splitlines()
    assert len(refused) == len(places), done.stdout + done.stderr
    for line, uri in zip(refused, places, strict=True):
        assert line.startswith(f"refused: model bundle {uri!r}: "), line
    assert int(more) < 300_000, "kilobytes for all of them"


def test_networks_that_others_build_meanwhile_do_not_count(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds are read in threads; torch asks one hook about the networks of all of them."""
    monkeypatch.setattr(weights, "_MOST_PARAMETERS", 10)
    with ThreadPoolExecutor(1) as other, weights._few_parameters():
        assert other.submit(lambda: [torch.nn.Linear(1, 1) for _ in range(20)]).result()
        with pytest.raises(UsageError, match="more than 10 layers"):
            [torch.nn.Linear(1, 1) for _ in range(20)]


def test_a_file_that_is_larger_than_its_weights_is_not_read(place: Path) -> None:
    path = place / "model.safetensors"
    with path.open("r+b") as file:
        file.truncate(3 << 40)  # 3 TB, none of which is on the disk

    with pytest.raises(UsageError, match="bytes of weights are more than any network"):
        load_bundle(str(place))

    with path.open("r+b") as file:
        file.truncate(64 << 20)
    with pytest.raises(UsageError, match="is damaged"):
        load_bundle(str(place))


@pytest.mark.parametrize(
    "start",
    [b"", b"\0" * 7, struct.pack("<Q", 1 << 62), struct.pack("<Q", 4) + b"nope",
     struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a":[1]}',
     struct.pack("<Q", 21) + b'{"a":{"shape":["x"]}}'],
)  # fmt: skip
def test_a_header_that_is_none_is_damage(place: Path, start: bytes) -> None:
    (place / "model.safetensors").write_bytes(start)
    forge(place, written(place))
    with pytest.raises(UsageError, match="damaged|do not fit"):
        load_bundle(str(place))


def test_a_recipe_of_gigabytes_is_not_read(place: Path) -> None:
    with (place / "recipe.json").open("r+b") as file:
        file.truncate(3 << 40)
    with pytest.raises(UsageError, match="too large"):
        load_bundle(str(place))


def test_a_recipe_of_a_million_brackets_ends_in_one_line(place: Path) -> None:
    (place / "recipe.json").write_text("[" * 1_000_000)
    with pytest.raises(UsageError, match="not a JSON file"):
        load_bundle(str(place))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_is_built_without_memory_as_it_is_with(name: str) -> None:
    from emotion_core.models.weights import shapes_of
    from emotion_core.recipes import RECIPES

    recipe = next(recipe for recipe in RECIPES.values() if recipe.network == name)
    real = build_network(recipe, 7, download=False).state_dict()

    assert shapes_of(recipe, 7) == {key: tuple(value.shape) for key, value in real.items()}


# --- every field ---------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**12, 10**400, float("nan"), float("inf"), "", "x", "os:system",
    "\x1b[2J", "\ud800", [], [None], ["x"] * 3, {}, {"x": {"y": 1}},
)  # fmt: skip


def paths(data: Any, here: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in data.items() if isinstance(data, dict) else ():
        yield (*here, key)
        yield from paths(value, (*here, key))


def outcome(place: Path) -> str:
    """``loaded`` or ``refused``; anything else is raised."""
    try:
        labelling = Labelling((str(place),))
        labelling.check()
    except UsageError as error:
        assert "\n" not in str(error) and str(error), "one line"
        assert len(str(error)) < 700, "a line that can be read"
        return "refused"
    (bundle,) = labelling.together.models
    assert sum(p.numel() for p in bundle.network.parameters()) < 1_000_000
    return "loaded"


def test_odd_values_in_any_field_end_in_one_line(place: Path) -> None:
    whole = written(place)
    whole["features"]["detector"] = detector_id("centerface")
    before = {name.split(".")[0] for name in sys.modules}
    counts = {"loaded": 0, "refused": 0}
    fields = [path for path in paths(whole) if path != ("model_id",)]
    assert len(fields) > 60, "every field of recipe.json"
    for path in fields:
        for value in ODD:
            forge(place, whole)
            change(place, path, value)
            counts[outcome(place)] += 1
        gone = json.loads(json.dumps(whole))
        inner = gone
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        forge(place, gone)
        counts[outcome(place)] += 1
    for value in ODD:
        forge(place, value)
        counts[outcome(place)] += 1

    assert counts["refused"] > 500 and counts["loaded"] > 100, counts
    new = {name.split(".")[0] for name in sys.modules} - before
    assert not new & {"os", "x", "stranger"} and "antigravity" not in new


def test_odd_values_in_folds_end_in_one_line(place: Path, tmp_path: Path) -> None:
    whole = {"split": "luna5:all", "folds": [{"split": "luna5:0", "folder": "luna5-0"}]}
    shutil.copytree(place, tmp_path / "all" / "luna5-0")
    path = tmp_path / "all" / "folds.json"
    path.write_text(json.dumps(whole))
    assert find_folds([str(tmp_path / "all")])[0] == "luna5:all"
    odd = [{**whole, key: value} for key in whole for value in ODD if value not in ("", "x")]
    odd += [{**whole, "folds": [{**whole["folds"][0], "folder": f}]} for f in ("../m", "/etc", ".")]
    for value in (*odd, *ODD):
        named = isinstance(value, dict) and isinstance(value.get("split"), str)
        if named and value.get("folds") == whole["folds"]:
            continue  # any word may name a split
        path.write_text(json.dumps(value))
        with pytest.raises(UsageError, match="damaged"):
            find_folds([str(tmp_path / "all")])
