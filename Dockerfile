# One image for every process of ours; the command says which. Pinned tags: put the digest of your registry behind them.
ARG PYTHON=python:3.12.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /build/
RUN python -m venv --copies /opt/workunits \
    && /opt/workunits/bin/pip install --require-hashes --only-binary :all: -r /build/requirements.txt
COPY activities /opt/app/activities
COPY inbox /opt/app/inbox
COPY observability /opt/app/observability
COPY workers /opt/app/workers
COPY workunits /opt/app/workunits
# Bytecode that is checked against the source's content and not its time: the file system will be read-only.
RUN /opt/workunits/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/workunits/lib /opt/app

FROM ${PYTHON}
RUN groupadd --gid 10001 workunits \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/workunits workunits \
    && install -d -o workunits -g workunits -m 0700 /var/lib/workunits
COPY --from=build /opt/workunits /opt/workunits
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/workunits/bin:$PATH \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    WORKUNITS_LOG=json \
    WORKUNITS_STATE=/var/lib/workunits \
    WORKUNITS_DATA=/var/lib/workunits/data
USER 10001:10001
WORKDIR /var/lib/workunits
STOPSIGNAL SIGTERM
# -P: no folder of the current one may take the place of ours.
ENTRYPOINT ["python", "-P", "-m", "workers.cli"]
