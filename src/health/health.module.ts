import { Module } from '@nestjs/common';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { ImportTokensModule } from '../import-tokens/import-tokens.module.js';
import { InstancesModule } from '../instances/instances.module.js';
import { HealthController } from './health.controller.js';
import { HealthBoard } from './health-board.js';
import { MetricsController } from './metrics.controller.js';
import { ReadMetricsHandler } from './read-metrics.query.js';

@Module({
  imports: [CryptoUnitsModule, ImportTokensModule, InstancesModule],
  providers: [HealthBoard, ReadMetricsHandler],
  controllers: [HealthController, MetricsController],
})
export class HealthModule {}
