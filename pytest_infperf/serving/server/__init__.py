"""A variant behind an HTTP API: FastAPI and uvicorn, as a team would serve it."""
