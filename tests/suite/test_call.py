"""The address of a call, and how workers of this and another checkout use it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.suite.call import (
    CallAddress,
    CallTask,
    FunctionMissing,
    address_of,
    pickled_call,
)
from pytest_infperf.suite.discovery import SuiteAddress

CODE = """
class Basket:
    def __init__(self, items): self.items = items
    def total(self, rate=1): return sum(self.items) * rate

def total(items): return sum(items)
"""


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallAddress:
    """Return the address of a method's call, in a package of a folder that is importable."""
    package = tmp_path / "first" / "called_shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "baskets.py").write_text(CODE)
    monkeypatch.syspath_prepend(package.parent)
    forget(monkeypatch)
    from called_shop.baskets import Basket

    return pickled_call(
        Basket([1, 2]).total, (), {"rate": 3}, folder=tmp_path, suite="test_shop", variant_id="t"
    )


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package be imported again, as in a new process."""
    for name in ("called_shop", "called_shop.baskets"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_any_process_makes_the_suite_of_the_call(address: CallAddress, tmp_path: Path) -> None:
    assert address.path == tmp_path / "first/called_shop/baskets.py"
    assert address.named("test_shop") == (
        "function called_shop.baskets:Basket.total for test_shop[t]"
    )
    again = address_of(json.loads(json.dumps(asdict(address))))
    assert again == address
    suite = again.load()
    assert (suite.name, suite.variant_ids, suite.folder) == (
        "test_shop",
        ["t"],
        tmp_path / "first/called_shop",
    )
    runner = suite.variant("t").load(tmp_path, CallTask(), threads=2)
    assert runner.infer(["the call"]) == [9]
    assert runner.threads == 2
    assert address_of({"root": "x", "module": "suite", "package": ""}) == SuiteAddress("x", "suite")


def test_a_function_or_module_that_a_checkout_lacks_is_missing(address: CallAddress) -> None:
    with pytest.raises(FunctionMissing, match=r"baskets\.py has no Basket\.sum"):
        replace(address, function="Basket.sum").load()
    with pytest.raises(FunctionMissing, match=r"no module called_shop\.gone"):
        replace(address, module="called_shop.gone", file="called_shop/gone.py").load()


def test_a_module_that_raises_is_not_missing(address: CallAddress) -> None:
    address.path.with_name("broken.py").write_text("import gone_with_the_wind\n")
    broken = replace(address, module="called_shop.broken", file="called_shop/broken.py")
    with pytest.raises(UserError, match="No module named 'gone_with_the_wind'") as raised:
        broken.load()
    assert not isinstance(raised.value, FunctionMissing)


def test_an_installed_copy_is_not_taken_for_the_checkout(
    address: CallAddress, tmp_path: Path
) -> None:
    other = replace(address, root=str(tmp_path / "second"))
    with pytest.raises(UserError, match=r"is imported from .*first.*, not from .*second.*editable"):
        other.load()


def test_arguments_that_cannot_be_read_are_named(
    address: CallAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.path.write_text("def total(items): return sum(items)\n")
    forget(monkeypatch)
    variant = address.made().variant("t")
    with pytest.raises(UserError, match=r"arguments of the call cannot be read .*Basket"):
        variant.load(tmp_path, CallTask(), threads=None)
