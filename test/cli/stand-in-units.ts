import {
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { readArgs } from '../../src/admins/command-args.js';
import { fingerprintOf, readAdminKey, spkiOf } from '../../src/admins/public-key.js';
import { type Receipt, receiptSigningInput, sealReceipt } from '../../src/admins/receipt.js';
import { type ParsedCommand, parseCommand, verifySigners } from '../../src/admins/signed-command.js';
import { mkvpInput } from '../../src/shared/check-value.js';
import { KeysteadError, needs } from '../../src/shared/errors.js';
import { stateOf } from '../../src/shared/unit-state.js';

const TOKEN = { model: 'stand-in', manufacturer: 'none', firmware: '1.0' };

interface Admin {
  readonly name: string;
  readonly kid: string;
  readonly spki: Buffer;
}

/**
 * A crypto unit without a token, for what a live one will not do on request: fail alone, lie, change its key. It checks
 * commands with the same code as the agent and keeps its record in memory. What units really do is tested against them.
 */
export class StandInUnit {
  readonly id = randomUUID();
  readonly serial = randomBytes(8).toString('hex');
  epoch = randomBytes(16).toString('hex');
  counter = 0;
  maintenance = false;
  admins: Admin[] = [];
  kmsUser: Admin | null = null;
  masterKey: Record<string, unknown> | null = null;
  zeroized: { epoch: string; serial: string; receipt: string } | null = null;
  /** Refuses every command with this, signed. */
  refusal: { code: 'UNIT_FAULT'; message: string } | null = null;
  #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #importer: KeyObject | null = null;

  constructor(readonly instance: string) {}

  get spki(): Buffer {
    return this.#key.publicKey.export({ type: 'spki', format: 'der' });
  }
  get fingerprint(): string {
    return fingerprintOf(this.#key.publicKey);
  }
  changeKey(): void {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }

  get state(): string {
    const { maintenance } = this;
    const claimed = this.admins.length > 0;
    return stateOf({ claimed, masterKey: this.masterKey !== null, kmsUser: this.kmsUser !== null, maintenance });
  }

  get record() {
    const person = ({ name, kid }: Admin) => ({ name, kid });
    const { instance, epoch, counter, masterKey } = this;
    const kmsUser = this.kmsUser && person(this.kmsUser);
    return { instance, epoch, counter, threshold: 1, admins: this.admins.map(person), kmsUser, masterKey };
  }

  facts(nonce: string) {
    const claimed = this.admins.length > 0;
    const receiptKey = claimed ? { spki: this.spki.toString('base64'), fingerprint: this.fingerprint } : null;
    return {
      facts: { unit: this.id, token: { serial: this.serial, problem: null }, receiptKey, zeroized: this.zeroized },
      receipt: claimed
        ? this.#sign({ op: 'facts', nonce, facts: { ...this.record, token: TOKEN, capabilities: null } })
        : null,
    };
  }

  claim(plan: string, certificate: string): string {
    needs(this.admins.length === 0, 'UNIT_STATE', 'cannot claim a unit that is claimed');
    const { key, kid } = readAdminKey(certificate);
    this.changeKey();
    this.epoch = randomBytes(16).toString('hex');
    this.admins = [{ name: 'ADMIN', kid, spki: spkiOf(key) }];
    return this.#sign({ op: 'claim', plan, facts: this.record });
  }

  command(document: string): string {
    const command = parseCommand(document);
    const { op, plan } = command.payload;
    verifySigners(command, this.admins, 1);
    const target = command.payload.units.find((unit) => unit.id === this.id);
    needs(target?.counter === this.counter + 1, 'COMMAND_REPLAYED', 'the counter is not the next one');
    needs(target.epoch === this.epoch && target.serial === this.serial, 'COMMAND_TARGET', 'another epoch or serial');
    this.counter += 1;
    const said = { op, plan, digest: command.digest };
    if (this.refusal) return this.#sign({ ...said, outcome: 'refused', error: this.refusal, facts: {} });
    return this.#sign({ ...said, facts: this.#obey(command) }, op === 'zeroize');
  }

  #obey({ payload: { op, args } }: ParsedCommand): Record<string, unknown> {
    if (op === 'mk.random') return { random: randomBytes(32).toString('base64') };
    if (op === 'mk.importer') return this.#makeImporter();
    if (op === 'mk.import') this.#import(args);
    if (op === 'user.add') {
      const user = readArgs('user.add', args);
      const { key, kid } = readAdminKey(user.type === 'admin' ? user.certificate : user.publicKey);
      const added = { name: user.name, kid, spki: spkiOf(key) };
      if (user.type === 'admin') this.admins.push(added);
      else this.kmsUser = added;
    }
    if (op === 'user.remove') {
      const { name } = readArgs('user.remove', args);
      needs(
        this.admins.some((admin) => admin.name === name),
        'USER_NOT_FOUND',
        `there is no user ${name}`,
      );
      this.admins = this.admins.filter((admin) => admin.name !== name);
    }
    return { ...this.record };
  }

  #makeImporter(): Record<string, unknown> {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    this.#importer = privateKey;
    const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    return { publicKey: spki, oaep: 'SHA-1', expiresAt: new Date(Date.now() + 600_000).toISOString() };
  }

  /** Opens the blob with the importer key and finds out by itself whether it is the master key it is said to be. */
  #import(given: unknown): void {
    const { units, check: _check, ...args } = readArgs('mk.import', given);
    const mine = units[this.id];
    needs(mine && this.#importer, 'IMPORTER_INVALID', 'there is no importer for this unit');
    needs(mine.importer === fingerprintOf(this.#importer), 'IMPORTER_INVALID', 'another importer');
    const mac = privateDecrypt({ key: this.#importer, oaepHash: 'sha1' }, Buffer.from(mine.mac, 'base64'));
    const mkvp = createHmac('sha256', mac)
      .update(mkvpInput(this.instance, Buffer.from(args.mkId, 'hex')))
      .digest();
    needs(mkvp.subarray(0, 16).toString('hex') === args.mkvp, 'MASTER_KEY_INVALID', 'the MKVP differs');
    this.masterKey = { ...args, importedAt: new Date().toISOString() };
  }

  #sign(said: Pick<Receipt, 'op' | 'facts'> & Partial<Receipt>, zeroize = false): string {
    const { id, instance, serial, epoch, counter } = this;
    const receipt: Receipt = {
      v: 1,
      plan: null,
      nonce: null,
      digest: null,
      outcome: 'ok',
      error: null,
      instance,
      unit: id,
      serial,
      epoch,
      counter,
      at: new Date().toISOString(),
      ...said,
    };
    const input = receiptSigningInput(receipt, this.fingerprint);
    const text = sealReceipt(input, sign('sha256', input, { key: this.#key.privateKey, dsaEncoding: 'ieee-p1363' }));
    if (zeroize) {
      this.zeroized = { epoch, serial, receipt: text };
      Object.assign(this, { admins: [], kmsUser: null, masterKey: null, counter: 0 });
    }
    return text;
  }
}

export function refusal(thrown: unknown): { code: string; message: string } {
  if (thrown instanceof KeysteadError) return { code: thrown.code, message: thrown.message };
  throw thrown;
}
