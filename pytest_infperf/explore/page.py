"""The page of an exploration: tables of effects, and a plot of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_infperf.explore.design import Factor
from pytest_infperf.explore.effects import (
    Effect,
    EffectEstimates,
    cpu_usage_effects,
    effects_on,
    response_time_effects,
)
from pytest_infperf.explore.parameters import describe, format_level
from pytest_infperf.explore.store import Outcome
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report import plots
from pytest_infperf.report.html.figures import Figure
from pytest_infperf.report.html.page_tables import PageTable, page_table
from pytest_infperf.report.html.summary import Card
from pytest_infperf.report.html.templates import template
from pytest_infperf.report.tables.cells import Cell


@dataclass(frozen=True)
class EffectTable:
    """The effects on one response, as text."""

    title: str
    note: str
    rows: Sequence[Sequence[str]]
    """Parameter, range, effect and interval."""


_HEADERS = ("parameter", "from, to", "effect", "interval")
_ENERGIES: dict[str, Callable[[Outcome], float | None]] = {
    "energy per request": lambda o: o.energy_per_request_j,
    "estimated energy per request": lambda o: o.estimated_energy_per_request_j,
}
"""Counted and estimated energy of the host; most hosts have at most one of them."""
_RESPONSES: dict[str, tuple[str, Callable[[Outcome], float | None]]] = {
    "ART": ("average response time, ms", lambda o: o.response_s and 1e3 * o.response_s),
    "ACU": ("average CPU usage, cores", lambda o: o.cores),
    **{title.capitalize(): (f"{title}, J", value_of) for title, value_of in _ENERGIES.items()},
}
"""Name of each response, with its axis label and its value."""


def page(
    title: str,
    factors: Sequence[Factor],
    outcomes: Sequence[Outcome],
    tables: Sequence[EffectTable],
) -> str:
    """Return the page as HTML."""
    return str(
        template("design_space.html.j2", beside=__name__).render(
            title=title,
            cards=list(_cards(outcomes)),
            tables=[_page_table(table) for table in tables],
            figures=_figures(factors, outcomes),
            failures=[
                (describe(outcome.setting), outcome.failure or outcome.doubt)
                for outcome in outcomes
                if outcome.failure or outcome.doubt
            ],
        )
    )


def _cards(outcomes: Sequence[Outcome]) -> Iterator[Card]:
    """Yield a card of the answered trials, and one of the fastest setting."""
    answered = [outcome for outcome in outcomes if outcome.response_s is not None]
    failed = len(outcomes) - len(answered)
    facts = [f"{failed} without a response, listed below"] if failed else []
    yield Card("Trials", str(len(answered)), "", f"of {len(outcomes)} trials answered", facts=facts)
    by_setting: dict[str, list[float]] = {}
    for outcome in answered:
        seconds = outcome.response_s or 0.0
        by_setting.setdefault(describe(outcome.setting), []).append(seconds)
    if by_setting:
        means = {setting: fmean(seconds) for setting, seconds in by_setting.items()}
        best = min(means, key=lambda setting: means[setting])
        yield Card(
            "Fastest setting",
            format_value(means[best], "s"),
            best,
            "average response time",
            [f"slowest setting: {format_value(max(means.values()), 's')}"],
        )


def _page_table(table: EffectTable) -> PageTable:
    title = f"{table.title[:1].upper()}{table.title[1:]}"
    rows = [[Cell(text) for text in row] for row in table.rows]
    return page_table(title, _HEADERS, rows, [table.note])


def effect_tables(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> list[EffectTable]:
    """Return the tables of effects on response time, on CPU usage, and on energy if any."""
    estimates = {
        "average response time (ART)": response_time_effects(factors, outcomes, confidence),
        "average CPU usage (ACU), in cores": cpu_usage_effects(factors, outcomes, confidence),
    }
    for title, value_of in _ENERGIES.items():
        if any(map(value_of, outcomes)):
            estimates[f"{title}, of the whole host"] = effects_on(
                value_of, factors, outcomes, confidence
            )
    return [_effect_table(title, fit, factors, confidence) for title, fit in estimates.items()]


def _effect_table(
    title: str, estimates: EffectEstimates | None, factors: Sequence[Factor], confidence: float
) -> EffectTable:
    """Return the table of one response; an interval that includes "no effect" is marked."""
    if estimates is None:
        return EffectTable(title, "too few trials to estimate effects: use more --replicates", ())
    ranges = {
        f.name: ", ".join(format_level(f.name, level) for level in (f.levels[0], f.levels[-1]))
        for f in factors
    }
    rows = []
    for effect in estimates.effects:
        value, low, high = (_format(effect, n) for n in (effect.value, effect.low, effect.high))
        rows.append(
            [
                " with ".join(effect.factors),
                ranges[effect.factors[0]] if len(effect.factors) == 1 else "",
                value,
                f"[{low}, {high}]{'' if effect.is_significant else ' unclear'}",
            ]
        )
    note = (
        f"{estimates.n} trials, {estimates.r_squared:.1%} of the variance explained, "
        f"{confidence:.0%} confidence"
    )
    if estimates.not_estimable:
        names = ", ".join(estimates.not_estimable)
        note += f"; no estimate for {names}: only one level was answered"
    return EffectTable(title, note, rows)


def _format(effect: Effect, value: float) -> str:
    return format_value(value, "ratio") if effect.is_ratio else f"{value:+.3f}"


def _figures(factors: Sequence[Factor], outcomes: Sequence[Outcome]) -> list[Figure]:
    figures = []
    for factor in factors:
        for short, (label, value_of) in _RESPONSES.items():
            by_level: dict[float, list[float]] = {}
            for outcome in outcomes:
                if value := value_of(outcome):
                    by_level.setdefault(outcome.setting[factor.name], []).append(value)
            if by_level:
                ordered = dict(sorted(by_level.items()))
                names = [format_level(factor.name, level) for level in ordered]
                svg = plots.levels(ordered, names, _axis_label(factor), label)
                figures.append(Figure(f"{short} against {factor.name}", svg))
    return figures


def _axis_label(factor: Factor) -> str:
    """Return a factor's name with its unit, unless the levels on the axis have it."""
    has_unit = factor.unit not in ("", "bytes")
    return f"{factor.name}, {factor.unit}" if has_unit else factor.name
