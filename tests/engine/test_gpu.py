"""A worker that was given a GPU which it cannot use ends the job with one line."""

from pathlib import Path

import onnxruntime
import pytest
import torch

from emotion_core import storage
from emotion_core.engine.gpu import check_torch_gpu
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.job import label
from emotion_core.preprocessing.job import Preprocessing, preprocess
from emotion_core.recipes import load_recipe
from tests.support.labelling import manifest, quiet, untrained

WAY_OUT = (
    "pip uninstall -y onnxruntime onnxruntime-gpu && "
    "pip install --no-deps -c constraints.txt onnxruntime-gpu"
)
NODE = "the-node"

no_gpu_here = pytest.mark.skipif(
    torch.cuda.is_available() or "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this machine has what is missing in the test",
)


@no_gpu_here
def test_no_cuda_provider_ends_preprocess(
    ray_with_a_made_up_gpu: None, demo: Path, tmp_path: Path
) -> None:
    how = Preprocessing(load_recipe("timedist-blstm"))
    out = str(tmp_path / "out")
    storage.start_output(out, "features", how.settings())

    with pytest.raises(UsageError) as caught:
        preprocess(manifest(demo / "corpus"), how, out, quiet)

    told = str(caught.value)
    assert told.startswith("node ") and "no CUDA provider" in told and WAY_OUT in told
    assert "\n" not in told
    assert not list((tmp_path / "out").glob("features/*.parquet")), "no row from a CPU instead"


@no_gpu_here
def test_no_gpu_for_torch_ends_label(
    ray_with_a_made_up_gpu: None, demo: Path, tmp_path: Path
) -> None:
    how = Labelling((str(untrained(tmp_path / "model")),))
    out = str(tmp_path / "out")
    storage.start_output(out, "labels", how.settings())

    with pytest.raises(UsageError, match="node .*Ray gave this worker a GPU, but torch .* none"):
        label(manifest(demo / "corpus"), how, out, quiet)


def test_torch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: NODE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=f"node {NODE}: .*driver 580"):
        check_torch_gpu()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_torch_gpu()
