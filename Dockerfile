# The image of SentiStream: one binary with its model and dashboard, on a base image without a shell.
#
#   docker build -t sentistream .          (or: podman build --format docker -t sentistream .)
#   docker run --rm -p 127.0.0.1:8000:8000 -v sentistream:/data sentistream
#
# Without a registry, scripts/local-images builds the three base images on a Debian machine.
# Each digest pins the image that the tag before it named at the last review. `docker buildx imagetools inspect TAG` prints the
# current digest of a tag.
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

# The dashboard is the same for every platform, so it is built on the platform of the builder.
FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS dashboard
WORKDIR /src/dashboard
COPY dashboard/package.json dashboard/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY dashboard ./
RUN npm run build

FROM ${RUST_IMAGE} AS build
# The builder sets this to the architecture of the image. Each architecture has a separate cache.
ARG TARGETARCH
WORKDIR /src
COPY . .
COPY --from=dashboard /src/dashboard/dist dashboard/dist
# These caches keep downloads and compiled dependencies, so that a change of this project compiles only this project.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-${TARGETARCH},target=/src/target,sharing=locked \
    cargo build --release --locked \
    && install -D target/release/sentistream /out/sentistream \
    && mkdir /out/data

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="SentiStream" \
      org.opencontainers.image.description="Real-time sentiment and emotion of social-media posts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/sentistream /usr/local/bin/sentistream
# The folder belongs to the base image's user `nonroot`, so a new volume belongs to this user too.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
# SENTISTREAM__DATABASE__URL takes precedence over DATABASE_URL, so the environment of a container can override this
# default with either name.
ENV SENTISTREAM__SERVER__LISTEN=0.0.0.0:8000 \
    DATABASE_URL=sqlite:///data/sentistream.db
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/sentistream", "health"]
ENTRYPOINT ["/usr/local/bin/sentistream"]
