"""Any thresholds file parses, and renders to equal sections, or is refused with its problems."""

import tomllib
from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

import tomlkit
from hypothesis import example, given, settings, strategies as st

from pytest_infperf.records.catalogue import Catalogue, LimitRule, Method, quality_spec
from pytest_infperf.thresholds import SuiteFacts, Thresholds, ThresholdsError, parse
from pytest_infperf.thresholds.crossed_limits import crossed_limits
from pytest_infperf.thresholds.rendering import to_toml
from pytest_infperf.thresholds.sections import LIMIT_RULES, Bound, SuiteSection
from pytest_infperf.thresholds.toml_lines import KeyPath, line_numbers

CATALOGUE = Catalogue(
    (quality_spec("bleu", "points", True), quality_spec("wer", "fraction", False)),
    {"length=16": "sweep", "length=512": "sweep", "jmeter-60x12": "protocol"},
    ["length"],
)
METHODS: tuple[Method, ...] = get_args(Method)
Strategy = st.SearchStrategy[Any]
VARIANTS = ("torch", "onnx")


def read(text: str) -> Thresholds:
    return parse(text, "thresholds.toml")


def render(suites: Mapping[str, SuiteSection]) -> str:
    return f"schema = 1\n\n{to_toml(suites)}"


def assert_readable(error: ThresholdsError, line_count: int) -> None:
    assert error.problems
    assert len(str(error).splitlines()) == len(error.problems)
    for problem in error.problems:
        assert 1 <= problem.line <= line_count
        assert all((problem.key, problem.message, problem.remedy))


def mostly(right: Strategy, wrong: Strategy) -> Strategy:
    """Return a strategy that draws from `right` nine times in ten."""
    return st.integers(0, 9).flatmap(lambda n: right if n else wrong)


def tables(keys: Strategy, values: Strategy, max_size: int = 3) -> Strategy:
    return st.dictionaries(keys, values, max_size=max_size)


names = st.text(max_size=5)
scalars = (
    names
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.lists(st.integers(), max_size=2)
)
anything = scalars | st.recursive(tables(names, scalars), partial(tables, names))

numbers = st.integers(-10, 1000) | st.floats(-10, 1000)
quantities = st.sampled_from(["300 ms", "1.5x", "900 MB", "5 %", "22 points", "7 stones"])
suites = st.sampled_from(["translation", "speech", "tradition"])
points = st.sampled_from([*CATALOGUE.points, "length=17", "length"])
variants = st.sampled_from([*VARIANTS, "onx"])
globs = st.sampled_from(["c7i.*", "*Xeon*", "[!z-a]", "[]-]"]) | names.filter(
    lambda name: name.strip() and "[" not in name
)
measures = st.sampled_from([*CATALOGUE.names(), "latency_p99.99", "latency_p٩", "latancy"])


def without_crossed(limits: dict[LimitRule, Bound]) -> dict[LimitRule, Bound]:
    values = {spec: bound for spec, bound in limits.items() if not isinstance(bound, str)}
    for low, _ in crossed_limits(values):
        del limits[low]
    return limits


limits = tables(st.sampled_from(LIMIT_RULES), numbers | quantities).map(without_crossed)
valid_gates = tables(
    measures.filter(lambda name: "@" not in name)
    | names.filter(lambda name: name != "on" and "@" not in name),
    limits.filter(bool)
    | st.builds(
        lambda limits, points: {**limits, "at": points},
        limits,
        tables(points | names.filter(bool), limits.filter(bool)).filter(bool),
    ),
    max_size=4,
)
policies = {
    "confidence": st.floats(0.5, 1, exclude_min=True, exclude_max=True),
    "budget_s": st.floats(1e-3, 1e4) | st.integers(1, 100),
    "inconclusive": st.sampled_from(["fail", "warn"]),
}
valid_variants = st.builds(
    lambda gates, on: {**gates, "on": on} if on else gates, valid_gates, tables(globs, valid_gates)
)
valid_suites = st.fixed_dictionaries(
    {},
    optional={
        **policies,
        "baseline": variants | names,
        "imported": st.booleans(),
        "gates": valid_gates,
        "variants": tables(variants | names, valid_variants),
    },
)
valid_documents = st.builds(
    lambda defaults, sections: {"schema": 1, "defaults": defaults, **sections},
    st.fixed_dictionaries({}, optional=policies),
    tables(suites | names.filter(lambda name: name not in ("schema", "defaults")), valid_suites),
)


def doubtful(keys: Strategy, values: Strategy) -> Strategy:
    return mostly(tables(mostly(keys, names), mostly(values, anything)), anything)


