import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RowWatch } from '../audit/row-watch.js';
import { ApiKey } from './api-key.entity.js';
import { CreateApiKeyHandler, RevokeApiKeyHandler } from './api-keys.command.js';
import { Authentication } from './authentication.js';
import { BootstrapKey } from './bootstrap-key.js';
import { FailedAttempts } from './failed-attempts.js';
import { Gate } from './gate.js';
import { ListApiKeysHandler } from './list-api-keys.query.js';
import { ReadAuditHandler, ReadAuditHeadHandler, ReadAuditLinesHandler } from './read-audit.query.js';
import { RequestMeter } from './request-meter.js';
import { TakeBackupHandler } from './take-backup.command.js';
import { TokenKey } from './token-key.js';
import { AccessTokens } from './tokens.js';
import { WATCHED_API_KEYS } from './told-api-keys.js';

@Global()
@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([ApiKey])],
  providers: [
    AccessTokens,
    Authentication,
    BootstrapKey,
    FailedAttempts,
    Gate,
    RequestMeter,
    TokenKey,
    CreateApiKeyHandler,
    RevokeApiKeyHandler,
    ListApiKeysHandler,
    ReadAuditHandler,
    ReadAuditLinesHandler,
    ReadAuditHeadHandler,
    TakeBackupHandler,
  ],
  exports: [AccessTokens, Authentication, FailedAttempts, Gate, RequestMeter, TokenKey],
})
export class AccessModule {
  constructor(rows: RowWatch) {
    rows.watch(WATCHED_API_KEYS);
  }
}
