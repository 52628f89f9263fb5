# Écoute in one image, for the app, `watch` and every command. docs/install.md, section 9.
FROM python:3.13-slim AS packages
COPY requirements.lock requirements-postgresql.lock requirements-sources.lock /tmp/
# Drivers of sources in S3, MySQL and MariaDB: build with --build-arg SOURCES=yes (docs/sources.md).
ARG SOURCES=
RUN python -m venv /opt/ecoute/.venv \
    && /opt/ecoute/.venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /tmp/requirements.lock -r /tmp/requirements-postgresql.lock \
        ${SOURCES:+-r /tmp/requirements-sources.lock}

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Écoute" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 ecoute \
    && useradd --system --uid 10001 --gid ecoute --home-dir /var/lib/ecoute \
        --shell /usr/sbin/nologin ecoute \
    && install -d -m 0700 -o ecoute -g ecoute /var/lib/ecoute /srv/incoming
COPY --from=packages /opt/ecoute/.venv /opt/ecoute/.venv
WORKDIR /opt/ecoute
COPY app.py pyproject.toml LICENSE ./
COPY .streamlit .streamlit
COPY data/scorecards data/scorecards
COPY data/demo_calls data/demo_calls
COPY pages pages
COPY qa_core qa_core
RUN .venv/bin/python -m compileall -q qa_core pages app.py
ENV PATH=/opt/ecoute/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    QA_HOME=/var/lib/ecoute \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0
USER ecoute
VOLUME /var/lib/ecoute
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
CMD ["streamlit", "run", "app.py"]
