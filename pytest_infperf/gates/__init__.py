"""Gates: verdicts on limits, and the sentences that explain them."""
