"""A user's server, started by `uvicorn endpoint_app:app`. It does not use this package."""

import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel

app = FastAPI()
clients = set()


class Review(BaseModel):
    text: str


class Instances(BaseModel):
    instances: list[str]


def label(text):
    return "good" if "fine" in text else "bad"


@app.post("/good")
async def good(review: Review):
    return {"result": {"label": label(review.text)}}


@app.post("/fine")
async def fine(review: Review):
    if "fine" not in review.text:
        return JSONResponse({"detail": f"not fine: {review.text}" + "x" * 1000}, 422)
    return {"result": {"label": "good"}}


@app.post("/small")
async def small():
    return JSONResponse({"error": "too large"}, 413)


@app.post("/slow")
async def slow(review: Review):
    await asyncio.sleep(0.05)
    return {"result": {"label": label(review.text)}}


@app.post("/wrong")
async def wrong(review: Review):
    return {"result": {"label": "bad"}}


@app.post("/v1/models/reviews:predict")
async def predict(body: Instances, request: Request):
    clients.add(request.client.port)
    return {"predictions": [label(text) for text in body.instances]}


@app.post("/one")
async def one(review: Review, request: Request):
    clients.add(request.client.port)
    return {"result": {"label": label(review.text)}}


@app.get("/clients")
async def count():
    number = len(clients)
    clients.clear()
    return number


@app.post("/error")
async def error(request: Request):
    seen = f"{request.headers.get('authorization')} {request.url.query}"
    return JSONResponse({"detail": f"out of memory {seen}" + "x" * 1000}, 500)


@app.post("/html")
async def html():
    return PlainTextResponse("<html>Please log in</html>")


@app.post("/null")
async def null():
    return {"result": {"label": None}}


@app.post("/fewer")
async def fewer():
    return {"predictions": []}


@app.post("/moved")
async def moved():
    return RedirectResponse("/good?token=hidden", 307)


@app.post("/hangs")
async def hangs():
    await asyncio.sleep(5)


@app.post("/secured")
async def secured(review: Review, request: Request, wait_s: float = 0):
    await asyncio.sleep(wait_s)
    if request.headers.get("authorization") != "Bearer tok-3f9a-secret":
        return JSONResponse({"detail": "who are you?"}, 401)
    return {"result": {"label": label(review.text)}}
