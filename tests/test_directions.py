"""The permitted imports between rooms of the package, and of pytest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pytest_infperf"
NAME = PACKAGE.name

ROOMS: dict[str, str] = {
    "errors": "",
    "stats": "",
    "options": "",
    "hookspecs": "",
    "host": "errors",
    "settings": "errors options",
    "records": "errors host",
    "repository": "errors host",
    "cost": "errors host records",
    "suite": "errors host records",
    "thresholds": "errors records stats",
    "history": "errors host records repository stats",
    "serving": "cost host records",
    "artifacts": "errors host repository suite",
    "metrics": "errors suite",
    "serving.load": "cost errors host measure records stats suite",
    "serving.server": "errors host repository suite",
    "tasks": "errors repository suite",
    "gates": "errors records stats thresholds",
    "report": "cost errors history host records serving",
    "serving.deploy": "cost errors host serving",
    "backends": "artifacts errors host repository suite",
    "imported": "errors measure records stats",
    "worker": "artifacts errors host metrics records repository suite",
    "measure": "errors records stats suite worker",
    "run": (
        "artifacts cost errors gates history host measure metrics records repository "
        "serving.load serving.server settings stats suite thresholds worker"
    ),
    "explore": "errors host measure records report run serving.load serving.server stats suite",
    "study": (
        "backends cost errors gates host records repository run serving.deploy settings suite "
        "thresholds"
    ),
    "session": "errors host records report repository run settings suite thresholds",
    "cli": (
        "artifacts backends cost errors explore gates history host imported metrics options "
        "records report repository run serving serving.deploy serving.load serving.server settings "
        "study suite tasks thresholds"
    ),
    "fixtures": "errors options session",
    "fleet": (
        "artifacts cost errors host measure options records report repository run session "
        "settings suite worker"
    ),
    "plugin": (
        "errors fixtures fleet history hookspecs host options records report session settings"
    ),
}
"""Each room with the rooms that it may import from. A room is a module at the root or a folder; a
new module falls under the row of its folder."""

ROOT_MODULES = {"__init__", "plugin", "hookspecs", "fixtures", "options", "settings", "errors"}
"""What pytest and the user meet; everything else has a folder."""

KNOW_PYTEST = {"plugin", "options", "fixtures", "hookspecs"}


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """Return the room of a module: the longest name in ROOMS that contains it."""
    inner = module.removeprefix(NAME).removeprefix(".")
    found = [room for room in ROOMS if inner == room or inner.startswith(f"{room}.")]
    return max(found, key=len, default=inner or "__init__")


def statements(nodes: list[ast.stmt], *, deferred: bool) -> Iterator[ast.stmt]:
    """Yield the statements outside TYPE_CHECKING; `deferred` adds the bodies of functions."""
    for node in nodes:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from statements(node.orelse, deferred=deferred)
        elif deferred or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    yield from statements([child], deferred=deferred)
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    yield from statements(child.body, deferred=deferred)


def imported(module: str, *, deferred: bool = True) -> set[str]:
    """Return the modules that a module imports at run time, those of the package by full names."""
    found = set()
    for node in statements(ast.parse(MODULES[module].read_bytes()).body, deferred=deferred):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (full & MODULES.keys()) or {str(node.module)}
    return found - {NAME}  # the public names, which are imported when they are used


def test_only_the_modules_that_pytest_and_users_meet_stand_at_the_root() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    if room == "__init__":
        return
    allowed = {room, *ROOMS[room].split()}
    for name in imported(module) & MODULES.keys():
        assert room_of(name) in allowed, f"{module} imports {name}: {room} may not import it"


def test_the_table_names_rooms_that_exist_and_imports_that_are_made() -> None:
    made: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module in MODULES:
        if (room := room_of(module)) in made:
            made[room] |= {room_of(name) for name in imported(module) & MODULES.keys()} - {room}
    assert made == {room: set(allowed.split()) for room, allowed in ROOMS.items()}


def test_rooms_do_not_import_each_other() -> None:
    try:
        TopologicalSorter({room: allowed.split() for room, allowed in ROOMS.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"rooms import each other: {' <- '.join(error.args[1])}")


def test_modules_do_not_import_each_other() -> None:
    graph = {module: imported(module, deferred=False) & MODULES.keys() for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("module", MODULES)
def test_only_the_modules_at_pytests_door_import_pytest(module: str) -> None:
    packages = {name.split(".")[0] for name in imported(module)}
    assert room_of(module) in KNOW_PYTEST or not packages & {"pytest", "_pytest"}


@pytest.mark.parametrize(
    "room", ["plugin", "options", "fixtures", "suite", "backends", "session", "fleet"]
)
def test_heavy_packages_are_imported_where_they_are_used(room: str) -> None:
    """Modules that are imported at the start import no runtime."""
    runtimes = {"torch", "transformers", "onnxruntime", "onnx", "optimum", "ctranslate2"}
    heavy = runtimes | {"scipy", "ray"}
    modules = [module for module in MODULES if room_of(module) == room]
    assert modules
    for module in modules:
        on_top = {name.split(".")[0] for name in imported(module, deferred=False)}
        if ".seq2seq" not in module and "marian" not in module:
            assert not on_top & heavy, module


def test_imports_are_read_correctly() -> None:
    plugin = f"{NAME}.plugin"
    assert f"{NAME}.session.session" in imported(plugin)
    assert f"{NAME}.session.session" not in imported(plugin, deferred=False)
    assert "pytest" not in imported(f"{NAME}.session.xdist")
    assert room_of(f"{NAME}.serving.load.plan") == "serving.load"
    assert room_of(f"{NAME}.serving.capacity") == "serving"
    assert room_of(NAME) == "__init__"
