import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RowWatch } from '../audit/row-watch.js';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { AccessKey, AccessNonce } from './access-key.entity.js';
import { CreateAccessKeyHandler, RevokeAccessKeyHandler } from './access-keys.command.js';
import { AccessKeys } from './access-keys.js';
import { AccessNonces } from './access-nonces.js';
import { ListAccessKeysHandler } from './list-access-keys.query.js';
import { WATCHED_ACCESS_KEYS } from './told-access-keys.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([AccessKey, AccessNonce]), CryptoUnitsModule],
  providers: [AccessKeys, AccessNonces, CreateAccessKeyHandler, ListAccessKeysHandler, RevokeAccessKeyHandler],
  exports: [AccessKeys, AccessNonces],
})
export class AccessKeysModule {
  constructor(rows: RowWatch) {
    rows.watch(WATCHED_ACCESS_KEYS);
  }
}
