# gateway.Dockerfile - the gateway and its page:
#
#   docker build -f deploy/gateway.Dockerfile --build-arg VERSION=$(git describe --always) -t taskwire-gateway .

FROM node:20-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      gcc make pkg-config libc6-dev libuv1-dev libhiredis-dev libwslay-dev libjansson-dev libssl-dev \
      zlib1g-dev libsqlite3-dev libmongoc-dev uthash-dev node-llhttp \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The page's modules first: they change less often than the rest.
COPY gateway/web/package.json gateway/web/package-lock.json gateway/web/
RUN cd gateway/web && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.taskwire-stamp
COPY . .
ARG VERSION=unknown
RUN make -j"$(nproc)" VERSION="$VERSION" build/release/bin/gateway web

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      libuv1 libhiredis0.14 libwslay1 libjansson4 libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin taskwire
COPY --from=build /src/build/release/bin/gateway /usr/lib/taskwire/bin/gateway
COPY --from=build /src/build/release/web /usr/lib/taskwire/web
USER 10001
# Scraped from outside of the container: the port is not to be published.
ENV METRICS_BIND_ADDRESS=0.0.0.0
EXPOSE 3000 9300
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT:-3000} && printf 'GET /api/health/live HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/lib/taskwire/bin/gateway"]
