"""The drawing and the walk in docs/design.md are those of the code."""

import importlib
import re
from typing import Any

from tests.support.jobs import ROOT
from tests.test_house import FLOORS

TEXT = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    (text,) = re.findall(rf"^## {title}.*?\n(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)
    return text


def resolve(dotted: str) -> Any:
    """The object of this dotted name; a module, or something in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            found = getattr(found, name)
        return found
    raise AssertionError(dotted)


def test_the_rooms_stand_on_the_floors_that_the_house_has() -> None:
    (drawing,) = re.findall(r"^```\n(.*?)^```$", section("The rooms"), re.MULTILINE | re.DOTALL)
    floors = [
        frozenset(re.findall(r"^ *(\w+)/? {2,}\S", floor, re.MULTILINE))
        for floor in re.split(r"^ +\|\n", drawing, flags=re.MULTILINE)
    ]

    assert floors[::-1] == list(FLOORS)


def test_the_walk_is_a_list_of_functions_that_exist() -> None:
    steps = re.findall(r"^(\d+)\. `([\w.]+)`", section("The walk"), re.MULTILINE)

    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 5 < len(steps) <= 10
    assert steps[0][1] == "emotion_core.labelling.command.main"
    assert steps[-1][1] == "emotion_core.labelling.tables.LabelTables.write"
    for _, dotted in steps:
        assert callable(resolve(dotted)), dotted


def test_every_dotted_name_exists() -> None:
    for dotted in re.findall(r"`(emotion_core\.[\w.]+)`", TEXT):
        assert resolve(dotted) is not None
