"""Every command of every page is run: here, by another test, or it stands below why not.

A new command on any page fails ``test_every_command_is_accounted_for`` until it does.
"""

import ast
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer

from emotion_core import cli
from emotion_core.main import COMMANDS
from emotion_core.models.shipped import bundle_uri
from tests.support.documents import commands, site_pages
from tests.support.jobs import ROOT, Done, run_here
from tests.support.s3 import S3Server


@dataclass(frozen=True)
class Step:
    """A command as a page has it.

    Attributes:
        command: without the folder of its Python.
        more: options that only make it shorter.
        fresh: whether what an earlier step left in its ``--out`` goes first, as on another page.
        code: how it ends.
        check: told the folder afterwards.
    """

    command: str
    more: tuple[str, ...] = ()
    fresh: bool = False
    code: int = 0
    check: Callable[[Done, Path], None] = lambda done, here: None


def holds(*files: str) -> Callable[[Done, Path], None]:
    def check(done: Done, here: Path) -> None:
        missing = [file for file in files if not list(here.glob(file))]
        assert missing == []

    return check


def says(*words: str) -> Callable[[Done, Path], None]:
    def check(done: Done, here: Path) -> None:
        said = " ".join((done.stdout + done.stderr).split())
        assert [each for each in words if each not in said] == [], said

    return check


def licensed(done: Done, here: Path) -> None:
    """The record names the other project's model, and on what terms."""
    text = (here / "out" / "labels" / "run.json").read_text(encoding="utf-8")
    assert "Colours" in text and "MIT" in text


SHORT = ("--epochs", "1")

# Page -> its commands that are run here, in the order of a reader.
HERE: dict[str, tuple[Step, ...]] = {
    "README.md": (
        Step(
            "python jobs/label.py --videos data/videos --out out/labels",
            check=holds("out/labels/report.html", "out/labels/segments/*.parquet"),
        ),
        Step(
            "python jobs/report.py --labels out/labels --no-faces --short-names",
            check=holds("out/labels/report.html"),
        ),
        Step(
            "python jobs/preprocess.py --recipe timedist-blstm --corpus ravdess=data/ravdess "
            "--corpus savee=data/savee --out out/features",
            check=says("56"),
        ),
        Step(
            "python jobs/train.py --recipe timedist-blstm --features out/features --split elte "
            "--num-workers 2 --out out/model",
            SHORT,
            check=holds("out/model/model.safetensors", "out/model/README.md"),
        ),
        Step(
            "python jobs/evaluate.py --model out/model --features out/features --split elte "
            "--out out/eval",
            check=holds("out/eval/metrics.json", "out/eval/confusion.png"),
        ),
        Step(
            "python jobs/label.py --videos data/videos --model out/model --out out/labels",
            fresh=True,
            check=holds("out/labels/videos/*.parquet"),
        ),
        Step(
            "python jobs/export.py --labels out/labels --format csv --format vtt --out out/export",
            check=holds("out/export/segments.csv", "out/export/vtt/*.vtt"),
        ),
        Step(
            "python jobs/fetch.py savee --from downloads/savee --out s3://bucket/savee "
            "--accept-licence",
            code=3,
            check=says("missing: speaker"),
        ),
        Step("python jobs/train.py --list-recipes", check=says("voice-encoder")),
    ),
    "docs/protocols.md": (Step("python jobs/train.py --list-splits", check=says("emobox6")),),
    "docs/cluster.md": (
        Step(
            "emotion-core label --videos s3://bucket/clips --out s3://bucket/labels --dry-run",
            check=says("inputs"),
        ),
    ),
    "docs/labelling.md": (
        Step(
            "python jobs/label.py --videos session.mp4 --out out/session --fps 5 --speakers",
            check=holds("out/session/report.html"),
        ),
        Step(
            "python jobs/export.py --labels out/session --format csv --format eaf "
            "--out out/session-export",
            check=holds("out/session-export/eaf/session.eaf"),
        ),
        Step(
            "python jobs/label.py --videos s3://bucket/clips --model out/model --out out/labels "
            "--dry-run",
            check=says("inputs"),
        ),
        Step(
            "python jobs/label.py --videos s3://bucket/clips --model out/model --out out/labels",
            check=holds("out/labels/run.json"),
        ),
        Step(
            "python jobs/label.py --videos s3://bucket/clips --model out/model --out out/labels "
            "--retry-failed",
            check=says("0 of 1 inputs labelled"),
        ),
        Step(
            "python jobs/label.py --videos s3://bucket/clips --model out/voices "
            "--model out/faces --out out/both",
            check=holds("out/both/run.json"),
        ),
        Step(
            "python jobs/erase.py --labels out/labels --video s3://bucket/clips/one.mp4 "
            "--features out/features",
            check=holds("out/labels/erased.json"),
        ),
        Step(
            "python jobs/label.py --videos sessions --out out/labels",
            fresh=True,
            check=holds("out/labels/report/*.html"),
        ),
        Step(
            "python jobs/export.py --labels out/labels --format csv --out out/export",
            check=holds("out/export/videos.csv"),
        ),
        Step(
            "python jobs/report.py --labels out/labels --no-faces --short-names --out out/shown",
            check=holds("out/shown/report.html"),
        ),
        Step(
            "python jobs/report.py --labels out/labels --videos 'session-*'",
            check=holds("out/labels/report/*.html"),
        ),
        Step(
            "python jobs/export.py --labels out/labels --format csv --format vtt --out out/export",
            fresh=True,
            check=holds("out/export/vtt/session-1.vtt"),
        ),
        Step(
            "python jobs/export.py --labels out/labels --format labelstudio --out out/export",
            fresh=True,
            check=holds("out/export/labelstudio.json", "out/export/labelstudio.xml"),
        ),
        Step(
            "python jobs/label.py --videos sessions --out out/labels --identify w600k_r50.onnx",
            fresh=True,
            check=holds("out/labels/run.json"),
        ),
        Step(
            "python jobs/people.py --labels out/labels --names people.csv",
            check=holds("out/labels/people/people.parquet"),
        ),
        Step(
            "python jobs/erase.py --labels out/labels --person Anna --dry-run",
            check=says("rows that would go"),
        ),
        Step(
            "python jobs/label.py --videos clips --model voice --model onnx:faces.onnx "
            "--out out/labels",
            fresh=True,
            check=licensed,
        ),
    ),
}

