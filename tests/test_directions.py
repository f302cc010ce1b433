"""The direction of data: which module may import which, and which ones may know pytest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pytest_infperf"
NAME = PACKAGE.name


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}
BELOW = len(NAME) + 1


def statements(nodes: list[ast.stmt], *, deferred: bool) -> Iterator[ast.stmt]:
    """Those that run: not what stands below TYPE_CHECKING; `deferred` adds bodies of functions."""
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
    """The modules that a module imports at run time, those of the package by their full names."""
    found = set()
    for node in statements(ast.parse(MODULES[module].read_bytes()).body, deferred=deferred):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (full & MODULES.keys()) or {str(node.module)}
    return found


def reached(module: str) -> set[str]:
    """All modules of the package that a module needs, directly or through others."""
    seen: set[str] = set()
    open_ends = {module}
    while open_ends:
        new = {name for end in open_ends for name in imported(end)} & MODULES.keys()
        open_ends = new - seen
        seen |= new
    return seen


def of(*places: str) -> set[str]:
    """The modules at these places of the package: a module, or a folder with all below it."""
    full = tuple(f"{NAME}.{place}" for place in places)
    found = {m for m in MODULES if m in full or m.startswith(tuple(f"{f}." for f in full))}
    missing = [f for f in full if not any(m == f or m.startswith(f"{f}.") for m in found)]
    assert not missing, f"there is no {missing}: mend this test"
    return found


def test_only_the_modules_at_pytests_door_import_pytest() -> None:
    allowed = of("plugin", "options", "fixtures", "hookspecs")
    importing = {
        module
        for module in MODULES
        if any(name.split(".")[0] in ("pytest", "_pytest") for name in imported(module))
    }
    assert importing <= allowed


@pytest.mark.parametrize(
    ("places", "forbidden"),
    [
        (("gate", "thresholds"), ("report", "run", "session", "suite_run", "ledger", "plugin")),
        (("measure",), ("report", "session", "run", "plugin", "ledger", "collection")),
        (("worker.child",), ("gate", "thresholds", "report", "session", "run", "measure", "stats")),
        (("report",), ("session", "run", "suite_run", "plugin", "worker", "measure", "collection")),
        (("tasks", "metrics", "backends"), ("session", "run", "report", "gate", "thresholds")),
        (("suite", "record"), ("session", "run", "report", "gate", "thresholds", "worker")),
        (("history",), ("session", "run", "plugin", "worker", "gate", "thresholds", "collection")),
        (("measure", "gate", "thresholds", "record"), ("history", "cli", "github", "junit")),
        (("session", "run", "suite_run", "measure", "report", "worker"), ("fleet",)),
        (("fleet.dispatch", "fleet.tree", "fleet.kinds"), ("session", "run", "report", "plugin")),
        (("deploy",), ("session", "run", "suite_run", "plugin", "worker", "measure", "report")),
        (("host",), ("session", "run", "report", "gate", "thresholds", "worker", "measure")),
    ],
)
def test_data_flows_one_way(places: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    for module in of(*places):
        assert not reached(module) & of(*forbidden), module


def test_neither_gates_nor_thresholds_know_a_history() -> None:
    for module in of("gate", "thresholds"):
        assert not [name for name in reached(module) if name.startswith(f"{NAME}.history")]


def test_statistics_are_functions_of_numbers_alone() -> None:
    for module in of("stats"):
        assert reached(module) <= of("stats"), module


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: imported(module, deferred=False) & MODULES.keys() for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    """Nothing that the plugin imports on top brings a runtime along."""
    runtimes = {"torch", "transformers", "onnxruntime", "onnx", "optimum", "ctranslate2"}
    heavy = runtimes | {"scipy", "ray"}
    for module in of("plugin", "options", "fixtures", "suite", "backends", "session", "fleet"):
        on_top = {name.split(".")[0] for name in imported(module, deferred=False)}
        if ".seq2seq" not in module and "marian" not in module:
            assert not on_top & heavy, module


def test_this_reads_imports_as_it_should() -> None:
    assert f"{NAME}.session" in imported(f"{NAME}.plugin")
    assert f"{NAME}.session" not in imported(f"{NAME}.plugin", deferred=False)
    assert f"{NAME}.collection" in imported(f"{NAME}.plugin")
    assert "pytest" not in imported(f"{NAME}.distributed")
    assert f"{NAME}.worker.messages" in reached(f"{NAME}.worker.child")
