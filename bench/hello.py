"""The least that FastAPI can do: how much of an answer is the framework's."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/baas/api/v1/hello")
async def hello() -> dict[str, str]:
    """Say so."""
    return {"hello": "world"}
