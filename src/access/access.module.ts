import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ApiKey } from './api-key.entity.js';
import { Authentication } from './authentication.js';
import { BootstrapKey } from './bootstrap-key.js';
import { Gate } from './gate.js';
import { ReadAuditHandler } from './read-audit.query.js';

@Global()
@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([ApiKey])],
  providers: [Authentication, BootstrapKey, Gate, ReadAuditHandler],
  exports: [Authentication, Gate],
})
export class AccessModule {}
