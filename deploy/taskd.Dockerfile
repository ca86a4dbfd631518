# taskd.Dockerfile - taskd, and taskctl beside it:
#
#   docker build -f deploy/taskd.Dockerfile --build-arg VERSION=$(git describe --always) -t taskwire-taskd .

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      gcc make pkg-config libc6-dev libuv1-dev libhiredis-dev libwslay-dev libjansson-dev libssl-dev \
      zlib1g-dev libsqlite3-dev libmongoc-dev uthash-dev node-llhttp \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG VERSION=unknown
RUN make -j"$(nproc)" VERSION="$VERSION" build/release/bin/taskd build/release/bin/taskctl

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      libuv1 libhiredis0.14 libjansson4 libssl3 zlib1g libsqlite3-0 libmongoc-1.0-0 libbson-1.0-0 libwslay1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin taskwire \
    && install -d -o 10001 -g nogroup /var/lib/taskwire
COPY --from=build /src/build/release/bin/taskd /src/build/release/bin/taskctl /usr/lib/taskwire/bin/
ENV PATH=/usr/lib/taskwire/bin:$PATH
USER 10001
# What is not said stays within the container's network; SQLite needs the volume, MongoDB does not.
ENV BIND_ADDRESS=0.0.0.0 METRICS_BIND_ADDRESS=0.0.0.0 STORE_URL=sqlite:/var/lib/taskwire/taskwire.db
VOLUME /var/lib/taskwire
EXPOSE 3001 9301
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT:-3001} && printf 'GET /api/health/live HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/lib/taskwire/bin/taskd"]
