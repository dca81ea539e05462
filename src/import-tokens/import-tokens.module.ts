import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { CreateImportTokenHandler } from './create-import-token.command.js';
import { GetImportTokenHandler } from './get-import-token.command.js';
import { ImportParameters } from './import-parameters.entity.js';
import { ImportPair, ImportToken } from './import-token.entity.js';
import { ImportTokens } from './import-tokens.js';
import { PairPool } from './pair-pool.job.js';
import { ParameterIssue } from './parameter-issue.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([ImportPair, ImportParameters, ImportToken]), CryptoUnitsModule],
  providers: [CreateImportTokenHandler, GetImportTokenHandler, ImportTokens, PairPool, ParameterIssue],
  exports: [ImportTokens, PairPool, ParameterIssue],
})
export class ImportTokensModule {}