_ENCODER = "tests/jobs/test_encoder.py::test_evaluated_and_labelled"
_CORRECTED = "tests/corpora/test_corrections.py::test_corrections_are_trained_on_and_evaluated"
_FETCHED = "tests/fetching/test_fetch.py::test_ravdess_is_fetched_as_its_record_says"
_SUBMITTED = "tests/labelling/test_s3.py::test_a_submitted_job_from_buckets_to_a_bucket"
_SUBMITTED_FEATURES = (
    "tests/engine/test_submit.py::test_a_submitted_job_makes_the_features_of_a_local_one"
)

# Run by another test, with other places.
ELSEWHERE: dict[str, str] = {
    "python jobs/fetch.py ravdess --modality audio --out data/ravdess --dry-run": _FETCHED,
    "python jobs/fetch.py ravdess --modality audio --out data/ravdess": _FETCHED,
    "make site": "tests/docs/test_site.py",
    "emotion-core --help": "tests/test_main.py::test_its_help_teaches_and_loads_nothing_heavy",
    "ray get-auth-token --generate": _SUBMITTED,
    "export RAY_AUTH_MODE=token RAY_ADDRESS=http://127.0.0.1:8265": _SUBMITTED,
    "ray job submit --working-dir . -- python jobs/preprocess.py --corpus "
    "ravdess=s3://bucket/ravdess --out s3://bucket/features": _SUBMITTED_FEATURES,
    "ray job submit --working-dir . -- python jobs/label.py --videos s3://bucket/clips "
    "--out s3://bucket/labels": _SUBMITTED,
    "ray job submit --working-dir . -- python jobs/label.py --videos s3://bucket/clips "
    "--model s3://bucket/model --out s3://bucket/labels": _SUBMITTED,
    "python jobs/preprocess.py --recipe voice-small --corpus labelstudio=project.json "
    "--out out/corrected": _CORRECTED,
    "python jobs/evaluate.py --model voice --features out/corrected "
    "--split loso:labelstudio/anna --out out/how-right": _CORRECTED,
    "python jobs/train.py --recipe voice-small --init voice --features out/corrected "
    "--split loso:labelstudio/anna --out out/mine": _CORRECTED,
    "python jobs/label.py --videos clips --model face --model hf:someone/speech-emotion "
    "--out out/labels":
        "tests/labelling/test_foreign.py"
        "::test_an_onnx_and_a_transformers_model_label_real_clips_with_voice",
    "python jobs/preprocess.py --recipe voice-encoder --option audio.encoder=WHISPER_BASE "
    "--corpus ravdess=RAVDESS --corpus savee=SAVEE --out FEATURES": _ENCODER,
    "python jobs/evaluate.py --model FOLDS --features FEATURES --out EVALUATION": _ENCODER,
    "python jobs/train.py --features FEATURES --out FOLDS --split emobox6:all --seed 0 --refit":
        "tests/training/test_refit.py",
    "python jobs/preprocess.py --recipe voice-small --option audio.highpass_hz=null "
    "--corpus ravdess=RAVDESS --out MEL": "tests/recipes/test_options.py",
    "python jobs/train.py --recipe voice-small --option audio.highpass_hz=null --option "
    "training.precision=bfloat16 --features MEL --out STUDENTS --split emobox6:all --seed 0 "
    "--refit --epochs 30 --teacher FOLDS --teacher-features FEATURES":
        "tests/training/test_teacher.py::test_the_job_trains_a_student",
    "python jobs/label.py --videos CLIPS --fps 5 --window 8 --hop 8":
        "tests/labelling/test_shipped.py::test_real_clips_of_actors",
    "python jobs/train.py --recipe timedist-blstm --features out/features --split luna5:all "
    "--out out/folds":
        "tests/training/test_folds.py::test_all_folds_train_at_the_same_time",
    "python jobs/evaluate.py --model out/folds --features out/features --out out/folds-eval":
        "tests/evaluation/test_job.py::test_every_fold_on_its_own_test_side",
    "benchmarks/across.sh CORPORA WHISPER_BASE OUT": "tests/benchmarks/test_across.py",
    "python jobs/live.py --source talk.mp4 --save out/talk":
        "tests/live/test_saving.py::test_a_saved_session_is_exported_and_reported",
    "python jobs/live.py --source rtsp://camera:554/stream":
        "tests/live/test_end_to_end.py"
        "::test_boxes_move_bars_change_and_the_timeline_grows_while_it_plays",
}  # fmt: skip

