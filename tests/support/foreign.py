"""Other people's models, made here: networks in ONNX, and small ones of transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 16000


def colour_network(folder: Path, labels: list[str], **changes: Any) -> Path:
    """ONNX: the mean of red, green and blue, times 20, is the logit of the first three labels.

    Args:
        folder: gets ``colours.onnx`` and ``colours.json``.
        labels: three or more; the others have a logit of 0. Without any, only dimensions.
        changes: to the description, and ``face`` to that part of it; None takes a field away. For
            each of ``dimensions`` there is one more output: the mean of red, from 0 to 1.
    """
    outputs = len(labels) + len(changes.get("dimensions") or ())
    weights = np.zeros((3, outputs), np.float32)
    for place in range(min(3, len(labels))):
        weights[place, place] = 20.0
    weights[0, len(labels) :] = 1.0
    nodes = [
        helper.make_node("GlobalAveragePool", ["face"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
    ]
    face = {"size": 16, "colour": "rgb", "layout": "channels_first", "divide_by": 255,
            "mean": [0], "std": [1]}  # fmt: skip
    if changes.get("face", {}).get("layout") == "channels_last":
        nodes.insert(0, helper.make_node("Transpose", ["given"], ["face"], perm=[0, 3, 1, 2]))
    shape = ["n", 16, 16, 3] if len(nodes) == 4 else ["n", 3, 16, 16]
    _write(folder / "colours", nodes, {"weights": weights}, shape, outputs)
    described = {
        "name": "Colours", "url": "https://example.org/colours", "licence": "MIT",
        "labels": labels, "output": "logits",
    } | changes | {"face": face | changes.get("face", {})}  # fmt: skip
    left = {key: value for key, value in described.items() if value is not None}
    left = left if labels else {key: left[key] for key in left.keys() - {"labels", "output"}}
    (folder / "colours.json").write_text(json.dumps(left))
    return folder / "colours.onnx"


def loudness_network(folder: Path, labels: list[str]) -> Path:
    """ONNX: sound of any length; the louder, the more the first label, else the second."""
    weights = np.zeros((1, len(labels)), np.float32)
    weights[0, :2] = 40.0, -40.0
    offset = np.zeros((1, len(labels)), np.float32)
    offset[0, 1] = 8.0
    nodes = [
        helper.make_node("ReduceL2", ["given", "axes"], ["length"], keepdims=1),
        helper.make_node("Div", ["length", "scale"], ["loud"]),
        helper.make_node("MatMul", ["loud", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["raw"]),
        helper.make_node("Softmax", ["raw"], ["logits"], axis=1),
    ]
    values = {
        "weights": weights, "offset": offset, "axes": np.array([1], np.int64),
        "scale": np.array([np.sqrt(2 * RATE)], np.float32),
    }  # fmt: skip
    _write(folder / "loud", nodes, values, ["n", "samples"], len(labels), "given")
    described = {
        "name": "Loudness", "url": "https://example.org/loud", "licence": "CC0",
        "labels": labels, "output": "probabilities",
        "audio": {"sample_rate": RATE, "standardise": False},
    }  # fmt: skip
    (folder / "loud.json").write_text(json.dumps(described))
    return folder / "loud.onnx"


def _write(
    place: Path, nodes: list, values: dict[str, Any], shape: list, outputs: int, given: str = ""
) -> None:
    graph = helper.make_graph(
        nodes,
        place.name,
        [helper.make_tensor_value_info(given or nodes[0].input[0], TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, f"{place}.onnx")


def voice_classifier(folder: Path, labels: list[str], problem: Any = None) -> Path:
    """A wav2vec2 with random weights that classifies sound, as ``transformers`` writes it.

    Args:
        folder: gets it.
        labels: of its outputs.
        problem: ``regression`` for outputs that are no classes.
    """
    import torch
    import transformers

    torch.manual_seed(3)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        conv_dim=(8, 8), conv_kernel=(10, 4), conv_stride=(10, 8), num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2, classifier_proj_size=8, id2label=dict(enumerate(labels)),
        initializer_range=0.5, problem_type=problem,
    )  # fmt: skip
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# Small\n")
    return folder


def face_classifier(folder: Path, labels: list[str]) -> Path:
    """A vision transformer with random weights that classifies pictures."""
    import torch
    import transformers

    torch.manual_seed(3)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        image_size=32, patch_size=8, id2label=dict(enumerate(labels)), initializer_range=0.5,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
