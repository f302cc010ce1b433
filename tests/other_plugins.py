"""Plugins of pytest that these tests need themselves and that the runs they start leave out."""

LEFT_OUT = [
    f"-pno:{name}"
    for name in ("anyio", "hypothesispytest", "locust", "schemathesis", "syrupy", "timeout")
]
"""Importing the first four takes two seconds of each run. Syrupy and pytest-timeout keep state of
the whole process (a global session, the alarm signal) that a run in this process would replace."""
