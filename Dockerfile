# One image, several commands: serve, worker, migrate, simulator and the rest. Build: docker build -t lastro:local .
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    LASTRO_HOST=0.0.0.0 \
    LASTRO_PORT=8000

WORKDIR /app

# What changes rarely comes first. Every version and hash is pinned; no registry is named.
COPY requirements/runtime.in requirements/runtime.txt requirements/
RUN python -m pip install --require-hashes -r requirements/runtime.txt

# Editable: `lastro migrate` reads the migrations that lie beside the source.
COPY pyproject.toml README.md LICENSE NOTICE alembic.ini ./
COPY migrations/ migrations/
COPY src/ src/
RUN python -m pip install --no-deps --no-build-isolation --editable . \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lastro

USER lastro
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['LASTRO_PORT']}/health/live\", timeout=2)"]

ENTRYPOINT ["lastro"]
CMD ["serve"]
