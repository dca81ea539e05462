import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission, Role } from '../shared/permissions.js';
import { ApiKey } from './api-key.entity.js';
import { makeApiKey } from './api-key-text.js';
import { type ApiKeyView, apiKeyViewOf, assertGrants } from './api-key-view.js';
import { unauthenticated } from './authentication.js';
import { BOOTSTRAP_LIMIT, type Caller } from './caller.js';
import { issueApiKey, revokeApiKey } from './issue-api-key.js';
import type { Grant } from './scope.js';

export interface NewApiKey {
  readonly name: string;
  readonly roles?: readonly Role[] | undefined;
  readonly scopes?: readonly Grant[] | undefined;
  readonly expiresAt?: Date | undefined;
}

/** Makes an API key. Its text is in the answer and nowhere else. A bootstrap key that asks for it is revoked with it. */
export class CreateApiKey extends Command<ApiKeyView & { readonly apiKey: string }> {
  static readonly permission: Permission = 'api-key.manage';
  static readonly act = 'api-key.create' as const;
  static readonly byBootstrap = true;
  constructor(
    readonly by: Caller,
    readonly input: NewApiKey,
  ) {
    super();
  }
}

@CommandHandler(CreateApiKey)
export class CreateApiKeyHandler implements ICommandHandler<CreateApiKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute({ by, input }: CreateApiKey): Promise<ApiKeyView & { readonly apiKey: string }> {
    assertGrants(input, new Date());
    if (by.bootstrap) needs(input.roles?.includes('Manager'), 'FORBIDDEN', BOOTSTRAP_LIMIT);
    const apiKey = makeApiKey();
    const { name, roles = [], scopes = [], expiresAt = null } = input;
    const detail = { name, roles, scopes, expiresAt };
    const row = await this.db.transaction(async (tx) => {
      if (by.bootstrap) await this.#useUp(tx, by);
      return issueApiKey(tx, this.audit, apiKey, { ...detail, act: CreateApiKey.act, by, detail });
    });
    return { ...apiKeyViewOf(row), apiKey };
  }

  /** Of requests that come at the same time with a bootstrap key, one finds it in force. */
  async #useUp(tx: EntityManager, by: Caller): Promise<void> {
    const where = { id: by.id, revokedAt: IsNull() };
    const key = await tx.findOne(ApiKey, { where, lock: { mode: 'pessimistic_write' } });
    if (key === null) throw unauthenticated();
    await revokeApiKey(tx, this.audit, key, { by, why: 'used' });
  }
}

/** Ends an API key: no request with it, or with a token made from it, is served from then on. NOT_FOUND. */
export class RevokeApiKey extends Command<ApiKeyView> {
  static readonly permission: Permission = 'api-key.manage';
  static readonly act = 'api-key.revoke';
  constructor(
    readonly by: Caller,
    readonly id: string,
  ) {
    super();
  }
}

@CommandHandler(RevokeApiKey)
export class RevokeApiKeyHandler implements ICommandHandler<RevokeApiKey> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  execute({ by, id }: RevokeApiKey): Promise<ApiKeyView> {
    return this.db.transaction(async (tx) => {
      const key = await tx.findOne(ApiKey, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (key === null)
        throw new KeysteadError('NOT_FOUND', `there is no API key ${id}; 'kp api-key list' shows those there are`);
      if (key.revokedAt !== null) return apiKeyViewOf(key);
      await revokeApiKey(tx, this.audit, key, { by });
      return apiKeyViewOf(key);
    });
  }
}
