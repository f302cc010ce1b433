"""The gates that a thresholds.toml gives a variant, and the message for each mistake in it."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_infperf.records.catalogue import Catalogue, quality_spec
from pytest_infperf.thresholds import (
    Policy,
    SuiteFacts,
    Thresholds,
    ThresholdsError,
    parse,
)
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.thresholds.rendering import to_toml

DOCUMENTED = """\
schema = 1
[defaults]
confidence = 0.99          # of every verdict
budget_s = 20              # measuring time of one test of one variant
inconclusive = "fail"      # or "warn"

[translation]
baseline = "torch"
[translation.gates]                                   # every variant
bleu         = { min = 22.0, max_drop = 1.0 }         # points, against the baseline
latency_p90  = { max = "300 ms" }
peak_memory  = { max = "900 MB" }
[translation.variants.onnx-fused-int8]
speedup      = { min = 1.5 }                          # paired ratio to the baseline
size         = { max_ratio = 0.35 }
[translation.variants.onnx-fused-int8.on."c7i.*"]     # instance type or CPU model, a glob
speedup      = { min = 2.0 }
"""
CATALOGUE = Catalogue(
    (quality_spec("bleu", "points", True), quality_spec("wer", "fraction", False))
)
FACTS = SuiteFacts(
    variants=("torch", "onnx", "onnx-fused-int8"),
    catalogue=CATALOGUE,
    measured_by={"latency", "throughput", "quality", "footprint"},
    baseline=None,
)


def read(text: str) -> Thresholds:
    return parse(text, "thresholds.toml")


def problems_of(text: str, facts: SuiteFacts = FACTS) -> str:
    with pytest.raises(ThresholdsError) as caught:
        read(text).check({"translation": facts}, ["translation", "speech"])
    return str(caught.value).removeprefix("thresholds.toml:")


def gates_of(text: str, variant: str, hosts: Sequence[str] = ()) -> dict[str, Gate]:
    gates = read(text).gates_for("translation", variant, CATALOGUE, hosts, "torch")
    return {f"{gate.measure} {gate.limit.text}": gate for gate in gates}


def test_the_documented_file_fits_its_suite() -> None:
    read(DOCUMENTED).check({"translation": FACTS}, ["translation"])


def test_the_documented_file_renders_as_it_is_written() -> None:
    plain = [" ".join(line.partition("#")[0].split()) for line in DOCUMENTED.splitlines()]
    suite = list(filter(None, plain[plain.index("[translation]") :]))
    assert list(filter(None, to_toml(read(DOCUMENTED).suites).splitlines())) == suite


@pytest.mark.parametrize(
    ("variant", "hosts", "expected"),
    [
        (
            "torch",
            (),
            {"bleu min = 22.0", 'latency_p90 max = "300 ms"', 'peak_memory max = "900 MB"'},
        ),
        (
            "onnx-fused-int8",
            ("m7i.large", "Intel(R) Xeon(R) Platinum 8488C"),
            {
                "bleu min = 22.0",
                "bleu max_drop = 1.0",
                'latency_p90 max = "300 ms"',
                'peak_memory max = "900 MB"',
                "speedup min = 1.5",
                "size max_ratio = 0.35",
            },
        ),
        (
            "onnx-fused-int8",
            ("C7I.large",),
            {
                "bleu min = 22.0",
                "bleu max_drop = 1.0",
                'latency_p90 max = "300 ms"',
                'peak_memory max = "900 MB"',
                "speedup min = 2.0",
                "size max_ratio = 0.35",
            },
        ),
    ],
)
def test_gates_of_a_variant_on_a_host(
    variant: str, hosts: Sequence[str], expected: set[str]
) -> None:
    assert set(gates_of(DOCUMENTED, variant, hosts)) == expected


def test_a_gate_has_its_line_and_its_limit_in_the_unit_of_the_measure() -> None:
    gates = gates_of(DOCUMENTED, "onnx-fused-int8", ("c7i.large",))
    values = {name: (gate.source, gate.limit.value) for name, gate in gates.items()}
    assert values['latency_p90 max = "300 ms"'] == ("thresholds.toml:11", 0.3)
    assert values['peak_memory max = "900 MB"'] == ("thresholds.toml:12", 900e6)
    assert values["bleu max_drop = 1.0"] == ("thresholds.toml:10", 1.0)
    assert values["speedup min = 2.0"] == ("thresholds.toml:17", 2.0)


HOSTS = """schema = 1
[translation.gates]
size = { max = "9 MB", max_ratio = 0.9 }
[translation.variants.onnx.on."*xeon*"]
size = { max = "8 MB" }
[translation.variants.onnx.on."c7i.*"]
size = { max = "7 MB" }
"""


@pytest.mark.parametrize(
    ("hosts", "limit"),
    [(("Xeon 8488C",), 8e6), (("Xeon 8488C", "c7i.large"), 7e6), (("c7i.large",), 7e6)],
)
def test_the_last_matching_host_replaces_all_limits_of_a_measure(
    hosts: Sequence[str], limit: float
) -> None:
    assert [gate.limit.value for gate in gates_of(HOSTS, "onnx", hosts).values()] == [limit]


def test_the_baseline_has_no_gates_against_itself() -> None:
    text = """schema = 1