# Run by nobody here: what they begin with, and why.
NOT_HERE: dict[str, str] = {
    "make demo": "the whole demo takes minutes: its jobs run in README.md's group, on less",
    "make test": "tests would run within tests",
    "make lint": "the gate runs it (.ci/run); here tests would run within tests",
    "ruff format .": "rewrites the checkout",
    "pip ": "installs from a registry",
    "python -m venv": "makes an environment of 7 GB",
    "docker ": "no container engine: tests/test_deploy.py lints the Dockerfile",
    "kubectl ": "no Kubernetes: tests/test_deploy.py reads the manifests",
    "sbatch ": "no Slurm: tests/test_deploy.py reads the job",
    "ray up": "an account with a cloud: tests/test_cluster_yaml.py reads cluster.yaml",
    "ray down": "as ray up",
    "ray dashboard": "as ray up",
    "ray job submit -- emotion-core": "needs the package on the nodes: done by hand, from a wheel",
    "export RAY_AUTH_MODE=token RAY_ADDRESS=http://HEAD": "as the line below it",
    "export AWS_": "the settings that the S3 server of the tests gives to every job here",
    "python -m benchmarks.": "a measurement, minutes to hours of a quiet machine",
    "python benchmarks/": "a measurement, minutes to hours of a quiet machine",
    "benchmarks/results.sh": "days",
    "benchmarks/shipped.sh": "hours, and Whisper base",
    "benchmarks/savee.sh": "half an hour, and Whisper base",
    "benchmarks/audiovisual.sh": "hours, and RAVDESS's videos",
    "python jobs/live.py --source 0": "a camera and a microphone: a file stands in (tests/live)",
    "make chaos": "hours: samples run in tests/chaos",
    "make audit": "asks a service about every pin",
    "python -m chaos": "as make chaos",
    "python -m examples.demo": "the corpus that most tests begin with (tests/conftest.py)",
}  # fmt: skip


def told() -> dict[str, list[str]]:
    """Page -> its commands, without the folder of the environment's programs."""
    return {
        page: list(dict.fromkeys(re.sub(r"^\S+/bin/", "", each) for each in commands(page)))
        for page in site_pages()
    }


def bare(command: str) -> bool:
    """The name of a job in a sentence."""
    return re.fullmatch(r"python jobs/\w+\.py", command) is not None


def test_every_command_is_accounted_for() -> None:
    pages = told()
    assert sum(map(len, pages.values())) > 80
    here = {step.command for steps in HERE.values() for step in steps}
    for page, found in pages.items():
        for command in found:
            held = command in here or command in ELSEWHERE or bare(command)
            reasons = [words for words in NOT_HERE if command.startswith(words)]
            assert held != bool(reasons), f"{page}: {command}: run it here, or say where or why not"


def test_nothing_is_accounted_for_that_is_on_no_page() -> None:
    pages = told()
    assert [s.command for page, steps in HERE.items() for s in steps
            if s.command not in pages[page]] == []  # fmt: skip
    everything = [command for found in pages.values() for command in found]
    assert [command for command in ELSEWHERE if command not in everything] == []
    assert [w for w in NOT_HERE if not any(each.startswith(w) for each in everything)] == []


def test_the_tests_that_run_the_others_are_there() -> None:
    for held_by in ELSEWHERE.values():
        path, _, name = held_by.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert name in tests if name else any(each.startswith("test_") for each in tests), held_by


