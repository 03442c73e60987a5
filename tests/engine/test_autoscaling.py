"""Jobs on a cluster whose GPU pool stands at zero ask for GPUs, and get them.

A real head with Ray's own autoscaler and made-up nodes (``tests/support/autoscaling.py``). They
only say that they have a GPU, so a job gets as far as the worker that finds none (``test_gpu``
holds what it says then); what the autoscaler was told, and the nodes that came, are the proof.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest
import torch

from tests.support.autoscaling import gpus_at_zero, wait_for_zero, watched
from tests.support.cluster import RayCluster
from tests.support.jobs import ROOT
from tests.support.labelling import untrained
from tests.support.synthetic_features import rows, write_features
from tests.training.test_ray import HEARD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.skipif(torch.cuda.is_available(), reason="made-up GPUs would be real ones here"),
    pytest.mark.skipif(
        "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
        reason="this ONNX Runtime has the provider whose absence is tested",
    ),
]

AWAITED = "asking the cluster for GPUs: none is there yet, 2 may come"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with gpus_at_zero() as started:
        yield started


def run(cluster: RayCluster, *command: object) -> tuple[str, list[dict[str, float]]]:
    """Submit a job when no made-up node is left: what it said, and for what its work waited."""
    wait_for_zero(cluster)
    with watched(cluster) as bundles, tempfile.TemporaryDirectory() as folder:
        # Not ROOT: the made-up nodes share a folder of this machine, and one that leaves may delete
        # there what a later job of the same working directory uses.
        (Path(folder) / "job.txt").write_text(folder)
        done = cluster.submit(
            "python", *map(str, command), working_dir=Path(folder),
            job_env={"PYTHONPATH": str(ROOT)}, timeout=400,
        )  # fmt: skip
    said = done.stdout + done.stderr
    return said, [bundle for bundle in bundles if "GPU" in bundle]


def test_preprocess_asks_for_gpus_and_never_finds_faces_on_a_cpu_instead(
    cluster: RayCluster, demo: Path, tmp_path: Path
) -> None:
    corpus = f"ravdess={demo / 'corpus'}"
    said, bundles = run(
        cluster, ROOT / "jobs/preprocess.py", "--corpus", corpus, "--out", tmp_path / "out"
    )

    assert AWAITED in said
    assert bundles == [{"CPU": 0.45, "GPU": 0.4}]
    assert not list((tmp_path / "out").glob("features/*.parquet"))


def test_label_asks_for_gpus(cluster: RayCluster, demo: Path, tmp_path: Path) -> None:
    model = untrained(tmp_path / "model")
    said, bundles = run(
        cluster, ROOT / "jobs/label.py", "--videos", demo / "corpus", "--model", model,
        "--out", tmp_path / "out",
    )  # fmt: skip

    assert AWAITED in said
    assert bundles == [{"CPU": 0.02, "GPU": 0.25}]


def test_train_asks_for_as_many_gpus_as_may_come(cluster: RayCluster, tmp_path: Path) -> None:
    features = write_features(tmp_path / "f", rows(HEARD, modalities=("audio",)), HEARD)
    said, bundles = run(
        cluster, ROOT / "jobs/train.py", "--recipe", "tests.training.test_ray:HEARD", "--epochs", 1,
        "--features", features, "--out", tmp_path / "model",
    )  # fmt: skip

    assert AWAITED in said
    assert "2 worker(s) on GPU" in said
    assert bundles == [{"CPU": 1.0, "GPU": 1.0}]


def test_work_that_waited_for_gpus_is_done_on_them(cluster: RayCluster, tmp_path: Path) -> None:
    """A step that says it needs a GPU, and touches none: clips flow, and the pool grows."""
    said, bundles = run(cluster, "-m", "tests.support.made_up_step", tmp_path)

    assert bundles == [{"CPU": 0.45, "GPU": 1.0}]
    assert "300 rows, 2 nodes with a GPU" in said, said
