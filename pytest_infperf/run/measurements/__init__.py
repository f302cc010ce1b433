"""What the methods of `variant` measure, one module each. Each gives a result to check."""
