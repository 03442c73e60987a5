"""The same job on a laptop and on a cluster: ``ray job submit`` to two nodes, token required."""

import json

import pytest

from tests.preprocessing.test_job import features
from tests.support.cluster import RayCluster
from tests.support.jobs import ROOT

pytestmark = pytest.mark.cluster


def test_a_submitted_job_makes_the_features_of_a_local_one(
    ray_cluster: RayCluster, demo, demo_features, tmp_path
):
    assert len(ray_cluster.nodes()) == 2
    corpus = f"ravdess={demo / 'corpus'}"
    submitted = ray_cluster.submit(
        "python", "jobs/preprocess.py", "--recipe", "timedist-blstm", "--corpus", corpus,
        "--out", str(tmp_path / "cluster"),
        working_dir=ROOT,
        timeout=580,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    record = json.loads((tmp_path / "cluster" / "run.json").read_text())
    assert record["counts"] == {"inputs": 6, "ok": 6, "degraded": 0, "failed": 0}

    assert features(tmp_path / "cluster") == features(demo_features)


def test_wrong_usage_is_told_through_the_job_too(ray_cluster: RayCluster, tmp_path):
    submitted = ray_cluster.submit(
        "python", "jobs/preprocess.py", "--corpus", f"ravdess={tmp_path}", "--out", "x",
        working_dir=ROOT,
    )  # fmt: skip
    assert submitted.returncode != 0
    assert "error: " in submitted.stdout + submitted.stderr
    assert "Traceback" not in submitted.stdout
