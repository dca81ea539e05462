import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditCheckpoint } from './audit-checkpoint.entity.js';
import { AuditLine } from './audit-line.entity.js';
import { AuditLog } from './audit-log.js';
import { AuditWatch } from './audit-watch.js';
import { ChainWatch } from './chain-watch.js';
import { RowWatch } from './row-watch.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AuditLine, AuditCheckpoint])],
  providers: [AuditLog, AuditWatch, ChainWatch, RowWatch],
  exports: [AuditLog, AuditWatch, ChainWatch, RowWatch],
})
export class AuditModule {}
