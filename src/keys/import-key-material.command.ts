import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../access/caller.js';
import type { Scope } from '../access/scope.js';
import { Config } from '../config/config.js';
import { ParameterIssue } from '../import-tokens/parameter-issue.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { Permission } from '../shared/permissions.js';
import { ExternalMaterial } from './external-material.js';
import type { Key } from './key.entity.js';
import { KeyActs } from './key-acts.js';
import { isAsymmetric } from './key-kinds.js';
import { assertExternal } from './key-rules.js';
import { assertAllowed, PENDING, stateNow } from './key-state.js';
import { KeyStore } from './key-store.js';
import type { KeyTarget } from './key-target.js';
import type { KeyView } from './key-view.js';
import { keyViewOf } from './key-view-of.js';

export interface KeyMaterialInput {
  readonly importToken: Buffer;
  /** RSA ciphertext, 256 bytes: of the AES key, or of the temporary AES key that wraps the private key. */
  readonly encryptedKeyMaterial: Buffer;
  /** AES-KWP (RFC 5649) of PKCS #8 DER; for RSA and EC keys. */
  readonly encryptedPrivateKey?: Buffer | undefined;
  /** null: never. Private keys never expire. */
  readonly expiresAt: Date | null;
  /** Refuses, with KEY_STATE, a key that has its material. */
  readonly onlyPending: boolean;
}

/**
 * Gives an external key its material. The first one binds the key for ever: MATERIAL_MISMATCH for any other. Checked in
 * this order: KEY_NOT_FOUND, KEY_NOT_EXTERNAL, DELETION_PENDING, KEY_STATE, IMPORT_TOKEN_INVALID, IMPORT_TOKEN_OTHER_KEY,
 * IMPORT_TOKEN_EXPIRED, IMPORT_INVALID, MATERIAL_LENGTH, TEMPORARY_KEY_LENGTH, PRIVATE_KEY_INVALID, EXPIRY_PAST,
 * MATERIAL_MISMATCH.
 */
export class ImportKeyMaterial extends Command<KeyView> {
  static readonly permission: Permission = 'key.import';
  static readonly act = 'kms.key-material.import';
  constructor(
    readonly by: Caller,
    readonly target: KeyTarget,
    readonly input: KeyMaterialInput,
  ) {
    super();
  }

  get scope(): Scope {
    return this.target;
  }
}

@CommandHandler(ImportKeyMaterial)
export class ImportKeyMaterialHandler implements ICommandHandler<ImportKeyMaterial> {
  constructor(
    private readonly store: KeyStore,
    private readonly acts: KeyActs,
    private readonly parameters: ParameterIssue,
    private readonly material: ExternalMaterial,
    private readonly config: Config,
  ) {}

  async execute({ by, target, input }: ImportKeyMaterial): Promise<KeyView> {
    const found = await this.store.find(target);
    assertImportable(found, input, new Date());
    const imported = await this.parameters.attempt(found, input.importToken, (token) => {
      assertComplete(found, input);
      const sameKey = { ...target, key: found.id };
      return this.acts.run({ by, act: ImportKeyMaterial.act }, sameKey, async (tx, key, now) => {
        assertImportable(key, input, now);
        const { key: next, unitId, provedOn } = await this.material.put(tx, key, token, input, now);
        const detail = {
          initialValue: { keyState: key.state },
          newValue: { keyState: next.state, materialExpirationDate: next.materialExpiresAt },
          algorithm: token.algorithm,
          provedOn,
        };
        return { key: next, unitId, detail };
      });
    });
    return keyViewOf(imported, this.config.timers, new Date());
  }
}

function assertImportable(key: Key, { onlyPending }: KeyMaterialInput, now: Date): void {
  assertExternal(key);
  assertAllowed('import material into', key, now);
  if (!onlyPending || stateNow(key, now) === PENDING) return;
  throw new KeysteadError('KEY_STATE', 'the key has its key material; delete it first');
}

/** A private key comes with the temporary key that opens it, an AES key alone. */
function assertComplete({ algorithm }: Key, { encryptedPrivateKey }: KeyMaterialInput): void {
  const needed = isAsymmetric(algorithm);
  if (needed)
    needs(encryptedPrivateKey !== undefined, 'PRIVATE_KEY_INVALID', `an ${algorithm} key needs a private key`);
  else needs(encryptedPrivateKey === undefined, 'PRIVATE_KEY_INVALID', 'an AES key has no private key');
}
