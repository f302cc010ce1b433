"""The line about how the time of a run was spent, and the same in its files."""

from __future__ import annotations

import re

from tests.plugin.small_project import Outcome, Project

LINE = re.compile(r"infperf time: (?P<shares>.+ %) of [\d.]+ s(?P<where>[a-z ]*) [-=]")


def shares_of(outcome: Outcome) -> tuple[dict[str, int], str]:
    """Return the shares in the line of a run, and the text after its time."""
    (found,) = LINE.finditer(outcome.words)
    parts = [part.removesuffix(" %").rpartition(" ") for part in found["shares"].split(", ")]
    return {name: int(share) for name, _, share in parts}, found["where"]


def test_the_shares_of_a_run_add_up_on_the_terminal_and_in_its_files(measured: Outcome) -> None:
    shares, where = shares_of(measured)
    assert sum(shares.values()) == 100
    assert {"measuring", "starting"} <= shares.keys()
    assert not where
    time_s = measured.document["time_s"]
    assert {"measuring", "scoring", "starting", "other"} <= time_s.keys()
    assert all(seconds > 0 for seconds in time_s.values())


def test_only_a_run_that_builds_spends_time_on_it(project: Project) -> None:
    project.only_tests_of("footprint")
    project.write("pytest.ini", "[pytest]\n")  # and so a cache of its own
    assert project.measure().document["time_s"]["building"] > 0
    assert "building" not in project.measure().document["time_s"]


def test_the_page_is_named_and_has_the_time(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure("--infperf-html=out/page.html", "--infperf-variants=fast")
    assert "infperf page: out/page.html" in result.outlines
    page = (project.folder / "out/page.html").read_text()
    assert re.search(r"starting \d+ %", page)


def test_with_xdist_the_time_is_that_of_the_process_that_measures(project: Project) -> None:
    project.only_tests_of("footprint")
    project.tests("def test_other():\n    pass\n", "test_other.py")
    result = project.measure("-n2", "--infperf-variants=fast")
    shares, where = shares_of(result)
    assert sum(shares.values()) == 100
    assert "measuring" in shares
    assert where == " in the process that measured"
    assert result.document["time_s"]["measuring"] > 0


def test_a_run_that_measures_nothing_says_nothing(project: Project) -> None:
    assert "infperf time" not in project.collect().text
    assert "infperf time" not in project.measure("-k", "no_such_test").text
