"""A variant served on an EC2 instance of one's own: planned, started, listed and torn down."""
