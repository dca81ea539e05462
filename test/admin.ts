import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { type Receipt, readReceipt } from '../src/admins/receipt.js';
import { type CommandPayload, signCommand } from '../src/admins/signed-command.js';
import { DerivedKeys } from '../src/master-key/derive.js';
import { sha256 } from '../src/shared/bytes.js';
import type { ErrorCode } from '../src/shared/errors.js';
import { Secret } from '../src/shared/secret.js';
import type { SignedOp } from '../src/shared/unit-state.js';
import type { UnitFacts } from '../src/unit-agent/protocol.js';
import { until } from './until.js';
import type { Answer, World } from './world.js';

/** What became of a command on one unit: 'ok', or the code of the refusal; the receipt, when there is one, is verified. */
export interface Verdict {
  readonly code: 'ok' | ErrorCode;
  readonly message: string;
  readonly receipt: Receipt | null;
}

/** An RSA-2048 private key. */
export const adminKey = (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

export const publicPem = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();

/** What a unit that was never claimed would be called in a command. */
const NO_EPOCH = '0'.repeat(32);

/**
 * Administrators of one instance in this process: they sign with src/admins and send over HTTP, without `kp`. Nothing is
 * remembered: serial, epoch and counter are what the units say at that moment.
 */
export class Admins {
  readonly key = adminKey();
  readonly masterKey = new MasterKey();

  constructor(
    readonly world: World,
    readonly instance = world.instance,
  ) {}

  async facts(unit: string): Promise<UnitFacts> {
    const { status, body, text } = await this.#askFacts(unit);
    if (status !== 200) throw new Error(`no facts of ${unit}: ${status} ${text}`);
    return body.facts;
  }

  /** Waits until the agents of the units answer. */
  async reach(units: readonly string[]): Promise<void> {
    for (const unit of units) await until(async () => (await this.#askFacts(unit)).status === 200, 20_000);
  }

  /** SIGKILL; when this fulfils the agent is gone, and a new one may be there already. */
  async killAgent(unit: string): Promise<void> {
    const pid = this.world.agentPid(unit);
    process.kill(pid, 'SIGKILL');
    await until(async () => !isAlive(pid), 5_000);
  }

  async claim(unit: string, plan: string = randomUUID(), key = this.key): Promise<Answer> {
    return this.world.api('POST', `/api/v1/cryptounits/${unit}/claim`, { plan, certificate: publicPem(key) });
  }

  /** The payload of a command for the units as they are now; `change` goes over it. */
  async payload(
    op: SignedOp,
    args: object,
    units: readonly string[],
    change: Partial<CommandPayload> = {},
  ): Promise<CommandPayload> {
    const facts = await Promise.all(units.map((unit) => this.facts(unit)));
    const now = Date.now();
    return {
      v: 1,
      op,
      instance: this.instance,
      plan: randomUUID(),
      units: facts.map(({ unit, token, record }) => ({
        id: unit,
        serial: token.serial ?? 'none',
        epoch: record?.epoch ?? NO_EPOCH,
        counter: (record?.counter ?? 0) + 1,
      })),
      args: { ...args },
      issuedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 300_000).toISOString(),
      ...change,
    };
  }

  async document(op: SignedOp, args: object, units: readonly string[], keys = [this.key]): Promise<string> {
    return signCommand(await this.payload(op, args, units), keys);
  }

  send(...documents: string[]): Promise<Answer> {
    return this.world.api('POST', '/api/v1/operations', { documents });
  }

  /** Signs, sends, and reads every unit's receipt under the key that the unit had before. */
  async run(op: SignedOp, args: object, units: readonly string[], keys = [this.key]): Promise<Record<string, Verdict>> {
    const before = await Promise.all(units.map((unit) => this.facts(unit)));
    const answer = await this.send(await this.document(op, args, units, keys));
    return Object.fromEntries(before.map((facts) => [facts.unit, verdictIn(answer, facts)]));
  }

  /** A pair of their own for the units, and the import of the master key through it, into those that made one. */
  async importMasterKey(units: readonly string[], masterKey = this.masterKey): Promise<Record<string, Verdict>> {
    const importers = await this.run('mk.importer', {}, units);
    const ready = units.filter((unit) => importers[unit]?.code === 'ok');
    if (ready.length === 0) return importers;
    const facts = Object.fromEntries(ready.map((unit) => [unit, importers[unit]?.receipt?.facts ?? {}]));
    return { ...importers, ...(await this.run('mk.import', masterKey.args(this.instance, facts), ready)) };
  }

  async kmsUserArgs(): Promise<object> {
    const path = '/api/v1/cryptouser/metadata';
    const { body } = await this.world.api('GET', path, undefined, { 'instance-id': this.instance });
    return { type: 'kmsCryptoUser', name: body.user_name, publicKey: body.public_key };
  }

  async addKmsUser(units: readonly string[]): Promise<Record<string, Verdict>> {
    return this.run('user.add', await this.kmsUserArgs(), units);
  }

  addAdmin(
    name: string,
    key: KeyObject,
    units: readonly string[],
    keys = [this.key],
  ): Promise<Record<string, Verdict>> {
    return this.run('user.add', { type: 'admin', name, certificate: publicPem(key) }, units, keys);
  }

  maintenance(unit: string, on: boolean): Promise<Answer> {
    return this.world.api('PUT', `/api/v1/cryptounits/${unit}/maintenance`, { on });
  }

  /** Every unit out of maintenance and back to `reserved`. */
  async reset(): Promise<void> {
    for (const { id, state } of await this.world.units()) {
      if (state === 'maintenance') await this.maintenance(id, false);
      const { record } = await this.facts(id);
      if (record === null) continue;
      const done = await this.run('zeroize', { force: true }, [id]);
      if (done[id]?.code !== 'ok') throw new Error(`${id} was not zeroized: ${done[id]?.message}`);
    }
  }

  #askFacts(unit: string): Promise<Answer> {
    const nonce = randomBytes(16).toString('base64url');
    return this.world.api('GET', `/api/v1/cryptounits/${unit}/facts?nonce=${nonce}`);
  }

  /** Claim, import, kmsCryptoUser on the units: they are kms-initialized afterwards. */
  async initialise(units: readonly string[]): Promise<void> {
    for (const unit of units) assertOk(await this.claim(unit));
    for (const verdicts of [await this.importMasterKey(units), await this.addKmsUser(units)]) {
      for (const { code, message } of Object.values(verdicts))
        if (code !== 'ok') throw new Error(`${code}: ${message}`);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH
  }
}

/** A master key as an owner has it, and what an import command says of it. */
export class MasterKey {
  readonly #key = new Secret(randomBytes(32));
  readonly #mkId = randomBytes(16);
  readonly #setId = randomBytes(16);

  /** The args of mk.import; `importers` are the facts of the units' mk.importer receipts. */
  args(instance: string, importers: Readonly<Record<string, Readonly<Record<string, unknown>>>>): object {
    using keys = new DerivedKeys(this.#key, this.#mkId);
    const mkvp = keys.mkvp(instance, this.#mkId);
    return {
      mkId: this.#mkId.toString('hex'),
      setId: this.#setId.toString('hex'),
      name: 'MK',
      algorithm: 'AES-256',
      t: 2,
      n: 3,
      mkvp: mkvp.toString('hex'),
      createdAt: new Date(0).toISOString(),
      check: { blob: keys.checkBlob().toString('base64'), answer: keys.checkAnswer(mkvp).toString('hex') },
      units: Object.fromEntries(Object.entries(importers).map(([unit, facts]) => [unit, sealedTo(facts, keys)])),
    };
  }
}

function sealedTo({ publicKey, oaep }: Readonly<Record<string, unknown>>, keys: DerivedKeys): object {
  const spki = Buffer.from(String(publicKey), 'base64');
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const to = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: oaep === 'SHA-1' ? 'sha1' : 'sha256' };
  const seal = ({ bytes }: Secret) => publicEncrypt(to, bytes).toString('base64');
  return { importer: sha256(spki).toString('hex'), oaep, wrap: seal(keys.wrap), mac: seal(keys.mac) };
}

/** What an answer of POST /api/v1/operations says of one unit; the code of the answer when it has no units. */
export function verdictIn(answer: Answer, { unit, receiptKey }: Pick<UnitFacts, 'unit' | 'receiptKey'>): Verdict {
  if (answer.status !== 200) {
    const { code, message } = answer.body.resources[0].reasons[0];
    return { code, message, receipt: null };
  }
  const row = answer.body.units.find((one: { id: string }) => one.id === unit);
  const receipt = row.receipt === null ? null : readReceipt(row.receipt, Buffer.from(receiptKey?.spki ?? '', 'base64'));
  return { code: row.error?.code ?? row.outcome, message: row.error?.message ?? '', receipt };
}

/** The code of a refusal, or 'ok'. */
export function codeOf({ status, body }: Answer): string {
  return status < 300 ? 'ok' : (body?.resources?.[0]?.reasons?.[0]?.code ?? `HTTP ${status}`);
}

export function assertOk(answer: Answer): void {
  if (answer.status >= 300) throw new Error(`${answer.status}: ${answer.text}`);
}
