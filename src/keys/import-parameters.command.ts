import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { AuditLog } from '../audit/audit-log.js';
import { type IssuedParameters, ParameterIssue } from '../import-tokens/parameter-issue.js';
import type { Permission } from '../shared/permissions.js';
import type { WrappingAlgorithm } from '../unit-agent/protocol.js';
import { assertExternal } from './key-rules.js';
import { assertAllowed } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';

/** A new pair for the material of an external key; good for a day, for any number of imports. KEY_NOT_EXTERNAL. */
export class GetImportParameters extends Command<IssuedParameters> {
  static readonly permission: Permission = 'key.import';
  static readonly act = 'kms.import-parameters.create';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: { readonly algorithm: WrappingAlgorithm },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(GetImportParameters)
export class GetImportParametersHandler implements ICommandHandler<GetImportParameters> {
  constructor(
    private readonly store: KeyStore,
    private readonly parameters: ParameterIssue,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, target, input: { algorithm } }: GetImportParameters): Promise<IssuedParameters> {
    const key = await this.store.find(target);
    assertExternal(key);
    assertAllowed('get import parameters for', key, new Date());
    return this.parameters.issue(key, algorithm, (tx, issued) =>
      this.audit.append(tx, {
        act: GetImportParameters.act,
        outcome: 'success',
        by,
        instanceId: key.instanceId,
        target: key.id,
        detail: { algorithm, expirationDate: issued.expiresAt },
      }),
    );
  }
}
