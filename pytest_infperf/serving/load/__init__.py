"""Load on a server: generators of requests, the server's usage meanwhile, and measures of both."""
