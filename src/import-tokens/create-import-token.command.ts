import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { FieldError } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { ImportPair, ImportToken } from './import-token.entity.js';
import type { ImportTokenView } from './import-token-view.js';
import { ImportTokens } from './import-tokens.js';
import { PairPool } from './pair-pool.job.js';

const EXPIRATION_S = { least: 300, most: 86_400, otherwise: 600 } as const;
const RETRIEVALS = { least: 1, most: 500, otherwise: 1 } as const;

export interface NewImportToken {
  /** 300 to 86,400 seconds; 600 when not given. */
  readonly expirationS?: number | undefined;
  /** 1 to 500; 1 when not given. */
  readonly maxAllowedRetrievals?: number | undefined;
}

/** Makes the import token of an instance; the one before is gone. */
export class CreateImportToken extends Command<ImportTokenView> {
  static readonly permission: Permission = 'import-token.create';
  static readonly act = 'kms.import-token.create';
  constructor(
    readonly by: Caller,
    readonly target: { readonly instanceId: string },
    readonly input: NewImportToken = {},
  ) {
    super();
  }

  get scope(): Scope {
    return { instanceId: this.target.instanceId };
  }
}

@CommandHandler(CreateImportToken)
export class CreateImportTokenHandler implements ICommandHandler<CreateImportToken> {
  constructor(
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly tokens: ImportTokens,
    private readonly pool: PairPool,
  ) {}

  async execute({ by, target: { instanceId }, input }: CreateImportToken): Promise<ImportTokenView> {
    const seconds = within(input.expirationS, EXPIRATION_S, 'expiration');
    const retrievals = within(input.maxAllowedRetrievals, RETRIEVALS, 'maxAllowedRetrievals');
    return this.pool.withPair(instanceId, 'RSA-4096', async (tx, pair) => {
      const nonce = await this.tokens.nonce(instanceId);
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`keystead/import-token/${instanceId}`]);
      const before = await tx.findOneBy(ImportToken, { instanceId });
      if (before !== null) {
        await tx.delete(ImportToken, { instanceId });
        await tx.delete(ImportPair, { id: before.pairId });
      }
      const createdAt = new Date();
      const made = {
        createdAt,
        expiresAt: new Date(createdAt.getTime() + seconds * this.config.timers.importSecond),
        maxAllowedRetrievals: retrievals,
        remainingRetrievals: retrievals,
      };
      await tx.insert(ImportToken, { ...made, instanceId, pairId: pair.id, nonce, failures: 0, pending: 0 });
      await this.audit.append(tx, {
        act: CreateImportToken.act,
        outcome: 'success',
        by,
        instanceId,
        target: pair.id,
        detail: { expirationDate: made.expiresAt, maxAllowedRetrievals: retrievals, remainingRetrievals: retrievals },
      });
      return made;
    });
  }
}

function within(
  given: number | undefined,
  { least, most, otherwise }: { least: number; most: number; otherwise: number },
  field: string,
): number {
  const value = given ?? otherwise;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new FieldError('FIELD_INVALID', `the field ${field} must be: a whole number from ${least} to ${most}`, {
    type: 'field',
    name: field,
  });
}
