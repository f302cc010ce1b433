"""Training of the reference models: `python -m recipes.NAME --help`."""
