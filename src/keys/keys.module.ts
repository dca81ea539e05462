import { Global, Injectable, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { KeyCensus } from '../crypto-units/preconditions.js';
import { CreateRootKeyHandler } from './create-key.command.js';
import { Key, KeyVersion } from './key.entity.js';
import { UnwrapKeyHandler, WrapKeyHandler } from './wrap.command.js';

@Injectable()
class KeyTable extends KeyCensus {
  count(tx: EntityManager, instanceId: string): Promise<number> {
    return tx.countBy(Key, { instanceId });
  }
}

@Global() // crypto-units asks for the census and stands to the left
@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([Key, KeyVersion]), CryptoUnitsModule],
  providers: [{ provide: KeyCensus, useClass: KeyTable }, CreateRootKeyHandler, WrapKeyHandler, UnwrapKeyHandler],
  exports: [KeyCensus],
})
export class KeysModule {}
