"""A variant served on its own EC2 instance: planned, started, listed and torn down."""