doubtful_gates = doubtful(
    measures | st.just("on"),
    doubtful(st.sampled_from(LIMIT_RULES), numbers | quantities),
)
doubtful_suites = st.fixed_dictionaries(
    {},
    optional={
        **{key: mostly(values, anything) for key, values in policies.items()},
        "baseline": mostly(variants, anything),
        "imported": mostly(st.booleans(), anything),
        "gates": doubtful_gates,
        "variants": doubtful(
            variants,
            doubtful_gates
            | st.fixed_dictionaries({"on": doubtful(globs | st.just("[]-"), doubtful_gates)}),
        ),
        "budget": anything,
    },
)
doubtful_documents = st.builds(
    lambda top, sections: {**top, **sections},
    st.fixed_dictionaries(
        {},
        optional={
            "schema": mostly(st.just(1), anything),
            "defaults": doubtful(st.sampled_from(list(policies)), anything),
        },
    ),
    tables(mostly(suites, names), mostly(doubtful_suites, anything)),
)
facts = st.builds(
    SuiteFacts,
    variants=st.just(VARIANTS),
    catalogue=st.just(CATALOGUE),
    measured_by=st.sets(st.sampled_from(METHODS)),
    baseline=st.sampled_from([None, "torch"]),
)


def read_and_check(text: str, facts: SuiteFacts) -> bool:
    """Parse, check and select gates; return False if the file is refused."""
    line_count = text.count("\n") + 1
    try:
        thresholds = read(text)
        thresholds.check({"translation": facts}, ["translation", "speech"])
    except ThresholdsError as error:
        assert_readable(error, line_count)
        return False
    for variant in VARIANTS:
        for gate in thresholds.gates_for(
            "translation", variant, CATALOGUE, ["c7i.large", "Intel Xeon"], "torch"
        ):
            line = int(gate.source.removeprefix("thresholds.toml:"))
            assert tomlkit.key(gate.measure).as_string() in text.split("\n")[line - 1]
    return True


@settings(deadline=None)
@given(st.text(), facts)
@example("a = " + "[" * 5000, SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
@example(".".join("a" * 3000) + " = 1", SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
@example("a = " + "1" * 5000, SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
@example("schema = 0x" + "f" * 9000, SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
@example("a\r", SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
def test_any_text_is_read_or_refused(text: str, facts: SuiteFacts) -> None:
    read_and_check(text, facts)


@settings(deadline=None)
@given(valid_documents, st.data(), facts)
def test_any_damaged_file_is_read_or_refused(
    document: dict[str, Any], data: st.DataObject, facts: SuiteFacts
) -> None:
    text = tomlkit.dumps(document)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 9)))
    inserted = data.draw(st.text("[]{}\"'=.,#\n 1aé", max_size=4))
    read_and_check(text[:start] + inserted + text[end:], facts)


@settings(deadline=None)
@given(doubtful_documents, facts)
def test_any_document_is_read_or_refused(document: dict[str, Any], facts: SuiteFacts) -> None:
    read_and_check(tomlkit.dumps(document), facts)


@settings(deadline=None)
@given(valid_documents)
def test_rendered_suites_parse_as_equal_sections(document: dict[str, Any]) -> None:
    suites = read(tomlkit.dumps(document)).suites
    rendered = render(suites)
    assert read(rendered).suites == suites
    assert render(read(rendered).suites) == rendered


@settings(deadline=None)
@given(valid_documents)
def test_every_key_of_a_rendered_file_stands_on_its_line(document: dict[str, Any]) -> None:
    text = render(read(tomlkit.dumps(document)).suites)
    lines = text.split("\n")
    found = line_numbers(text)

    def assert_found(table: dict[str, Any], prefix: KeyPath) -> None:
        for key, value in table.items():
            path = (*prefix, key)
            assert tomlkit.key(key).as_string() in lines[found[path] - 1]
            if isinstance(value, dict):
                assert_found(value, path)

    assert_found(tomllib.loads(text), ())


right_gates = st.fixed_dictionaries(
    {},
    optional={
        "bleu": st.just({"min": 22.0, "max_drop": 1}),
        "latency_p90": st.just({"max": "300 ms"}),
        "size": st.just({"max_ratio": "40 %"}),
        "speedup": st.just({"min": 1.5}),
    },
)


@settings(deadline=None)
@given(
    right_gates,
    tables(st.sampled_from(VARIANTS), right_gates),
    tables(globs, right_gates),
    st.sampled_from(VARIANTS),
)
def test_a_file_that_fits_its_suite_is_accepted(
    gates: dict[str, Any], variants: dict[str, Any], on: dict[str, Any], baseline: str
) -> None:
    below = {**variants, "onnx": {"on": on}}
    below.pop(baseline, None)  # it has no limits against itself
    suite = {"baseline": baseline, "gates": gates, "variants": below}
    text = tomlkit.dumps({"schema": 1, "translation": suite})
    assert read_and_check(text, SuiteFacts(VARIANTS, CATALOGUE, METHODS, None))
