"""Load on a server, and what came of it: each request's times, and what the server used."""
