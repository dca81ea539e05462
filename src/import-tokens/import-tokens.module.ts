import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { CreateImportTokenHandler } from './create-import-token.command.js';
import { GetImportTokenHandler } from './get-import-token.command.js';
import { ImportPair, ImportToken } from './import-token.entity.js';
import { ImportTokens } from './import-tokens.js';
import { PairPool } from './pair-pool.job.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([ImportPair, ImportToken]), CryptoUnitsModule],
  providers: [CreateImportTokenHandler, GetImportTokenHandler, ImportTokens, PairPool],
  exports: [ImportTokens],
})
export class ImportTokensModule {}
