"""A shop, for whose functions speed matters."""
