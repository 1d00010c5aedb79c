"""The house: which folder of the package may import which, no circle, one name for one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "autograder"
GROUND = ["errors", "texts", "course", "clients"]
# Each room with those that it may import from besides itself and the ground, from the ground up.
HOUSE = {
    "sandbox": [],
    "lesson": [],
    "build": ["lesson"],
    "checks": ["lesson"],
    "submissions": ["lesson"],
    "marks": ["lesson"],
    "book": ["lesson", "build"],
    "pages": ["lesson", "submissions", "marks"],
    "exchange": ["lesson", "submissions", "marks"],
    "grading": ["sandbox", "lesson", "build", "checks", "submissions", "marks", "pages"],
}
DOORS = ["__init__", "__main__", "cli", "demo", "env", "nbgrader_plugins"]


def modules() -> dict[str, ast.Module]:
    """Return all modules, as "lesson.reader"; a package's own is "lesson"."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of the package that a module imports, wherever in it that is."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the package imports by full names"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            inside = name.removeprefix("autograder.")
            while inside != name and inside not in MODULES and "." in inside:
                inside = inside.rpartition(".")[0]
            if inside in MODULES and inside != name:
                yield inside


GRAPH = {name: set(imports(tree)) - {name} for name, tree in MODULES.items()}


def room(module: str) -> str:
    return module.partition(".")[0]


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return a circle for each import that leads back to where it comes from."""
    found = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for other in sorted(graph[name]):
                visit(other, [*way, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the floor of each room or module: one above the highest that it imports."""
    found: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in found:
            found[name] = 1 + max(map(floor, graph[name]), default=0)
        return found[name]

    for name in graph:
        floor(name)
    return found


def test_every_module_stands_in_a_room_or_is_a_door() -> None:
    top = {name for name in MODULES if "." not in name}
    assert top - set(HOUSE) == {*GROUND, *DOORS}
    assert {room(name) for name in MODULES if "." in name} == set(HOUSE)


@pytest.mark.parametrize("name", HOUSE)
def test_a_room_imports_only_what_stands_below_it(name: str) -> None:
    allowed = {name, *GROUND, *HOUSE[name]}
    wrong = [
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        if room(module) == name
        for other in others
        if room(other) not in allowed
    ]
    assert wrong == []


def test_the_ground_imports_nothing_above_it() -> None:
    for name in GROUND:
        assert GRAPH[name] <= set(GROUND), name


def test_no_import_leads_in_a_circle() -> None:
    assert circles(GRAPH) == []


def test_rooms_stand_on_eight_floors_at_most() -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, others in GRAPH.items():
        rooms[room(module)] |= {room(other) for other in others} - {room(module)}
    assert max(floors(rooms).values()) <= 8


def test_no_class_name_stands_twice() -> None:
    places = defaultdict(list)
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_tests_stand_where_the_package_does() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders - {"notebooks"} <= set(HOUSE)
    assert set(HOUSE) <= folders


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """pytest looks into no folder with such a name; of its own accord, into none called build."""
    patterns = pytestconfig.getini("norecursedirs")
    for path in (ROOT / "tests").glob("*/test_*.py"):
        assert not any(path.parent.match(pattern) for pattern in patterns), path


def test_what_is_looked_for_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]
    assert floors({"a": {"b"}, "b": {"c"}, "c": set()}) == {"a": 3, "b": 2, "c": 1}
    assert set(imports(ast.parse("def f():\n    from autograder.lesson import code"))) == {
        "lesson.code"
    }
    assert Path(PACKAGE, "lesson", "code.py").is_file()
