"""How the reference models were trained: `python -m recipes.NAME --help`."""
