import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { DataSource } from 'typeorm';
import { AccessModule } from '../../src/access/access.module.js';
import { ApiKey } from '../../src/access/api-key.entity.js';
import { hashOfApiKey, makeApiKey } from '../../src/access/api-key-text.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { loadConfig } from '../../src/config/config.js';
import { configModule } from '../../src/config/config.module.js';
import { databaseModule } from '../../src/database/database.module.js';
import { HttpModule } from '../../src/http/http.module.js';
import { makeListener } from '../../src/http/listener.js';
import type { Role } from '../../src/shared/permissions.js';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';

@Module({})
class RootModule {}

export interface RunningApp {
  readonly url: string;
  readonly port: number;
  readonly db: DataSource;
  readonly audit: AuditLog;
  /** The lines the server logged. */
  readonly log: Record<string, unknown>[];
  /** Makes an API key with the roles. */
  keyFor(...roles: Role[]): Promise<string>;
  end(): Promise<void>;
}

/**
 * The server base (config, database, audit, access, http) with the given module on it, listening on a free port; on a
 * database of its own, or as a replica on that of another one.
 */
export async function runApp(
  feature: Type,
  env: Readonly<Record<string, string>> = {},
  shared?: OwnDatabase,
): Promise<RunningApp> {
  const own = shared ?? (await makeDatabase());
  const dataDir = mkdtempSync(join(tmpdir(), 'keystead-http-'));
  const config = loadConfig({ ...env, KEYSTEAD_DATA_DIR: dataDir });
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const imports = [configModule(config, log), databaseModule({ url: own.url }), AuditModule, AccessModule, HttpModule];
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: RootModule, imports: [...imports, feature] },
    makeListener(config),
    { bodyParser: false, abortOnError: false, logger: false },
  );
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const db = app.get(DataSource);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    db,
    audit: app.get(AuditLog),
    log: lines,
    keyFor: async (...roles) => {
      const key = makeApiKey();
      const times = { createdAt: new Date(), expiresAt: null, revokedAt: null };
      await db.manager.insert(ApiKey, {
        id: randomUUID(),
        name: roles.join('+'),
        hash: hashOfApiKey(key),
        roles,
        scopes: [],
        ...times,
      });
      return key;
    },
    end: async () => {
      await app.close();
      if (shared === undefined) await own.drop();
      rmSync(dataDir, { recursive: true });
    },
  };
}
