# Earmark as a container: no compiler, no network at run time, no root.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY data ./data
RUN python -m venv /opt/earmark \
    && /opt/earmark/bin/pip install --no-cache-dir .

FROM python:3.12-slim-bookworm
COPY --from=build /opt/earmark /opt/earmark
RUN useradd --uid 10001 --create-home earmark
# Kernels are compiled for the machine they run on, once in the life of a container.
ENV PATH=/opt/earmark/bin:$PATH \
    NUMBA_CACHE_DIR=/tmp/earmark-kernels \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
# In this form SIGTERM reaches the scan itself.
ENTRYPOINT ["earmark"]
CMD ["--help"]
