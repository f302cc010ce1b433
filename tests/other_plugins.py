"""Plugins of pytest that these tests need themselves, and the runs that they start do not."""

LEFT_OUT = [f"-pno:{name}" for name in ("anyio", "hypothesispytest", "locust", "schemathesis")]
"""Importing them takes two seconds of each run."""
