# syntax=docker/dockerfile:1
# Two stages: wheels are installed by hash in the first, the second holds no build tool.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/scorecard \
 && /opt/scorecard/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/run.txt
COPY . .
RUN /opt/scorecard/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="Readiness Scorecard" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 scorecard \
 && useradd --system --uid 10001 --gid scorecard --home-dir /var/lib/scorecard --create-home scorecard
COPY --from=build /opt/scorecard /opt/scorecard
ENV PATH=/opt/scorecard/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/scorecard
USER scorecard
EXPOSE 8080
VOLUME /var/lib/scorecard
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["scorecard"]
CMD ["serve", "--host", "127.0.0.1", "--port", "8080"]
