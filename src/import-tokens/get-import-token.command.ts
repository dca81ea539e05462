import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { ImportPair, ImportToken } from './import-token.entity.js';
import type { RetrievedImportToken } from './import-token-view.js';
import { expired, ImportTokens, MOST_FAILURES } from './import-tokens.js';

/** Public key and nonce of the import token; counts as a retrieval. IMPORT_TOKEN_EXPIRED. */
export class GetImportToken extends Command<RetrievedImportToken> {
  static readonly permission: Permission = 'import-token.read';
  static readonly act = 'kms.import-token.read';
  constructor(
    readonly by: Caller,
    readonly target: { readonly instanceId: string },
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@CommandHandler(GetImportToken)
export class GetImportTokenHandler implements ICommandHandler<GetImportToken> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly tokens: ImportTokens,
  ) {}

  execute({ by, target: { instanceId } }: GetImportToken): Promise<RetrievedImportToken> {
    return this.db.transaction(async (tx) => {
      const token = await tx.findOne(ImportToken, { where: { instanceId }, lock: { mode: 'pessimistic_write' } });
      const good = token !== null && token.expiresAt > new Date() && token.failures < MOST_FAILURES;
      if (!good || token.remainingRetrievals < 1) throw expired();
      const pair = await tx.findOneByOrFail(ImportPair, { id: token.pairId });
      const publicKey = await this.tokens.publicKey(pair);
      const remainingRetrievals = token.remainingRetrievals - 1;
      await tx.update(ImportToken, { instanceId }, { remainingRetrievals });
      const { createdAt, expiresAt, maxAllowedRetrievals, nonce } = token;
      await this.audit.append(tx, {
        act: GetImportToken.act,
        outcome: 'success',
        by,
        instanceId,
        target: pair.id,
        detail: { expirationDate: expiresAt, maxAllowedRetrievals, remainingRetrievals },
      });
      return { createdAt, expiresAt, maxAllowedRetrievals, remainingRetrievals, publicKey, nonce };
    });
  }
}
