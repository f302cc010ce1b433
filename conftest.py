"""Makes this folder the start of import names: `suites.translation.suite`, here and in workers."""
