import {
  constants,
  createCipheriv,
  createHmac,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { type Receipt, readReceipt } from '../../src/admins/receipt.js';
import { type CommandPayload, signCommand } from '../../src/admins/signed-command.js';
import { sha256 } from '../../src/shared/bytes.js';
import { checkInput, MK_LABELS, mkvpInput } from '../../src/shared/check-value.js';
import type { SignedOp } from '../../src/shared/unit-state.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import type { UnitFacts } from '../../src/unit-agent/protocol.js';
import { type AgentWorld, rsaKey } from './agent-world.js';

export function publicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/** A command for the unit as it is now, not signed yet. */
export function payloadFor(facts: UnitFacts, op: SignedOp, args: object): CommandPayload {
  if (!facts.record || !facts.token.serial) throw new Error(`the unit is not claimed: ${JSON.stringify(facts.token)}`);
  const { instance, epoch, counter } = facts.record;
  const now = Date.now();
  return {
    v: 1,
    op,
    instance,
    plan: randomUUID(),
    units: [{ id: facts.unit, serial: facts.token.serial, epoch, counter: counter + 1 }],
    args: { ...args },
    issuedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + 300_000).toISOString(),
  };
}

/** The administrators' side of one unit, and the master key of its owner. */
export class Ceremony {
  readonly adminKey = rsaKey();
  readonly kmsUser = rsaKey();
  readonly masterKey = randomBytes(32);
  readonly mkId = randomBytes(16);

  constructor(readonly world: AgentWorld) {}

  async facts(admin: AdminClient): Promise<UnitFacts> {
    return (await admin.facts({})).facts;
  }

  async claim(admin: AdminClient, plan: string = randomUUID(), key = this.adminKey): Promise<Receipt> {
    const { receipt } = await admin.claim({ plan, instance: this.world.instance, certificate: publicPem(key) });
    return this.read(admin, receipt);
  }

  /** The receipt, verified under the receipt key that the unit names. */
  async read(admin: AdminClient, receipt: string): Promise<Receipt> {
    const spki = (await this.facts(admin)).receiptKey?.spki ?? '';
    return readReceipt(receipt, Buffer.from(spki, 'base64'));
  }

  async document(admin: AdminClient, op: SignedOp, args: object, key = this.adminKey): Promise<string> {
    return signCommand(payloadFor(await this.facts(admin), op, args), [key]);
  }

  /** Signs and sends. */
  async command(admin: AdminClient, op: SignedOp, args: object): Promise<Receipt> {
    const { receipt } = await admin.command(await this.document(admin, op, args));
    return this.read(admin, receipt);
  }

  addKmsUser(admin: AdminClient): Promise<Receipt> {
    const args = { type: 'kmsCryptoUser', name: 'kms', publicKey: publicPem(this.kmsUser) };
    return this.command(admin, 'user.add', args);
  }

  /** Makes an importer and imports the master key through it. */
  async importMasterKey(admin: AdminClient): Promise<Receipt> {
    const made = await this.command(admin, 'mk.importer', {});
    return this.command(admin, 'mk.import', this.importArgs(made));
  }

  /** The args of mk.import, encrypted to the importer in the receipt; `masterKey` is what is encrypted. */
  importArgs(made: Receipt, masterKey = this.masterKey): object {
    const spki = Buffer.from(String(made.facts['publicKey']), 'base64');
    const oaep = made.facts['oaep'] as 'SHA-1' | 'SHA-256';
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const seal = (bytes: Buffer) => {
      const oaepHash = oaep === 'SHA-1' ? 'sha1' : 'sha256';
      return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, bytes).toString('base64');
    };
    const derive = (from: Buffer, label: string) => Buffer.from(hkdfSync('sha256', from, this.mkId, label, 32));
    const wrap = derive(this.masterKey, MK_LABELS.wrap);
    const mac = derive(this.masterKey, MK_LABELS.mac);
    const check = derive(this.masterKey, MK_LABELS.check);
    const mkvp = createHmac('sha256', mac).update(mkvpInput(this.world.instance, this.mkId)).digest().subarray(0, 16);
    const wrapper = createCipheriv('id-aes256-wrap', wrap, Buffer.alloc(8, 0xa6));
    const blob = Buffer.concat([wrapper.update(check), wrapper.final()]);
    return {
      mkId: this.mkId.toString('hex'),
      setId: randomBytes(16).toString('hex'),
      name: 'mk-1',
      algorithm: 'AES-256',
      t: 2,
      n: 3,
      mkvp: mkvp.toString('hex'),
      createdAt: new Date().toISOString(),
      check: {
        blob: blob.toString('base64'),
        answer: createHmac('sha256', check).update(checkInput(mkvp)).digest('hex'),
      },
      units: {
        [this.world.unit]: {
          importer: sha256(spki).toString('hex'),
          oaep,
          wrap: seal(derive(masterKey, MK_LABELS.wrap)),
          mac: seal(derive(masterKey, MK_LABELS.mac)),
        },
      },
    };
  }

  /** Claim, import, kmsCryptoUser: the unit serves afterwards. */
  async initialise(admin: AdminClient): Promise<void> {
    await this.claim(admin);
    await this.importMasterKey(admin);
    await this.addKmsUser(admin);
  }
}
