import { createDecipheriv, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { currentPlace } from '../../src/database/postgres-place.js';
import { DerivedKeys } from '../../src/master-key/derive.js';
import { openKeyshare, readKeyshare } from '../../src/master-key/keyshare-file.js';
import { combineSet } from '../../src/master-key/keyshare-set.js';
import { Secret } from '../../src/shared/secret.js';
import { SealKey } from '../../src/unit-agent/seal.js';
import { AlibabaWorld } from '../alibaba-kms/alibaba-world.js';
import { HuaweiWorld } from '../huawei-kms/huawei-world.js';
import { sealed } from '../key-protect/sealed-imports.js';
import { type Ran, ROOT, run } from '../processes.js';
import { instanceHeader, serves, succeed } from '../units.js';
import { type Answer, World } from '../world.js';
import type { Canary } from './scanner.js';

const KEY_TYPE = 'application/vnd.ibm.kms.key+json';
const UNWRAP_IV = Buffer.alloc(8, 0xa6);

/**
 * What an owner, his administrators and his clients do with Keystead, their mistakes included, with secrets that are
 * known here afterwards. `hidden` are those that no server process may ever have; `clients` those that clients send
 * themselves or ask for in clear, which a server has in memory for as long as the request lasts, and nowhere else.
 */
export class Journey {
  readonly hidden: Canary[] = [];
  readonly clients: Canary[] = [];
  readonly #alibaba: AlibabaWorld;
  readonly #huawei: HuaweiWorld;

  private constructor(
    readonly world: World,
    /** Where the server, its agents and what they start put temporary files, and where audit export and backup are kept. */
    readonly temporary: string,
    alibaba: AlibabaWorld,
    huawei: HuaweiWorld,
  ) {
    this.#alibaba = alibaba;
    this.#huawei = huawei;
  }

  static async begin(): Promise<Journey> {
    const temporary = mkdtempSync(join(tmpdir(), 'ksx-'));
    chmodSync(temporary, 0o711); // PostgreSQL may be of another user
    const env = {
      TMPDIR: temporary,
      KEYSTEAD_CALL_DEADLINE_MS: '60000', // a busy machine is no sick unit
      KEYSTEAD_LOG_LEVEL: 'trace',
      KEYSTEAD_ACCESS_LOG: 'on',
      KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0',
    };
    const world = await World.withInstance(2, { embedded: true, env });
    try {
      await world.initialise();
      return new Journey(world, temporary, await AlibabaWorld.of(world), await HuaweiWorld.of(world));
    } catch (cause) {
      await world.end();
      rmSync(temporary, { recursive: true, force: true });
      throw cause;
    }
  }

  async end(): Promise<void> {
    await this.world.end();
    rmSync(this.temporary, { recursive: true, force: true });
  }

  /** Where PostgreSQL keeps its files: beside the data directory where it runs as another user. */
  get databaseDir(): string {
    return currentPlace(join(this.world.dataDir, 'postgres'));
  }

  async initialised(): Promise<void> {
    const { ADMIN_PASSPHRASE = '', SHARE_1 = '', SHARE_2 = '', SHARE_3 = '' } = this.world.kpEnv();
    for (const [name, text] of Object.entries({ ADMIN_PASSPHRASE, SHARE_1, SHARE_2, SHARE_3 })) this.#hide(name, text);
    const shares = await Promise.all(
      [SHARE_1, SHARE_2, SHARE_3].map(async (passphrase, at) => {
        const file = join(this.world.files, `share-${at + 1}.key`);
        const keyshare = readKeyshare(readFileSync(file), file);
        const share = await openKeyshare(keyshare, new Secret(Buffer.from(passphrase)));
        this.#hide(`share ${at + 1}`, share.bytes.subarray(2));
        return { keyshare, share };
      }),
    );
    const [{ keyshare }] = shares as [(typeof shares)[number]];
    const masterKey = combineSet(
      keyshare.set,
      shares.map(({ share }) => share),
    );
    this.#hide('master key', masterKey.bytes);
    const { wrap, mac, check } = new DerivedKeys(masterKey, Buffer.from(keyshare.set.mkId, 'hex'));
    for (const [name, { bytes }] of Object.entries({ wrap, mac, check })) this.#hide(`mk-${name}`, bytes);
    for (const { id } of await this.world.units()) {
      const read = (name: string) => readFileSync(join(this.world.unitDir(id), name), 'utf8');
      const sealKey = SealKey.open(join(this.world.dataDir, 'seal-key'), false);
      this.#hide(`PIN of ${id}`, sealKey.unseal(read('pin.sealed'), id, read('serial').trim()).bytes);
    }
  }

  /** What every client knows from the start. */
  async credentials(): Promise<void> {
    this.#give('bootstrap API key', this.world.apiKey);
    const made = await succeed(this.world.kp('api-key', 'create', 'canary', '--role', 'Manager', '-o', 'json'));
    const { apiKey } = JSON.parse(made.stdout);
    this.#give('API key', apiKey);
    const form = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKey });
    const token = await fetch(`${this.world.url}/identity/token`, { method: 'POST', body: form });
    const { access_token } = (await token.json()) as { access_token: string };
    this.#give('signature of the access token', access_token.split('.')[2] ?? '');
    await this.#expect(200, this.#api('GET', 'keys', undefined, { authorization: `Bearer ${access_token}` }));
    this.#give('secret of Alibaba', this.#alibaba.accessKey.access_key_secret);
    this.#give('secret of Huawei', this.#huawei.key.secret);
    this.#give('token of Huawei', (await this.#huawei.token()).slice(-40));
  }

  async keyProtect(): Promise<void> {
    const { id } = await this.#create({ extractable: false });
    const dek = this.#draw('DEK');
    const plaintext = dek.toString('base64');
    const { ciphertext } = await this.#act(id, 'wrap', { plaintext, aad: [this.#drawText('AAD')] }, 200);
    await this.#act(id, 'unwrap', { ciphertext }, 422); // without its AAD
    const bare = await this.#act(id, 'wrap', { plaintext }, 200);
    await this.#act(id, 'rotate', undefined, 204);
    await this.#act(id, 'unwrap', { ciphertext: bare.ciphertext }, 200);
    await this.#act(id, 'rewrap', { ciphertext: bare.ciphertext }, 200);
    const made = await this.#act(id, 'wrap', undefined, 200);
    this.#give('generated DEK', Buffer.from(made.plaintext, 'base64'));
    const clear = await this.#create({
      extractable: false,
      payload: this.#draw('imported root key').toString('base64'),
    });
    await this.#act(clear.id, 'rotate', { payload: this.#draw('its next version').toString('base64') }, 204);
    const own = await this.#create({ extractable: true, payload: this.#draw('standard key').toString('base64') });
    await this.#expect(200, this.#api('GET', `keys/${own.id}`));
    await this.#secureImport();
  }

  async alibaba(): Promise<void> {
    const { KeyMetadata } = await this.#alibaba.ask('CreateKey');
    const { KeyId } = KeyMetadata;
    const Plaintext = this.#draw('data of Alibaba').toString('base64');
    const { CiphertextBlob } = await this.#alibaba.ask('Encrypt', { KeyId, Plaintext });
    await this.#alibaba.ask('Decrypt', { CiphertextBlob });
    const made = await this.#alibaba.ask('GenerateDataKey', { KeyId });
    this.#give('data key of Alibaba', Buffer.from(made.Plaintext, 'base64'));
    const material = randomBytes(32);
    this.#hide('material imported by Alibaba', material);
    await this.#alibaba.keyWith(material);
    const wrong = { ...this.#alibaba.accessKey, access_key_secret: this.#drawText('wrong secret of Alibaba') };
    const refused = await this.#alibaba.send('Encrypt', { KeyId, Plaintext }, { key: wrong });
    if (refused.body.Code !== 'SignatureDoesNotMatch') throw new Error(refused.text);
    await this.#alibaba.refused('Encrypt', { KeyId, Plaintext: `!${this.#drawText('data in no base64')}` });
  }

  async huawei(): Promise<void> {
    const key_id = await this.#huawei.newCmk();
    const plain_text = this.#drawText('data of Huawei');
    const { cipher_text } = await this.#huawei.ok('encrypt-data', { key_id, plain_text });
    await this.#huawei.ok('decrypt-data', { cipher_text });
    const made = await this.#huawei.ok('create-datakey', { key_id, datakey_length: '256' });
    this.#give('data key of Huawei', Buffer.from(made.plain_text, 'hex'));
    await this.#huawei.refusal('encrypt-data', { key_id, plain_text: { no: this.#drawText('data in no text') } });
    const secret = this.#drawText('wrong password of Huawei');
    await this.#huawei.login({ ...this.#huawei.key, secret }).then(
      () => Promise.reject(new Error('a wrong password was taken')),
      () => undefined,
    );
  }

  /** What people and programs do wrong with secrets in their hands. */
  async mistakes(): Promise<void> {
    const wrong = (name: string) => {
      const text = randomBytes(24).toString('base64url');
      this.#hide(name, text);
      return text;
    };
    const kp = (env: Record<string, string>, ...args: string[]) => this.world.kpWith(env, ...args);
    const user = ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', this.world.auth];
    await this.#fails(kp({ ADMIN_PASSPHRASE: wrong('wrong passphrase') }, ...user));
    const shares = [
      '--keyshare-files',
      '["share-1.key#env:SHARE_1","share-2.key#env:SHARE_2"]',
      '--auth',
      this.world.auth,
    ];
    await this.#fails(kp({ SHARE_1: wrong('wrong passphrase of a share') }, 'crypto-unit', 'mk', 'import', ...shares));
    await succeed(kp({}, 'crypto-unit', 'mk', 'import', ...shares)); // once more, of other shares
    await this.#fails(kp({}, 'crypto-unit', 'user', 'remove', '--name', 'ADMIN', '--auth', this.world.auth));
    const stranger = `kp_${randomBytes(32).toString('base64url')}`;
    this.#give('unknown API key', stranger);
    await this.#expect(401, this.#api('GET', 'keys', undefined, { authorization: `Bearer ${stranger}` }));
    await this.#expect(401, this.#api('GET', 'keys', undefined, { authorization: `Basic ${this.#drawText('Basic')}` }));
    const { id } = await this.#create({ extractable: false });
    const text = this.#drawText('DEK in a broken body');
    const wrap = (body: unknown) => this.#api('POST', `keys/${id}/actions/wrap`, body);
    for (const body of [`{"plaintext":"${text}`, { plaintext: `!${text}` }, { plaintext: 1, [text]: text }, [text]]) {
      await this.#expect(400, wrap(body));
    }
    await this.#expect(400, this.#create({ extractable: false, payload: `${this.#drawText('payload')}!` }, false));
    const [{ id: unit } = { id: '' }] = await this.world.units();
    process.kill(this.world.agentPid(unit), 'SIGKILL');
    await serves(this.world, unit, 60_000);
    await this.#act(id, 'wrap', undefined, 200);
  }

  /** Audit export and backup, as operators keep them; with the master key, what is in the backup opens: the root keys. */
  async records(): Promise<void> {
    const { world } = this;
    const kept = join(this.temporary, 'kept');
    mkdirSync(kept, { mode: 0o700 });
    await succeed(world.kp('audit', 'export', join(kept, 'audit.ndjson')));
    const backup = join(kept, 'backup.ndjson');
    const env = { ...world.kpEnv(), KEYSTEAD_DATA_DIR: world.dataDir, KEYSTEAD_RUNTIME_DIR: join(world.dir, 'run') };
    await succeed(run(process.execPath, [join(ROOT, 'bin', 'keystead'), 'backup', backup], { env }));
    const wrap = this.hidden.find(({ name }) => name === 'mk-wrap')?.bytes as Buffer;
    const given = new Set(this.clients.map(({ bytes }) => bytes.toString('hex')));
    for (const line of readFileSync(backup, 'utf8').split('\n')) {
      const { table, row } = line === '' ? {} : JSON.parse(line);
      if (table !== 'key_versions' || !/^AES-256$/.test(row.algorithm) || row.blob.length !== 82) continue;
      const key = unwrapped(wrap, Buffer.from(row.blob.slice(2), 'hex'));
      if (!given.has(key.toString('hex'))) this.#hide(`root key ${row.id}`, key);
    }
  }

  async #secureImport(): Promise<void> {
    await this.#expect(200, this.#api('POST', 'import_token', { maxAllowedRetrievals: 3 }));
    const { body } = await this.#expect(200, this.#api('GET', 'import_token'));
    const token = {
      publicKey: Buffer.from(body.payload, 'base64').toString(),
      nonce: Buffer.from(body.nonce, 'base64'),
    };
    const key = randomBytes(32);
    this.#hide('root key imported with a token', key);
    const { payload, encryptedNonce, iv } = sealed(token, key);
    const text = (bytes: Buffer) => bytes.toString('base64');
    const secure = {
      payload: text(payload),
      encryptedNonce: text(encryptedNonce),
      iv: text(iv),
      encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    };
    const wrong = { ...secure, encryptedNonce: text(randomBytes(28)) };
    await this.#expect(400, this.#create({ extractable: false, ...wrong }, false));
    const { id } = await this.#create({ extractable: false, ...secure });
    await this.#act(id, 'wrap', undefined, 200);
  }

  #api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.world.api(method, `/api/v2/${path}`, body, { ...instanceHeader(this.world), ...headers });
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in Answer
  async #act(key: string, action: string, body: unknown, status: number): Promise<any> {
    return (await this.#expect(status, this.#api('POST', `keys/${key}/actions/${action}`, body))).body;
  }

  #create(resource: object, good: false): Promise<Answer>;
  #create(resource: object): Promise<{ id: string }>;
  async #create(resource: object, good = true): Promise<Answer | { id: string }> {
    const resources = [{ type: KEY_TYPE, name: 'a key', ...resource }];
    const body = { metadata: { collectionType: KEY_TYPE, collectionTotal: 1 }, resources };
    const answer = this.#api('POST', 'keys', body);
    return good ? (await this.#expect(201, answer)).body.resources[0] : answer;
  }

  async #expect(status: number, asked: Promise<Answer>): Promise<Answer> {
    const answer = await asked;
    if (answer.status !== status)
      throw new Error(`${answer.status}, not ${status}: ${answer.text}\n${this.world.logTail()}`);
    return answer;
  }

  async #fails(running: Promise<Ran>): Promise<void> {
    const { code, stdout } = await running;
    if (code === 0) throw new Error(`kp was to refuse: ${stdout}`);
  }

  #hide(name: string, secret: Buffer | string): void {
    this.hidden.push({ name, bytes: Buffer.from(secret as string) });
  }

  #give(name: string, secret: Buffer | string): void {
    this.clients.push({ name, bytes: Buffer.from(secret as string) });
  }

  /** A secret of a client's. */
  #draw(name: string): Buffer {
    const bytes = randomBytes(32);
    this.#give(name, bytes);
    return bytes;
  }

  #drawText(name: string): string {
    const text = randomBytes(24).toString('base64url');
    this.#give(name, text);
    return text;
  }
}

/** AES-KW (RFC 3394). */
function unwrapped(key: Buffer, blob: Buffer): Buffer {
  const cipher = createDecipheriv('id-aes256-wrap', key, UNWRAP_IV);
  return Buffer.concat([cipher.update(blob), cipher.final()]);
}
