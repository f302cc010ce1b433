"""What an exploration found, as a page: effects, and the plots of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf.explore.design import Factor
from pytest_infperf.explore.effects import Effect, Fit, on_cpu_usage, on_response_time
from pytest_infperf.explore.store import Outcome
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report import plots
from pytest_infperf.report.html.templates import template


@dataclass(frozen=True)
class EffectTable:
    title: str
    note: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class LevelPlot:
    title: str
    svg: str


_RESPONSES: dict[str, tuple[str, Callable[[Outcome], float | None]]] = {
    "ART": ("average response time, ms", lambda o: o.response_s and 1e3 * o.response_s),
    "ACU": ("average CPU usage, cores", lambda o: o.cores),
}


def page(
    title: str,
    factors: Sequence[Factor],
    outcomes: Sequence[Outcome],
    tables: Sequence[EffectTable],
) -> str:
    return str(
        template("design_space.html.j2", beside=__name__).render(
            title=title,
            answered=sum(outcome.measured for outcome in outcomes),
            tried=len(outcomes),
            tables=tables,
            figures=_figures(factors, outcomes),
            failures=[
                (outcome.key.partition(":")[2], outcome.failure or outcome.doubt)
                for outcome in outcomes
                if outcome.failure or outcome.doubt
            ],
        )
    )


def effect_tables(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> list[EffectTable]:
    """On response time and on CPU usage."""
    fits = {
        "average response time (ART)": on_response_time(factors, outcomes, confidence),
        "average CPU usage (ACU), in cores": on_cpu_usage(factors, outcomes, confidence),
    }
    return [_effect_table(title, fit, factors, confidence) for title, fit in fits.items()]


def _effect_table(
    title: str, fit: Fit | None, factors: Sequence[Factor], confidence: float
) -> EffectTable:
    """Parameter, its range, effect and interval; marked where the interval holds no effect."""
    if fit is None:
        return EffectTable(title, "too few trials to tell effects: more replicates", ())
    ranges = {f.name: f"{level(f, f.levels[0])}, {level(f, f.levels[-1])}" for f in factors}
    rows = []
    for effect in fit.effects:
        value, low, high = (_shown(effect, n) for n in (effect.value, effect.low, effect.high))
        rows.append(
            [
                " with ".join(effect.factors),
                ranges[effect.factors[0]] if len(effect.factors) == 1 else "",
                value,
                f"[{low}, {high}]{'' if effect.certain else ' unclear'}",
            ]
        )
    note = f"{fit.n} trials, {fit.explained:.1%} of the variance explained, {confidence:.0%} sure"
    if fit.untold:
        note += f"; no effect of {', '.join(fit.untold)}: only one level was answered"
    return EffectTable(title, note, rows)


def level(factor: Factor, value: float) -> str:
    return format_value(value, "bytes") if factor.unit == "bytes" else f"{value:g}"


def _shown(effect: Effect, value: float) -> str:
    return format_value(value, "ratio") if effect.is_ratio else f"{value:+.3f}"


def _figures(factors: Sequence[Factor], outcomes: Sequence[Outcome]) -> list[LevelPlot]:
    figures = []
    for factor in factors:
        for short, (label, of) in _RESPONSES.items():
            found: dict[float, list[float]] = {}
            for outcome in outcomes:
                if value := of(outcome):
                    found.setdefault(outcome.setting[factor.name], []).append(value)
            if found:
                ordered = dict(sorted(found.items()))
                names = [level(factor, value) for value in ordered]
                svg = plots.levels(ordered, names, factor.name, label)
                figures.append(LevelPlot(f"{short} against {factor.name}", svg))
    return figures