[translation.gates]
speedup = { min = 1, max = 9 }
bleu = { min = 1, max_drop = 1 }
wer = { max = 0.5, max_rise = 0.1 }
size = { max = "1 MB", max_ratio = 1 }
throughput = { min = 1, min_ratio = 1 }
"""
    assert set(gates_of(text, "torch")) == {
        "bleu min = 1",
        "wer max = 0.5",
        'size max = "1 MB"',
        "throughput min = 1",
    }
    assert len(gates_of(text, "onnx")) == 10


def test_policy_of_a_suite_overrides_the_defaults() -> None:
    thresholds = read(
        """schema = 1
[defaults]
confidence = 0.95
inconclusive = "warn"
[translation]
budget_s = 5
inconclusive = "fail"
gates.size.max = "1 MB"
"""
    )
    assert thresholds.policy("translation") == Policy(0.95, 5.0, "fail")
    assert thresholds.policy("speech") == Policy(0.95, 20.0, "warn")
    (gate,) = thresholds.gates_for("translation", "onnx", CATALOGUE, (), None)
    assert (gate.confidence, gate.inconclusive) == (0.95, "fail")


def test_without_a_file_there_are_no_gates() -> None:
    thresholds = Thresholds.empty()
    thresholds.check({"translation": FACTS}, ["translation"])
    assert thresholds.policy("translation") == Policy(0.99, 20.0, "fail")
    assert thresholds.baseline("translation") is None
    assert thresholds.gates_for("translation", "onnx", CATALOGUE, ("c7i.large",), "torch") == []
    assert thresholds == read("schema = 1")


def test_a_suite_that_is_not_collected_is_not_checked() -> None:
    text = 'schema = 1\n[speech]\nbaseline = "any"\n[speech.gates]\nfoo = { max_drop = 1 }\n'
    read(text).check({"translation": FACTS}, ["translation", "speech"])


def in_gates(line: str) -> str:
    return f'schema = 1\n[translation]\nbaseline = "torch"\n[translation.gates]\n{line}\n'


def in_variant(table: str, line: str) -> str:
    header = 'schema = 1\n[translation]\nbaseline = "torch"\n'
    return f"{header}[translation.variants.{table}]\n{line}\n"


P9999 = '"latency_p99.99" = { max = "1 s" }'
MISTAKES = {
    # Mistakes that show without knowing the suites.
    "schema = 1\n[translation.gates\n": (
        "2: syntax: Expected ']' at the end of a table declaration at column 19. "
        "Correct the TOML of this line."
    ),
    "schema = 1\nx = '''\n\n": ("2: syntax: Expected \"'''\". Correct the TOML of this line."),
    in_gates("latency_p90 = { max = 300 ms }"): (
        "5: syntax: Unclosed inline table at column 27. "
        'Put quantities with a unit in quotes: max = "300 ms".'
    ),
    "schema = 1\na = 1\na = 2": (
        "3: syntax: Cannot overwrite a value. Correct the TOML of this line."
    ),
    "schema = 1\na = " + "[" * 5000: (
        "1: syntax: nested too deeply. A gate is at most six tables deep."
    ),
    "": "1: schema: missing. Write schema = 1 on the first line.",
    "[translation]\n": "1: schema: missing. Write schema = 1 on the first line.",
    "\nschema = true": (
        "2: schema: must be 1, not true. "
        "Write schema = 1, or install a version of pytest-infperf that supports this schema."
    ),
    "schema = 2": (
        "1: schema: must be 1, not 2. "
        "Write schema = 1, or install a version of pytest-infperf that supports this schema."
    ),
    "schema = 1\nbudget_s = 3": ("2: budget_s: is outside any table. Move it to [defaults]."),
    "schema = 1\ndefault = 3": '2: default: unknown key. Did you mean "defaults"?',
    "schema = 1\nname = 3": "2: name: unknown key. Choose from: schema, defaults.",
    "schema = 1\n[[translation]]": (
        "2: translation: a suite must be a table, not an array. Write [translation]."
    ),
    "schema = 1\ndefaults = 3": (
        "2: [defaults]: must be a table, not 3. Write [defaults] on a line of its own."
    ),
    "schema = 1\n[defaults]\nbudget = 3": (
        '3: [defaults] budget: unknown key. Did you mean "budget_s"?'
    ),
    'schema = 1\n[defaults]\nconfidence = "0.9"': (
        "3: [defaults] confidence: must be a number greater than 0.5 and less than 1, "
        'not "0.9". Write confidence = 0.99.'
    ),
    "schema = 1\n[defaults]\nconfidence = 99": (
        "3: [defaults] confidence: must be a number greater than 0.5 and less than 1, not 99. "
        "Write confidence = 0.99."
    ),
    "schema = 1\n[defaults]\nconfidence = nan": (
        "3: [defaults] confidence: must be a number greater than 0.5 and less than 1, not nan. "
        "Write confidence = 0.99."
    ),
    "schema = 1\n[translation]\nbudget_s = 0": (
        "3: [translation] budget_s: must be a number greater than 0, not 0. Write budget_s = 20."
    ),
    f"schema = 1\n[translation]\nbudget_s = 1{'0' * 400}": (
        "3: [translation] budget_s: must be a number greater than 0, not an integer out of range. "
        "Write budget_s = 20."
    ),
    "schema = 1\n[translation]\nbudget_s = false": (
        "3: [translation] budget_s: must be a number greater than 0, not false. "
        "Write budget_s = 20."
    ),
    'schema = 1\n[translation]\ninconclusive = "warning"': (
        '3: [translation] inconclusive: must be "fail" or "warn", not "warning". '
        'Did you mean "warn"?'
    ),
    "schema = 1\n[translation]\ninconclusive = []": (
        '3: [translation] inconclusive: must be "fail" or "warn", not an array. '
        "Choose from: fail, warn."
    ),
    "schema = 1\n[translation]\nbaseline = 1": (
        "3: [translation] baseline: must be a variant's id, not 1. "
        'Write it in quotes: baseline = "torch".'
    ),
    "schema = 1\n[translation]\nvariant = {}": (
        '3: [translation] variant: unknown key. Did you mean "variants"?'
    ),
    "schema = 1\n[translation]\nbleu = { min = 2 }": (
        "3: [translation] bleu: a gate outside the table of gates. Move it to [translation.gates]."
    ),
    "schema = 1\n[translation]\ngates = []": (
        "3: [translation.gates]: must be a table, not an array. "
        "Write [translation.gates] on a line of its own."
    ),
    'schema = 1\n[translation.variants.onnx]\non."c7i.*" = 1979-05-27': (
        '3: [translation.variants.onnx.on."c7i.*"]: must be a table, not a date or time. '
        'Write [translation.variants.onnx.on."c7i.*"] on a line of its own.'
    ),
    in_gates('on."c7i.*".bleu.min = 3'): (
        "5: [translation.gates] on: limits for a host must belong to a variant. "
        'Move them to [translation.variants.ID.on."GLOB"].'
    ),
    in_gates('latency_p90 = "300 ms"'): (
        '5: [translation.gates] latency_p90: a gate must be a table of limits, not "300 ms". '
        'Write latency_p90 = { min = "300 ms" } or latency_p90 = { max = "300 ms" }.'
    ),
    in_gates("bleu = [22]"): (
        "5: [translation.gates] bleu: a gate must be a table of limits, not an array. "
        "Write bleu = { min = ... } or bleu = { max = ... }."
    ),
    in_gates("bleu = {}"): (
        "5: [translation.gates] bleu: the gate has no limit. "
        "Add one of min, max, max_drop, max_rise, min_ratio, max_ratio, "
        "max_regression, or remove the gate."
    ),
    in_gates("bleu = { minimum = 1 }"): (
        '5: [translation.gates] bleu.minimum: unknown limit. Did you mean "min"?'
    ),
    in_gates("bleu = { least = 1 }"): (
        "5: [translation.gates] bleu.least: unknown limit. "
        "Choose from: min, max, max_drop, max_rise, min_ratio, max_ratio, "
        "max_regression."
    ),
    in_gates("bleu = { min = true }"): (
        "5: [translation.gates] bleu.min: must be a finite number or a quantity in quotes, "
        'not true. Write min = 1.5 or min = "300 ms".'
    ),
    in_gates("bleu = { min = inf }"): (
        "5: [translation.gates] bleu.min: must be a finite number or a quantity in quotes, "
        'not inf. Write min = 1.5 or min = "300 ms".'
    ),
    in_gates("bleu = { min = 23, max = 22.5 }"): (
        "5: [translation.gates] bleu.min: 23 is greater than max = 22.5. Lower min or raise max."
    ),
    in_gates("size = { min_ratio = 2, max_ratio = 1 }"): (
        "5: [translation.gates] size.min_ratio: 2 is greater than max_ratio = 1. "
        "Lower min_ratio or raise max_ratio."
    ),
    in_gates('latency_p99.9 = { max = "1 s" }'): (
        "5: [translation.gates] latency_p99.9: an unquoted dot separates two keys. "
        'Write "latency_p99.9" = ...'
    ),
    # Mistakes that show only with the suites.
    "schema = 1\n[translatoin]": '2: [translatoin]: unknown suite. Did you mean "translation"?',
    "schema = 1\n[default]": '2: [default]: unknown suite. Did you mean "defaults"?',
    'schema = 1\n[translation]\nbaseline = "Torch2"': (
        '3: [translation] baseline: unknown variant "Torch2". Did you mean "torch"?'
    ),
    "schema = 1\n[translation.variants.onxx]": (
        '2: [translation.variants.onxx]: unknown variant. Did you mean "onnx"?'
    ),
    'schema = 1\n[translation.variants."a.b"]': (
        '2: [translation.variants."a.b"]: unknown variant. '
        "Choose from: torch, onnx, onnx-fused-int8."
    ),
    in_gates('latancy_p90 = { max = "1 s" }'): (
        '5: [translation.gates] latancy_p90: unknown measure. Did you mean "latency_p90"?'
    ),
    in_gates("BLEU = { min = 22 }"): (
        '5: [translation.gates] BLEU: unknown measure. Did you mean "bleu"?'
    ),
    in_gates("perplexity = { max = 9 }"): (
        "5: [translation.gates] perplexity: needs a task with a text for perplexity. "
        'Name a text: TextGeneration(perplexity=Perplexity("text.txt")).'
    ),
    in_gates("latency_p90 = { max_ratio = 1.1 }"): (
        "5: [translation.gates] latency_p90.max_ratio: latency_p90 has no limit max_ratio, only "
        "min, max. To compare it with the baseline, set the gate speedup = { min = ... }."
    ),
    in_gates("speedup = { max_drop = 1.1 }"): (
        "5: [translation.gates] speedup.max_drop: speedup has no limit max_drop, only min, max. "
        "A speedup is already relative to the baseline: use min."
    ),
    in_gates("bleu = { max_rise = 1.1 }"): (
        "5: [translation.gates] bleu.max_rise: bleu has no limit max_rise, only min, max, "
        "max_drop, max_regression. Use max_drop."
    ),
    in_gates("size = { max_rise = 1.1 }"): (
        "5: [translation.gates] size.max_rise: size has no limit max_rise, only min, max, "
        "min_ratio, max_ratio. Use min_ratio or max_ratio."
    ),
    in_gates("load_time = { max_ratio = 1.1 }"): (
        "5: [translation.gates] load_time.max_ratio: load_time has no limit max_ratio, only "
        "min, max. Use min or max."
    ),
    in_gates("latency_p90 = { max = 300 }"): (
        "5: [translation.gates] latency_p90.max: 300 has no unit. "
        'Write "300 ms" or "300 s" (units: ns, us, µs, ms, s, min, h).'
    ),
    in_gates('latency_p90 = { max = "fast; 1" }'): (
        "5: [translation.gates] latency_p90.max: 'fast; 1' is not a number with a unit. "
        'Write "300 ms" or "2 s".'
    ),
    in_gates('size = { min = "1 GB", max = "900 MB" }'): (
        '5: [translation.gates] size.min: "1 GB" is greater than max = "900 MB". '
        "Lower min or raise max."
    ),
    in_gates('"latency_p99.9999" = { max = "1 s" }'): (
        '5: [translation.gates] "latency_p99.9999": needs at least 4605168 queries at confidence '
        "0.99, more than a model can process within the budget of 20 s (50% of it; "
        "pairs use the rest). Raise budget_s in [translation] to 922 or more, or gate a lower "
        "percentile."
    ),
    in_gates('"latency_p99.99999999999999999" = { max = "1 s" }'): (
        '5: [translation.gates] "latency_p99.99999999999999999": no run of reasonable length '
        "can resolve it. Gate a percentile closer to the median."
    ),
    in_gates(P9999).replace("baseline", "budget_s = 6\nbaseline"): (
        '6: [translation.gates] "latency_p99.99": needs at least 46050 queries at confidence '
        "0.99, more than a model can process within the budget of 6 s (50% of it; "
        "pairs use the rest). Raise budget_s in [translation] to 10 or more, or gate a lower "
        "percentile."
    ),
    in_variant("torch", "speedup = { min = 1.2 }"): (
        '5: [translation.variants.torch] speedup.min: "torch" is the baseline itself, so the limit '
        "judges nothing. Move the limit to another variant, or remove it."
    ),
    in_variant('torch.on."c7i.*"', "bleu = { min = 1, max_drop = 1 }"): (
        '5: [translation.variants.torch.on."c7i.*"] bleu.max_drop: "torch" is the baseline itself, '
        "so the limit judges nothing. Move the limit to another variant, or remove it."
    ),
    in_variant('onnx.on."["', "bleu = { min = 1 }"): (
        '4: [translation.variants.onnx.on."["]: the glob has a [ that is not closed. '
        "Close the set of characters with ], or write [[] for the character itself."
    ),
    in_variant('onnx.on."Xeon [!]*"', "bleu = { min = 1 }"): (
        '4: [translation.variants.onnx.on."Xeon [!]*"]: the glob has a [ that is not closed. '
        "Close the set of characters with ], or write [[] for the character itself."
    ),
    in_variant('onnx.on.""', "bleu = { min = 1 }"): (
        '4: [translation.variants.onnx.on.""]: the glob is empty. Write on."c7i.*" or on."*Xeon*".'
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=MISTAKES.values())
def test_messages_of_mistakes(text: str, message: str) -> None:
    assert problems_of(text) == message


@pytest.mark.parametrize(
    ("gate", "limit"),
    [
        ("speedup = { min = 1.5 }", "speedup.min"),
        ("bleu = { max_drop = 1 }", "bleu.max_drop"),
        ("wer = { max_rise = 0.1 }", "wer.max_rise"),
        ("size = { max_ratio = 0.5 }", "size.max_ratio"),
        ("throughput = { min_ratio = 0.5 }", "throughput.min_ratio"),
        ("agreement = { min = 0.9 }", "agreement.min"),
    ],
)
def test_a_limit_relative_to_the_baseline_needs_one(gate: str, limit: str) -> None:
    text = f"schema = 1\n[translation.gates]\n{gate}\n"
    assert problems_of(text) == (
        f"3: [translation.gates] {limit}: there is no baseline to compare with. "
        'Add baseline = "torch" to [translation].'
    )
    read(text).check({"translation": replace(FACTS, baseline="onnx")}, [])


@pytest.mark.parametrize(
    ("gate", "method"),
    [
        ('latency_p90 = { max = "1 s" }', "latency"),
        ("throughput = { min = 1 }", "throughput"),
        ("bleu = { min = 1 }", "quality"),
        ('size = { max = "1 GB" }', "footprint"),
    ],
)
def test_a_gate_needs_a_test_that_measures_it(gate: str, method: str) -> None:
    facts = replace(FACTS, measured_by={*FACTS.measured_by} - {method})
    measure = gate.partition(" ")[0]
    assert problems_of(in_gates(gate), facts) == (
        f"5: [translation.gates] {measure}: no test of this suite measures it: none calls "
        f"variant.{method}(). Add a test that calls variant.{method}().check()."
    )


def test_a_larger_budget_makes_a_percentile_valid() -> None:
    gate = '"latency_p99.9999" = { max = "1 s" }'
    text = in_gates(gate).replace("baseline", "budget_s = 922\nbaseline")
    read(text).check({"translation": FACTS}, [])


def test_the_budget_of_the_option_overrides_the_file() -> None:
    text = in_gates('"latency_p99.9999" = { max = "1 s" }')
    read(text).check({"translation": replace(FACTS, budget_s=922)}, [])
    generous = text.replace("baseline", "budget_s = 1000\nbaseline")
    assert problems_of(generous, replace(FACTS, budget_s=20)) == (
        '6: [translation.gates] "latency_p99.9999": needs at least 4605168 queries at confidence '
        "0.99, more than a model can process within the budget of 20 s (50% of it; "
        "pairs use the rest). Raise --infperf-budget to 922 or more, or gate a lower percentile."
    )


def test_pairs_with_another_revision_take_their_part_of_the_budget() -> None:
    text = in_gates(P9999).replace("baseline", "budget_s = 10\nbaseline")
    read(text).check({"translation": FACTS}, [])
    message = problems_of(text, replace(FACTS, against_revision=True))
    assert "within the budget of 10 s (33% of it; pairs use the rest)" in message
    assert "Raise budget_s in [translation] to 14 or more" in message


def test_where_nothing_is_compared_single_queries_have_the_whole_budget() -> None:
    text = in_gates(P9999).replace("baseline", "budget_s = 6\nbaseline")
    alone = replace(FACTS, variants=("torch",))
    read(text).check({"translation": alone}, [])
    on_the_baseline = text.replace("gates", "variants.torch")
    read(on_the_baseline).check({"translation": FACTS}, [])


def test_a_protocol_resolves_what_its_requests_resolve() -> None:
    catalogue = Catalogue(points={"study": "protocol"})
    facts = replace(
        FACTS, catalogue=catalogue, measured_by={"protocol"}, requests_at={"study": 300}
    )
    text = 'schema = 1\n[translation.gates]\nlatency_p90.at.study = { max = "1 s" }\n'
    read(text).check({"translation": facts}, [])
    assert problems_of(text.replace("p90", "p99"), facts) == (
        "3: [translation.gates] latency_p99.at.study: needs at least 459 queries at confidence "
        "0.99, and study has 300. Gate a lower percentile."
    )


def test_a_suite_of_the_baseline_alone_has_nothing_to_compare() -> None:
    alone = replace(FACTS, variants=("torch",))
    assert problems_of(in_gates("speedup = { min = 1.2 }"), alone) == (
        '5: [translation.gates] speedup.min: "torch" is the baseline itself, so the limit judges '
        "nothing. Move the limit to another variant, or remove it."
    )


@pytest.mark.parametrize("glob", ["c7i.*", "[cm]7i.*", "[]]*", "[!]]*", "[[]*", "*Xeon*"])
def test_a_glob_of_hosts_may_have_sets_of_characters(glob: str) -> None:
    read(in_variant(f"onnx.on.'{glob}'", "bleu = { min = 1 }"))


def test_the_baseline_has_no_agreement_with_itself() -> None:
    text = in_gates("agreement = { min = 0.9 }")
    assert gates_of(text, "torch") == {}
    assert list(gates_of(text, "onnx")) == ["agreement min = 0.9"]


def test_all_problems_are_reported_together_in_the_order_of_their_lines() -> None:
    with pytest.raises(ThresholdsError) as caught:
        read('[translation.gates]\nsize = 3\nbleu = {}\n[translation]\nconfidence = 2\nname = ""')
    assert [(p.line, p.key) for p in caught.value.problems] == [
        (1, "schema"),
        (2, "[translation.gates] size"),
        (3, "[translation.gates] bleu"),
        (5, "[translation] confidence"),
        (6, "[translation] name"),
    ]
    assert all(line.startswith("thresholds.toml:") for line in str(caught.value).splitlines())


def test_gates_for_refuses_a_measure_that_the_suite_lacks() -> None:
    with pytest.raises(ThresholdsError, match=r'thresholds.toml:5: .* Did you mean "bleu"'):
        gates_of(in_gates("blue = { min = 1 }"), "onnx")


def test_importing_it_imports_no_pytest_no_numerics_and_no_writer() -> None:
    code = (
        "import sys, pytest_infperf.thresholds;"
        "sys.exit(', '.join({'pytest', '_pytest', 'numpy', 'scipy', 'tomlkit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
