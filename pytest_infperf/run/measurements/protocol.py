"""`variant.protocol()`: measurements by the procedure of a published study."""

from __future__ import annotations

from pytest_infperf import errors
from pytest_infperf.errors import UserError
from pytest_infperf.gates.result import Result
from pytest_infperf.measure import protocols
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.run.context import VariantContext

__tracebackhide__ = errors.meant_for_the_user


def measure_protocol(context: VariantContext, name: str) -> Result:
    """Measure according to a protocol (see `measure.protocols`).

    Raises
    ------
    UserError
        If there is no protocol with that name.
    """
    if name not in protocols.PROTOCOLS:
        raise UserError(f"no protocol {name!r}; there are {', '.join(protocols.PROTOCOLS)}")
    protocol = protocols.PROTOCOLS[name]
    measured = protocols.measure_protocol(
        protocol,
        context.worker,
        endless_order(context.suite_run.numbers, context.seed + 4),
        confidence=context.confidence,
        report_progress=lambda share: context.report_progress(f"following {name}, {share:.0%}"),
    )
    evidence = context.record.evidence
    evidence.protocols = {**(evidence.protocols or {}), name: protocol.source}
    return context.result([measured], context.gates_of("protocol", name))
