import { Module } from '@nestjs/common';
import { AccessKeysController } from './access-keys.controller.js';
import { ApiKeysController } from './api-keys.controller.js';
import { AuditController } from './audit.controller.js';
import { BackupsController } from './backups.controller.js';
import { CryptoUnitsController } from './crypto-units.controller.js';
import { InstancesController } from './instances.controller.js';
import { OperationsController } from './operations.controller.js';

@Module({
  controllers: [
    InstancesController,
    CryptoUnitsController,
    OperationsController,
    AuditController,
    BackupsController,
    ApiKeysController,
    AccessKeysController,
  ],
})
export class ApiModule {}
