"""Plugins of pytest that these tests need, and that the runs that they start disable."""

from importlib.util import find_spec

LEFT_OUT = [
    f"-pno:{name}"
    for name in ("anyio", "hypothesispytest", "locust", "schemathesis", "syrupy", "timeout")
]
"""Importing the first four takes two seconds of each run. Syrupy and pytest-timeout keep state of
the whole process (a global session, the alarm signal) that a run in this process would replace."""

if find_spec("pytest_asyncio"):
    LEFT_OUT.append("-oasyncio_default_fixture_loop_scope=function")
    """It warns of a project that does not set this."""
