"""The measurements behind the methods of `variant`, one module each."""
