"""Load on a server: generators of requests, the server's usage, and measures of both."""
