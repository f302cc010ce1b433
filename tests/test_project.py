"""Metadata, templates, versions and links of the project agree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests import weights
from tests.other_plugins import LEFT_OUT

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
TEMPLATES = ROOT / ".github/ISSUE_TEMPLATE"
PAGES = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")),
    *(ROOT / name for name in ("CHANGELOG.md", "docs/RELEASING.md", "docs/platforms.md")),
]
SCHEMAS = {
    ".github/ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/feature.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".github/dependabot.yml": "dependabot",
    ".github/workflows/ci.yml": "github-workflows",
    ".github/workflows/inference.yml": "github-workflows",
    ".github/workflows/release.yml": "github-workflows",
    "pytest_infperf/cli/init/templates/inference.yml": "github-workflows",
    "action.yml": "github-actions",
}


def lowest(requirement: str) -> Version:
    """Return the version after ``>=``."""
    [bound] = [each for each in Requirement(requirement).specifier if each.operator == ">="]
    return Version(bound.version)


def test_the_changelog_has_the_version_and_the_unreleased_changes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[:2] == [
        "Unreleased",
        PROJECT["version"],
    ]
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for version in re.findall(r"^## \[(.+?)\]", text, re.MULTILINE):
        assert re.search(rf"^\[{re.escape(version)}\]: https://", text, re.MULTILINE), version


def test_the_address_is_that_of_the_action_that_users_name() -> None:
    address = PROJECT["urls"]["Repository"]
    name = address.removeprefix("https://github.com/")
    version = PROJECT["version"]
    for path in ("docs/ci.md", "pytest_infperf/cli/init/templates/inference.yml"):
        assert f"uses: {name}@v{version}" in (ROOT / path).read_text("utf-8"), path
    assert all(url.startswith(address) for url in PROJECT["urls"].values())
    addresses = [
        found
        for path in [*PAGES, *TEMPLATES.glob("*.yml")]
        for found in re.findall(r"github\.com/([\w-]*infperf/[\w-]+)", path.read_text("utf-8"))
    ]
    assert set(addresses) == {name}


def test_python_versions_are_those_of_ci() -> None:
    prefix = "Programming Language :: Python :: "
    versions = [
        each.removeprefix(prefix)
        for each in PROJECT["classifiers"]
        if each.startswith(prefix) and not each.endswith("Only")
    ]
    assert versions == CI["jobs"]["python"]["strategy"]["matrix"]["python"]
    assert lowest(f"python{PROJECT['requires-python']}") == Version(versions[0])
    smoke = CI["jobs"]["smoke"]["strategy"]["matrix"]["python"]
    assert smoke == [versions[0], versions[-1]]


def test_the_lowest_versions_are_those_of_the_requirements() -> None:
    pinned = {
        requirement.name: Version(next(iter(requirement.specifier)).version)
        for line in (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
        for requirement in [Requirement(line)]
    }
    assert pinned == {Requirement(each).name: lowest(each) for each in PROJECT["dependencies"]}


def test_the_versions_that_work_together_are_allowed() -> None:
    pinned = {
        name.replace("_", "-"): version
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
        for name, _, version in [line.partition("==")]
    }
    extras = {**PROJECT["optional-dependencies"], "core": PROJECT["dependencies"]}
    del extras["transformers5"]
    required = [Requirement(each) for extra in extras.values() for each in extra]
    refused = [
        f"{each} has {pinned[each.name]} in constraints.txt"
        for each in required
        if each.name in pinned and pinned[each.name] not in each.specifier
    ]
    assert refused == []


@pytest.mark.parametrize(("path", "schema"), SCHEMAS.items())
def test_files_for_github_follow_its_schemas(path: str, schema: str) -> None:
    if not find_spec("check_jsonschema"):
        pytest.skip("needs check-jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_for_github_has_a_schema() -> None:
    found = {*(ROOT / ".github").rglob("*.yml")} - {*(ROOT / ".github").glob("workflows/*.yml")}
    names = {path.relative_to(ROOT).as_posix() for path in found}
    workflows = {f".github/workflows/{p.name}" for p in (ROOT / ".github/workflows").iterdir()}
    assert names | workflows <= {*SCHEMAS}


def test_hooks_run_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    [repository] = hooks["repos"]
    assert repository["repo"] == "local"
    run = [hook["entry"].removeprefix(".venv/bin/").split(" --")[0] for hook in repository["hooks"]]
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    made = re.findall(r"\$\(RUN\) (.+)", recipe)
    assert run == [re.sub(r" --check| \.", "", command).strip() for command in made]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


def test_targets_and_files_that_contributors_are_told_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {*re.findall(r"`make ([\w-]+)", text)} <= {*targets}
    tests = re.findall(r"tests/[\w/]+(?:\.py)?", text)
    assert [path for path in tests if path != "tests/NAME" and not (ROOT / path).exists()] == []


def test_a_release_needs_no_token_and_is_attested() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert "secrets." not in text
    assert "permissions" not in jobs["build"]
    assert jobs["publish"]["permissions"] == {"id-token": "write", "attestations": "write"}
    assert jobs["publish"]["environment"]["name"] == "pypi"
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]
    pinned = re.findall(r"uses: \S+@([0-9a-f]{40}) # v\d", text)
    assert len(pinned) == text.count("uses:")


@pytest.mark.parametrize(("path", "names"), weights.NEEDED_BY.items())
def test_tests_that_need_weights_exist(path: str, names: frozenset[str]) -> None:
    nodes = ast.parse((ROOT / "tests" / path).read_text("utf-8")).body
    assert names <= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def test_the_source_distribution_leaves_out_the_weights_only() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    sdist = document["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert sdist == {"exclude": ["/suites/*/models", "/shared"]}


def test_only_tests_that_need_weights_are_skipped_without_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pytester.makepyfile("def test_a(): ...\ndef test_b(): ...\n")
    monkeypatch.setattr(weights, "TESTS", path.parent)
    monkeypatch.setattr(weights, "NEEDED_BY", {path.name: frozenset({"test_b"})})
    for shipped, skipped in ((True, []), (False, ["test_b"])):
        monkeypatch.setattr(weights, "SHIPPED", shipped)
        items, _ = pytester.inline_genitems(*LEFT_OUT)
        weights.skip_without_weights(items)
        assert [item.name for item in items if item.get_closest_marker("skip")] == skipped
