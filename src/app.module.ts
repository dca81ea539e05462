import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { AccessModule } from './access/access.module.js';
import { AccessKeysModule } from './access-keys/access-keys.module.js';
import { ApiModule } from './api/api.module.js';
import { AuditModule } from './audit/audit.module.js';
import type { Config } from './config/config.js';
import { configModule } from './config/config.module.js';
import { CryptoUnitsModule } from './crypto-units/crypto-units.module.js';
import { databaseModule } from './database/database.module.js';
import type { DatabaseTarget } from './database/database-target.js';
import { AlibabaKmsModule } from './dialects/alibaba-kms/alibaba-kms.module.js';
import { HuaweiKmsModule } from './dialects/huawei-kms/huawei-kms.module.js';
import { KeyProtectModule } from './dialects/key-protect/key-protect.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { InstancesModule } from './instances/instances.module.js';
import { KeysModule } from './keys/keys.module.js';

/** The modules in the order of their folders. */
const FEATURES = [
  AuditModule,
  AccessModule,
  InstancesModule,
  CryptoUnitsModule,
  KeysModule,
  AccessKeysModule,
  HttpModule,
  HealthModule,
  ApiModule,
  KeyProtectModule,
  AlibabaKmsModule,
  HuaweiKmsModule,
];

@Module({})
class AppModule {}

/** The server, on a database that is up. */
export function appModule(config: Config, database: DatabaseTarget, log: Logger): DynamicModule {
  return { module: AppModule, imports: [configModule(config, log), databaseModule(database), ...FEATURES] };
}
