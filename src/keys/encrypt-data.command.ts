import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import type { Permission } from '../shared/permissions.js';
import type { DataContext, SealedData } from './data-context.js';
import { DataSealing } from './data-sealing.js';
import type { GrantOperation } from './key-grant.js';
import { assertWhole } from './key-rules.js';
import type { KeyTarget } from './key-target.js';

const MOST_DATA_KEY_BYTES = 1_024;

/** Encrypts under the latest version of an AES key. KEY_ASYMMETRIC, KEY_NOT_ROOT, DELETION_PENDING, MATERIAL_ABSENT, KEY_STATE. */
export class EncryptData extends Command<SealedData> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.data.encrypt';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: DataContext & {
      readonly plaintext: Buffer;
      /** The plaintext is a data key: grants tell the two apart. */
      readonly dataKey?: boolean | undefined;
    },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return this.input.dataKey ? 'encrypt-data-key' : 'encrypt';
  }
}

@CommandHandler(EncryptData)
export class EncryptDataHandler implements ICommandHandler<EncryptData> {
  constructor(private readonly sealing: DataSealing) {}

  async execute({ by, target, input }: EncryptData): Promise<SealedData> {
    const { plaintext, dataKey } = input;
    const { result, ...ids } = await this.sealing.run(
      by,
      target,
      input,
      { act: EncryptData.act, detail: { dataKey } },
      () => Promise.resolve(plaintext),
    );
    return { ...ids, sealed: result.sealed };
  }
}

/** Makes a data key of 1 to 1,024 bytes and encrypts it. Without plaintext `plaintext` is empty. Errors as EncryptData. */
export class GenerateDataKey extends Command<SealedData & { readonly plaintext: Buffer }> {
  static readonly permission: Permission = 'key.use';
  static readonly act = 'kms.data-key.generate';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: DataContext & { readonly bytes: number; readonly withoutPlaintext?: boolean | undefined },
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }

  get operation(): GrantOperation {
    return this.input.withoutPlaintext ? 'generate-data-key-without-plaintext' : 'generate-data-key';
  }
}

@CommandHandler(GenerateDataKey)
export class GenerateDataKeyHandler implements ICommandHandler<GenerateDataKey> {
  constructor(private readonly sealing: DataSealing) {}

  async execute({ by, target, input }: GenerateDataKey): Promise<SealedData & { readonly plaintext: Buffer }> {
    const { bytes, withoutPlaintext } = input;
    assertWhole('bytes', bytes, 1, MOST_DATA_KEY_BYTES);
    const line = { act: GenerateDataKey.act, detail: { bytes, withoutPlaintext } };
    const { result, ...ids } = await this.sealing.run(by, target, input, line, (unit) => unit.random(bytes));
    if (!withoutPlaintext) return { ...ids, sealed: result.sealed, plaintext: result.plaintext };
    result.plaintext.fill(0);
    return { ...ids, sealed: result.sealed, plaintext: Buffer.alloc(0) };
  }
}
