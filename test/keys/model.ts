import 'reflect-metadata';
import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import type { Command, Query } from '@nestjs/cqrs';
import { CqrsModule } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { pino } from 'pino';
import { AccessModule } from '../../src/access/access.module.js';
import type { Caller } from '../../src/access/caller.js';
import { Gate } from '../../src/access/gate.js';
import { AccessKeysModule } from '../../src/access-keys/access-keys.module.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { AuditWatch } from '../../src/audit/audit-watch.js';
import { loadConfig } from '../../src/config/config.js';
import { configModule } from '../../src/config/config.module.js';
import { Fleet } from '../../src/crypto-units/fleet.js';
import { type Served, UnitPicker } from '../../src/crypto-units/unit-picker.js';
import { databaseModule } from '../../src/database/database.module.js';
import { CreateKey } from '../../src/keys/create-key.command.js';
import { ImportKeyMaterial } from '../../src/keys/import-key-material.command.js';
import { GetImportParameters } from '../../src/keys/import-parameters.command.js';
import type { KeyAlgorithm } from '../../src/keys/key-kinds.js';
import type { KeyTarget } from '../../src/keys/key-target.js';
import type { KeyView } from '../../src/keys/key-view.js';
import { KeysModule } from '../../src/keys/keys.module.js';
import type { CryptoClient } from '../../src/unit-agent/client.js';
import type { WrappingAlgorithm } from '../../src/unit-agent/protocol.js';
import { KeyWorld } from './key-world.js';

export const MANAGER: Caller = {
  id: '6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
  name: 'manager',
  roles: ['Manager'],
  scopes: [],
};

/** Lends the units of a world in turn, as the server does. */
class Units {
  #turn = 0;
  constructor(private readonly clients: ReadonlyMap<string, CryptoClient>) {}

  async use<T>(_instance: string, work: (unit: CryptoClient) => Promise<T>, avoid?: string): Promise<Served<T>> {
    const ids = [...this.clients.keys()].filter((id) => id !== avoid);
    const unitId = ids[this.#turn++ % ids.length] as string;
    return { unitId, result: await work(this.clients.get(unitId) as CryptoClient) };
  }
}

/** The key model in this process, on the database and the units of a world, whose server's jobs go on beside it. */
export class Model {
  private constructor(
    readonly at: KeyWorld,
    private readonly module: TestingModule,
    private readonly clients: ReadonlyMap<string, CryptoClient>,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Model> {
    const at = await KeyWorld.start(env);
    const clients = new Map<string, CryptoClient>();
    for (const { id } of await at.world.units()) clients.set(id, await at.cryptoClient(id));
    const config = loadConfig({ KEYSTEAD_DATA_DIR: at.world.dataDir, KEYSTEAD_IMPORT_PAIR_POOL: '0', ...env });
    const log = pino({ level: 'silent' });
    const module = await Test.createTestingModule({
      imports: [
        configModule(config, log),
        databaseModule({ url: at.world.databaseUrl }),
        AuditModule,
        AccessModule,
        KeysModule,
        AccessKeysModule,
      ],
    })
      .overrideProvider(UnitPicker)
      .useValue(new Units(clients))
      .overrideProvider(Fleet)
      .useValue({ instances: () => [] })
      .compile();
    await module.get(AuditWatch, { strict: false }).check(); // the module is not started: its jobs would do the test's work
    module.get(CqrsModule).onApplicationBootstrap(); // the handlers only: the jobs are the server's
    return new Model(at, module, clients);
  }

  async end(): Promise<void> {
    for (const { connection } of this.clients.values()) connection.close();
    await this.module.close();
    await this.at.end();
  }

  /** A part of the model. */
  get<T>(part: abstract new (...given: never[]) => T): T {
    return this.module.get(part);
  }

  /** What the gate answers a caller. */
  ask<T>(request: Command<T> | Query<T>, caller: Caller = MANAGER): Promise<T> {
    return this.module.get(Gate).ask(caller, request);
  }

  target(key: string): KeyTarget {
    return { instanceId: this.at.instance, key };
  }

  /** A new external key, without material. */
  external(algorithm: KeyAlgorithm = 'AES-256', more: object = {}): Promise<KeyView> {
    const usage = algorithm === 'AES-256' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY';
    const input = { name: 'an external key', extractable: false, external: { algorithm, usage }, ...more } as const;
    return this.ask(new CreateKey(MANAGER, { instanceId: this.at.instance }, input));
  }

  /** An external key that has this material. */
  async imported(material: Buffer = randomBytes(32), expiresAt: Date | null = null): Promise<KeyView> {
    const { id } = await this.external();
    return this.import(id, material, { expiresAt });
  }

  async import(id: string, material: Buffer, { algorithm = OAEP, ...more }: ImportOptions = {}): Promise<KeyView> {
    const target = this.target(id);
    const { importToken, publicKey } = await this.ask(new GetImportParameters(MANAGER, target, { algorithm }));
    return this.importWith(id, importToken, encryptTo(publicKey, algorithm, material), more);
  }

  importWith(id: string, importToken: Buffer, encryptedKeyMaterial: Buffer, more: Partial<ImportOptions> = {}) {
    const given = { expiresAt: null, onlyPending: false, ...more };
    return this.ask(new ImportKeyMaterial(MANAGER, this.target(id), { importToken, encryptedKeyMaterial, ...given }));
  }

  /** The stored blob of a key, as whoever has the database sees it. */
  async blob(id: string): Promise<Buffer> {
    const { rows } = await this.at.db.query(`SELECT "blob" FROM "key_versions" WHERE "keyId" = $1`, [id]);
    expect(rows).toHaveLength(1);
    return rows[0].blob;
  }
}

const OAEP: WrappingAlgorithm = 'RSAES_OAEP_SHA_256';

interface ImportOptions {
  readonly algorithm?: WrappingAlgorithm;
  readonly encryptedPrivateKey?: Buffer;
  readonly expiresAt?: Date | null;
  readonly onlyPending?: boolean;
}

/** As a client encrypts to the public key that it was given. */
export function encryptTo(spki: Buffer, algorithm: WrappingAlgorithm, material: Buffer): Buffer {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (algorithm === 'RSAES_PKCS1_V1_5') return publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, material);
  const oaepHash = algorithm === 'RSAES_OAEP_SHA_256' ? 'sha256' : 'sha1';
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, material);
}

/** AES-KWP (RFC 5649) of PKCS #8 DER. */
export function wrapPrivateKey(temporary: Buffer, pkcs8: Buffer): Buffer {
  const cipher = createCipheriv(`id-aes${temporary.length * 8}-wrap-pad`, temporary, Buffer.from('A65959A6', 'hex'));
  return Buffer.concat([cipher.update(pkcs8), cipher.final()]);
}
