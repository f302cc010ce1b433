"""Gates: the verdict that measuring gives on a limit, and the sentences that explain it."""
