import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentDirectory } from './agent-directory.js';
import { CreateInstanceHandler } from './create-instance.command.js';
import { CryptoUnit } from './crypto-unit.entity.js';
import { Instance } from './instance.entity.js';
import { ProviderSource } from './providers.js';
import { ReadInstancesHandler } from './read-instances.query.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([Instance, CryptoUnit])],
  providers: [AgentDirectory, ProviderSource, CreateInstanceHandler, ReadInstancesHandler],
  exports: [AgentDirectory, ProviderSource],
})
export class InstancesModule {}
