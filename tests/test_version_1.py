"""What version 0.1 wrote is read, or refused in one line that names both versions and the way out.

Everything here is spelled out as 0.1 wrote it, so that nothing follows a later change of names.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.evaluation import command as evaluate
from emotion_core.labelling import command as label
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.models.bundle import load_bundle
from emotion_core.models.dataset import load_features
from emotion_core.models.networks import build_network
from emotion_core.preprocessing import command as preprocess
from emotion_core.preprocessing.rows import FEATURES_SCHEMA_VERSION
from emotion_core.recipes import recipe_to_json
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.task import prepare
from tests.support.labelling import untrained
from tests.support.small_recipes import small
from tests.support.synthetic_features import SMALL, rows

FLOATS = pa.list_(pa.float32())
FEATURES = pa.schema(
    [
        *(
            pa.field(name, pa.int64() if name == "size" else pa.string(), nullable=False)
            for name in ("clip_id", "uri", "size", "version")
        ),
        *(
            pa.field(name, pa.string())
            for name in ("member", "corpus", "speaker", "emotion", "intensity", "statement")
        ),
        *(pa.field(name, pa.string()) for name in ("repetition", "channel", "modality", "subset")),
        pa.field("status", pa.string(), nullable=False),
        pa.field("stage", pa.string()),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("error", pa.string()),
        pa.field("duration_s", pa.float64()),
        pa.field("decoder", pa.string()),
        pa.field("faces", pa.list_(pa.binary())),
        pa.field("face_boxes", pa.list_(FLOATS)),
        pa.field("face_scores", FLOATS),
        pa.field("frame_times_s", pa.list_(pa.float64())),
        pa.field("audio_features", pa.list_(FLOATS)),
        pa.field("audio_frames", pa.int32(), nullable=False),
        pa.field("seconds", pa.float64()),
    ]
)
RECIPE_KEYS = (
    "name", "summary", "source", "label_set", "split", "audio", "video", "network",
    "network_options", "training", "published",
)  # fmt: skip
AUDIO_KEYS = (
    "kind", "sample_rate", "n_mfcc", "n_mels", "n_fft", "hop_length", "trim_db", "scale",
    "max_frames",
)  # fmt: skip
TRAINING_KEYS = (
    "epochs", "batch_size", "lr", "weight_decay", "patience", "class_weights", "clip_grad_norm",
    "augment", "label_smoothing",
)  # fmt: skip


def recipe_of_1(recipe: Recipe) -> dict[str, Any]:
    """A recipe in the words of 0.1: ``part_s`` and ``stages``."""
    today = recipe_to_json(recipe)
    training = {key: today["training"][key] for key in TRAINING_KEYS}
    training["stages"] = list(recipe.training.phases)
    recipe_1 = {key: today[key] for key in RECIPE_KEYS}
    return {**recipe_1, "training": training, "part_s": recipe.segment_s}


def settings_of_1(recipe: Recipe) -> dict[str, Any]:
    today = recipe_to_json(recipe)
    return {
        "recipe": recipe.name,
        "audio": today["audio"] and {key: today["audio"][key] for key in AUDIO_KEYS},
        "video": today["video"],
        "detector": {"name": "centerface", "weights_hash": "ab" * 32},
        "decoder": "auto",
        "audio_backend": "librosa",
    }


def claim(out: Path, kind: str, settings: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made_by": "emotion-core", "kind": kind, "settings": settings}, indent=2)
    (out / "settings.json").write_text(text + "\n")


def features_of_1(out: Path, recipe: Recipe = SMALL) -> str:
    claim(out, "features", settings_of_1(recipe))
    (out / "features").mkdir()
    table = pa.Table.from_pylist(
        [{name: row.get(name) for name in FEATURES.names} for row in rows(recipe)], schema=FEATURES
    )
    metadata = {key: str(value) for key, value in settings_of_1(recipe).items()}
    table = table.replace_schema_metadata(metadata)
    pq.write_table(table, out / "features" / "part-0123456789abcdef0123.parquet")
    return str(out)


def bundle_of_1(out: Path, recipe: Recipe) -> tuple[str, str]:
    """A bundle as ``jobs/train.py`` of 0.1 left it, and its id."""
    out.mkdir()
    torch.manual_seed(3)
    labels = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    weights = build_network(recipe, len(labels), download=False).state_dict()
    data = save({name: tensor.contiguous() for name, tensor in weights.items()})
    written = {
        "format": 1,
        "recipe": recipe_of_1(recipe),
        "label_set": {"name": "emotions7", "labels": list(labels), "merge": {"calm": "neutral"}},
        "features": settings_of_1(recipe),
        "audio_frames": 18,
        "modalities": ["audio", "face"],
        "split": "elte",
        "seed": 0,
        "speakers": ["ravdess/01"],
        "clips": {"ravdess": 8},
    }
    digest = hashlib.sha256(data)
    digest.update(json.dumps(written, sort_keys=True).encode())
    model_id = digest.hexdigest()[:16]
    epoch = {"epoch": 0, "seconds": 1.0, "best": True, "stage": ""}
    (out / "model.safetensors").write_bytes(data)
    (out / "metrics.json").write_text(json.dumps({"model_id": model_id, "uar": 0.5}))
    (out / "history.json").write_text(json.dumps([epoch]))
    (out / "README.md").write_text("# card")
    (out / "recipe.json").write_text(json.dumps({"model_id": model_id, **written}, indent=2))
    return str(out), model_id


@pytest.mark.parametrize("name", ["strip-cnn-lstm", "alexnet-fusion-concat"])
def test_a_bundle_is_read_and_keeps_its_id(name: str, tmp_path: Path) -> None:
    """The first is cut into segments, the second is trained in phases."""
    recipe = small(name)
    recipe = replace(recipe, label_set="emotions7")
    assert recipe.segment_s or recipe.training.phases

    place, model_id = bundle_of_1(tmp_path / "model", recipe)
    bundle = load_bundle(place)

    assert bundle.model_id == model_id
    # 0.1 knew no channel: which clips are made features is no matter of a bundle
    assert bundle.recipe == replace(recipe, channel="speech")


def test_a_bundle_whose_recipe_was_changed_is_damaged_still(tmp_path: Path) -> None:
    place, _ = bundle_of_1(tmp_path / "model", SMALL)
    path = tmp_path / "model" / "recipe.json"
    written = json.loads(path.read_text())
    written["recipe"]["training"]["stages"] = ["audio"]
    path.write_text(json.dumps(written))

    with pytest.raises(UsageError, match="not what was written"):
        load_bundle(place)


def test_features_train_a_model(tmp_path: Path) -> None:
    place = features_of_1(tmp_path / "features")
    recipe = replace(SMALL, training=replace(SMALL.training, epochs=1))

    task = prepare(place, recipe, "elte", seed=0)
    state = Training(task.plan, task.sides["train"], task.sides["validation"]).run(lambda _: None)

    assert len(load_features(place, SMALL)) == len(rows())
    assert state is not None and np.isfinite(state.history[0].loss)


def test_a_model_is_measured_on_features(tmp_path: Path) -> None:
    model, model_id = bundle_of_1(tmp_path / "model", SMALL)
    features, out = features_of_1(tmp_path / "features"), tmp_path / "out"

    assert evaluate.main([model], [features], str(out)) == 0

    assert storage.read_json(str(out / "metrics.json"))["n"] > 10
    assert storage.read_json(str(out / "run.json"))["extra"]["model_id"] == {"": model_id}


def preprocessing(folder: Path, out: Path, **options: Any) -> None:
    (folder / "angry").mkdir()
    (folder / "angry" / "a.wav").write_bytes(b"RIFF")
    preprocess.main([f"folder={folder}"], str(out), **options)


def labelling(folder: Path, out: Path, **options: Any) -> None:
    (folder / "a.wav").write_bytes(b"RIFF")
    model = [str(untrained(folder / "model"))]
    label.main([str(folder / "a.wav")], str(out), model, **options)


@pytest.mark.parametrize(
    ("job", "kind", "settings", "options"),
    [
        (preprocessing, "features", settings_of_1(SMALL), {}),
        (labelling, "labels", {"schema_version": 1, "model_id": "0123456789abcdef"}, {}),
        (
            labelling, "labels", {"schema_version": 1, "model_id": "0123456789abcdef"},
            {"dry_run": True},
        ),
    ],
    ids=["preprocess", "label", "label --dry-run"],
)  # fmt: skip
def test_an_output_is_not_gone_on_with(
    job: Callable[..., None],
    kind: str,
    settings: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    claim(out, kind, settings)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    with pytest.raises(UsageError) as error:
        job(tmp_path, out, **options)

    version = LABELS_SCHEMA_VERSION if kind == "labels" else FEATURES_SCHEMA_VERSION
    assert str(error.value) == (
        f"{out} holds {kind} of schema version 1, this version writes {version}: choose another "
        "--out, or pass --overwrite"
    )
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
