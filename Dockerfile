# Keystead's server, and the agent of a SoftHSM2 unit: one image, two users. `keystead` runs API processes and cannot read
# what `keystead-agent` owns: tokens, PINs, seal keys. docker-compose.yml shows both.
FROM node:24-bookworm-slim AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ make python3 softhsm2 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/keystead
COPY package.json package-lock.json ./
RUN npm_config_nodedir=/usr/local npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends softhsm2 \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 keystead && useradd --uid 10001 --gid 10001 --no-create-home keystead \
  && groupadd --gid 10002 keystead-agent && useradd --uid 10002 --gid 10002 --no-create-home keystead-agent \
  && install -d -o keystead -g keystead -m 0700 /var/lib/keystead /var/lib/keystead-shared \
  && install -d -o keystead -g keystead -m 0755 /var/lib/keystead-postgres \
  && install -d -o keystead-agent -g keystead-agent -m 0700 /var/lib/keystead-unit /var/lib/keystead-seal \
  && install -d -o keystead-agent -g keystead -m 2750 /run/keystead/unit-1 /run/keystead/unit-2 /run/keystead/unit-3
COPY --from=build /opt/keystead /opt/keystead
USER keystead
ENV NODE_ENV=production PATH=/opt/keystead/bin:$PATH KEYSTEAD_DATA_DIR=/var/lib/keystead
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["keystead", "serve"]
