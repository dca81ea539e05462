# The server with SoftHSM2 as its tokens. The API process and the unit agents share this container and its user:
# that contains crashes, not an attacker (SECURITY.md, "isolation: process-only").
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
  && install -d -o node -g node -m 0700 /var/lib/keystead
COPY --from=build /opt/keystead /opt/keystead
USER node
ENV NODE_ENV=production KEYSTEAD_DATA_DIR=/var/lib/keystead
VOLUME /var/lib/keystead
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["/opt/keystead/bin/keystead", "serve"]
