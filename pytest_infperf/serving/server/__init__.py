"""A variant behind an HTTP API, with FastAPI and uvicorn."""
