import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditLine } from './audit-line.entity.js';
import { AuditLog } from './audit-log.js';

@Global()
@Module({ imports: [TypeOrmModule.forFeature([AuditLine])], providers: [AuditLog], exports: [AuditLog] })
export class AuditModule {}