def job_of(command: str) -> tuple[str, list[str]] | None:
    """The job that a command runs, also a submitted one, and its words; None: it is none."""
    match = re.search(r"(?:python jobs/(\w+)\.py|emotion-core (\w+))(?: (.*))?$", command)
    if not match or (match[1] or match[2]) not in COMMANDS:
        return None
    return match[1] or match[2], shlex.split(match[3] or "")


def test_every_option_is_known_and_takes_what_it_is_given() -> None:
    """Each job's own parser reads its command lines as they stand on the pages."""
    read = 0
    for page, found in told().items():
        for command in found:
            job = job_of(command)
            if job is None or bare(command):
                continue
            app = cli.new_app()
            app.command()(import_module(COMMANDS[job[0]][0]).main)
            words = job[1] if "--out" in job[1] or job[0] != "label" else [*job[1], "--out", "o"]
            try:
                typer.main.get_command(app).make_context(job[0], list(words))
            except typer.TyperException as error:
                pytest.fail(f"{page}: {command}: {error.format_message()}")
            read += 1
    assert read > 40


def test_options_of_benchmarks_are_in_their_sources() -> None:
    given = 0
    for found in told().values():
        for command in found:
            match = re.match(r"python (?:-m )?(benchmarks[./]\w+)", command)
            if match:
                name = match[1].replace(".", "/").removesuffix("/py")
                text = (ROOT / f"{name}.py").read_text(encoding="utf-8")
                options = re.findall(r"(?<=\s)--[a-z][\w-]+", command)
                given += len(options)
                known = {
                    each: rf'"{each}"|\b{each.strip("-").replace("-", "_")}: ' for each in options
                }
                missing = [each for each in options if not re.search(known[each], text)]
                assert missing == [], command
    assert given


# --- run -----------------------------------------------------------------------------------------


def hum(path: Path, pitch: float) -> None:
    """Half a second that is no silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(8000) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time_s), 16000)


@pytest.fixture(scope="module")
def inputs(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages call data, sessions, clips, downloads and so on, as small as they can be."""
    from tests.support.foreign import colour_network
    from tests.support.people import colour_network as identity_network

    folder, wild = tmp_path_factory.mktemp("inputs"), demo / "wild"
    for actor in range(1, 25):
        for emotion in (3, 4):
            name = f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            hum(folder / "data" / "ravdess" / f"Actor_{actor:02d}" / name, 80 * emotion + actor)
    for place, speaker in enumerate(("DC", "JE", "JK", "KL")):
        for emotion, pitch in (("h", 260.0), ("sa", 340.0)):
            for below in ("data", "downloads"):
                hum(folder / below / "savee" / speaker / f"{emotion}01.wav", pitch + place)
    one = next((demo / "corpus").rglob("*.mp4"))
    for name, source in (
        ("data/videos/one.mp4", one),
        ("clips/one.mp4", one),
        ("session.mp4", wild / "two at the table.mkv"),
        ("sessions/session-1.mp4", one),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    identity_network(folder / "w600k_r50.onnx")
    (folder / "people.csv").write_text("file,track,name\nsession-1.mp4,0,Anna\n")
    colour_network(folder, ["happy", "sad", "angry"])
    for suffix in (".onnx", ".json"):
        (folder / f"colours{suffix}").rename(folder / f"faces{suffix}")
    return folder


@pytest.fixture(scope="module")
def bucket(inputs: Path, ray_with_s3: S3Server) -> None:
    """``s3://bucket``, with a clip."""
    ray_with_s3.bucket("bucket")
    ray_with_s3.upload("bucket", {"clips/one.mp4": inputs / "clips" / "one.mp4"})


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", HERE)
def test_the_commands_of_a_page_run_in_its_order(
    page: str, inputs: Path, bucket: None, tmp_path: Path, monkeypatch
) -> None:
    for each in inputs.iterdir():
        (tmp_path / each.name).symlink_to(each)
    (tmp_path / "out").mkdir()
    if page == "docs/labelling.md":  # models that the page only names, and features without it
        for name, shipped in (("model", "voice"), ("voices", "voice"), ("faces", "face")):
            shutil.copytree(bundle_uri(shipped), tmp_path / "out" / name)
        made = run_here("preprocess", "--corpus", f"savee={inputs / 'data' / 'savee'}",
                        "--out", tmp_path / "out" / "features")  # fmt: skip
        assert made.returncode == 0, made.stderr
    monkeypatch.chdir(tmp_path)
    for step in HERE[page]:
        job = job_of(step.command)
        assert job is not None
        name, words = job
        if step.fresh:
            shutil.rmtree(words[words.index("--out") + 1])
        done = run_here(name, *words, *step.more, COLUMNS="200")
        assert done.returncode == step.code, f"{step.command}\n{done.stdout}\n{done.stderr}"
        step.check(done, tmp_path)
