# One image for every service of Vigil; the command says which. `EXTRAS=llm` adds the language model
# and its file, so that nothing is fetched when it runs.
FROM python:3.11-slim-bookworm AS build

ARG EXTRAS=""
# PyTorch without CUDA: the default model runs on a CPU. The lock has the hashes of these builds.
ARG TORCH_INDEX="https://download.pytorch.org/whl/cpu"

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 VIGIL_MODEL_DIR=/opt/vigil/models
RUN python -m venv /opt/vigil
ENV PATH=/opt/vigil/bin:$PATH

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY vigil vigil
COPY ingest ingest
COPY detectors detectors
COPY explain explain
COPY store store
COPY notify notify
COPY dashboard dashboard
COPY history history
COPY local local
COPY cli cli
RUN mkdir -p "$VIGIL_MODEL_DIR" \
 && case "$EXTRAS" in \
      "") python requirements/install.py image ;; \
      llm) python requirements/install.py image --llm --torch-index "$TORCH_INDEX" \
           && vigil explain install-model ;; \
      *) echo "EXTRAS is llm or nothing, not $EXTRAS" && exit 1 ;; \
    esac

FROM python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin vigil
COPY --from=build /opt/vigil /opt/vigil
ENV PATH=/opt/vigil/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    VIGIL_MODEL_DIR=/opt/vigil/models
WORKDIR /tmp
USER 10001
EXPOSE 8000 9100
CMD ["vigil", "doctor"]
