import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ApiKey } from './api-key.entity.js';
import { Authentication } from './authentication.js';
import { BootstrapKey } from './bootstrap-key.js';
import { Gate } from './gate.js';

@Global()
@Module({
  imports: [CqrsModule.forRoot(), TypeOrmModule.forFeature([ApiKey])],
  providers: [Authentication, BootstrapKey, Gate],
  exports: [Authentication, Gate],
})
export class AccessModule {}
