"""The folder from which `suites.translation.suite` is imported, in tests and in workers."""
