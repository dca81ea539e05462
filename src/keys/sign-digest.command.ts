import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import type { Permission } from '../shared/permissions.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { StoredRow } from '../unit-agent/protocol.js';
import { type Digest, type DigestAct, KeyDigests } from './key-digests.js';
import type { GrantOperation } from './key-grant.js';
import type { KeyTarget } from './key-target.js';

/** Signs inside the token; ECDSA as DER of SEQUENCE { r, s }. KEY_USAGE, DELETION_PENDING, MATERIAL_ABSENT, KEY_STATE. */
export class SignDigest extends Command<DigestAct & { readonly signature: Buffer }> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.digest.sign';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: Digest,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return 'sign';
  }
}

/** Whether the key made this signature. Errors as SignDigest. */
export class VerifyDigest extends Command<DigestAct & { readonly valid: boolean }> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.digest.verify';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: Digest & { readonly signature: Buffer },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return 'verify';
  }
}

@CommandHandler(SignDigest)
export class SignDigestHandler implements ICommandHandler<SignDigest> {
  constructor(private readonly digests: KeyDigests) {}

  async execute({ by, target, input }: SignDigest): Promise<DigestAct & { readonly signature: Buffer }> {
    const { algorithm, digest } = input;
    const work = (unit: CryptoClient, row: StoredRow) => unit.sign(row, algorithm, digest);
    const { result, ...ids } = await this.digests.run(by, target, input, { act: SignDigest.act, use: 'sign' }, work);
    return { ...ids, signature: result };
  }
}

@CommandHandler(VerifyDigest)
export class VerifyDigestHandler implements ICommandHandler<VerifyDigest> {
  constructor(private readonly digests: KeyDigests) {}

  async execute({ by, target, input }: VerifyDigest): Promise<DigestAct & { readonly valid: boolean }> {
    const { algorithm, digest, signature } = input;
    const work = (unit: CryptoClient, row: StoredRow) => unit.verify(row, algorithm, digest, signature);
    const { result, ...ids } = await this.digests.run(
      by,
      target,
      input,
      { act: VerifyDigest.act, use: 'verify' },
      work,
    );
    return { ...ids, valid: result };
  }
}
