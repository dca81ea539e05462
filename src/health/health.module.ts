import { Module } from '@nestjs/common';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { InstancesModule } from '../instances/instances.module.js';
import { HealthController } from './health.controller.js';
import { HealthBoard } from './health-board.js';

@Module({ imports: [CryptoUnitsModule, InstancesModule], providers: [HealthBoard], controllers: [HealthController] })
export class HealthModule {}
