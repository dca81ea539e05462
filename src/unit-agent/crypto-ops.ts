import { constants, createPublicKey, randomBytes, verify as verifySignature } from 'node:crypto';
import { lengthPrefixed } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { assertAllowed } from '../shared/unit-state.js';
import { followLog, signCheckpoint } from './audit-ops.js';
import type { CryptoUnit } from './crypto-unit.js';
import { stateByRecord } from './facts.js';
import { ROW_FIELDS, readFields, rowOf, STORED_FIELDS, splitFields, storedRow } from './fields.js';
import type { GenuineRow } from './genuine-rows.js';
import { generateImportPair, importPairPublicKey, importWithPair } from './import-ops.js';
import { assertAllows, assertGenuine, type KeyUse } from './key-row.js';
import { CHALLENGE_BYTES, kmsUserProof } from './kms-user-proof.js';
import { dropMaterial, importMaterial, newExternalRow } from './material-ops.js';
import { reencrypt } from './reencrypt.js';
import { assertNew, changeRows, checkRows, givenMac, importRootKey, macOf } from './row-ops.js';
import type { Serving } from './serving.js';
import { publicKey, sign, verify } from './signing-ops.js';
import type { MasterKeyRecord } from './unit-record.js';

const MOST_RANDOM_BYTES = 4_096;

/** The crypto set on one connection. It serves the enrolled KMS user, who proves on each connection that it is the one. */
export class CryptoSession {
  #challenge: Buffer | undefined;
  /** SPKI of the user that proved itself here; good as long as that user is the enrolled one. */
  #proved: string | undefined;

  /** `certificateKey`: SPKI of the client certificate, base64, where the connection has one; the user must be that key. */
  constructor(
    private readonly unit: CryptoUnit,
    private readonly certificateKey: string | null,
  ) {}

  /** 32 bytes to sign, once, and the unit's id, as length-prefixed fields. */
  challenge(): Buffer {
    this.#challenge = randomBytes(CHALLENGE_BYTES);
    return lengthPrefixed([this.#challenge, this.unit.dir.id]);
  }

  /** Takes the signature over the challenge. KMS_USER_REFUSED. */
  prove(signature: Buffer): Buffer {
    const challenge = this.#challenge;
    this.#challenge = undefined;
    const user = this.unit.record()?.kmsUser;
    const refusal = 'this is not the enrolled kmsCryptoUser; enrol it: kp crypto-unit user add --type kmsCryptoUser';
    needs(user && challenge, 'KMS_USER_REFUSED', refusal);
    needs(
      this.certificateKey === null || this.certificateKey === user.spki,
      'KMS_USER_REFUSED',
      'over TLS the client certificate must have the key of the enrolled kmsCryptoUser',
    );
    const key = createPublicKey({ key: Buffer.from(user.spki, 'base64'), format: 'der', type: 'spki' });
    const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const genuine = verifySignature('sha256', kmsUserProof(this.unit.dir.id, challenge), pss, signature);
    needs(genuine, 'KMS_USER_REFUSED', refusal);
    this.#proved = user.spki;
    return Buffer.alloc(0);
  }

  get proved(): boolean {
    return this.#proved !== undefined;
  }

  random(body: Buffer): Buffer {
    this.#ready();
    needs(body.length === 4, 'BAD_REQUEST', 'ask for a number of random bytes, 4 bytes big-endian');
    const length = body.readUInt32BE();
    needs(length >= 1 && length <= MOST_RANDOM_BYTES, 'BAD_REQUEST', `ask for 1 to ${MOST_RANDOM_BYTES} random bytes`);
    return this.unit.keeper.token().random(length);
  }

  generateRootKey(body: Buffer): Buffer {
    const serving = this.#ready();
    const row = rowOf(readFields(body, ROW_FIELDS));
    assertNew(row, serving);
    const blob = serving.token.generateRootKey(serving.wrapId);
    return lengthPrefixed([blob, macOf(serving, row, blob)]);
  }

  importRootKey(body: Buffer): Buffer {
    return importRootKey(this.#ready(), body);
  }

  changeRows(body: Buffer): Buffer {
    return changeRows(this.#ready(), body);
  }

  checkRows(body: Buffer): Buffer {
    return checkRows(this.#ready(), body);
  }

  generateImportPair(body: Buffer): Promise<Buffer> {
    return this.unit.inBackground(this.unit.inTurn(() => generateImportPair(() => this.#ready(), body)));
  }

  importPairPublicKey(body: Buffer): Buffer {
    return importPairPublicKey(this.#ready(), body);
  }

  importWithPair(body: Buffer): Promise<Buffer> {
    return this.unit.inBackground(importWithPair(() => this.#ready(), body));
  }

  newExternalRow(body: Buffer): Buffer {
    return newExternalRow(this.#ready(), body);
  }

  importMaterial(body: Buffer): Promise<Buffer> {
    return this.unit.inBackground(importMaterial(() => this.#ready(), body));
  }

  dropMaterial(body: Buffer): Buffer {
    return dropMaterial(this.#ready(), body);
  }

  reencrypt(body: Buffer): Buffer {
    return reencrypt(this.#ready(), body);
  }

  sign(body: Buffer): Promise<Buffer> {
    return this.unit.inBackground(sign(() => this.#ready(), body));
  }

  verify(body: Buffer): Buffer {
    return verify(this.#ready(), body);
  }

  publicKey(body: Buffer): Buffer {
    return publicKey(this.#ready(), body);
  }

  signCheckpoint(body: Buffer): Buffer {
    this.#ready();
    return signCheckpoint(this.unit, body);
  }

  followLog(body: Buffer): Buffer {
    this.#ready();
    return followLog(this.unit, body);
  }

  encrypt(body: Buffer): Buffer {
    const { token, wrapId, blob, aad, data } = this.#withRow('encrypt', body);
    return token.encrypt(wrapId, blob, data, aad);
  }

  decrypt(body: Buffer): Buffer {
    const { token, wrapId, blob, aad, data } = this.#withRow('decrypt', body);
    return token.decrypt(wrapId, blob, data, aad);
  }

  /** MAC and state of the row are checked in the frame that uses its blob. */
  #withRow(use: KeyUse, body: Buffer): Serving & { blob: Buffer; aad: Buffer; data: Buffer } {
    const serving = this.#ready();
    const { first, rest } = splitFields(body, STORED_FIELDS);
    const { state, blob } = this.unit.genuineRows.of(serving.macId, first, () => confirmed(serving, first));
    assertAllows(use, state);
    const [aad, data] = readFields(rest, 2) as [Buffer, Buffer];
    return { ...serving, blob, aad, data };
  }

  /** The unit serves: this user is the enrolled one, and the master key is the right one. */
  #ready(): Serving {
    const record = this.unit.record();
    if (!record || record.kmsUser === null || this.#proved !== record.kmsUser.spki) {
      throw new KeysteadError('KMS_USER_REFUSED', 'this connection did not prove to be the enrolled kmsCryptoUser');
    }
    assertAllowed('use-keys', stateByRecord(record));
    const { mk } = record as { mk: MasterKeyRecord };
    if (!this.unit.masterKeyProved) {
      throw new KeysteadError(
        'MASTER_KEY_MISMATCH',
        'the master key on the token does not answer as its check values say',
      );
    }
    return { token: this.unit.keeper.token(), instance: record.instance, ...idsOf(mk) };
  }
}

/** The row, its MAC computed in the token. KEY_ROW_INVALID. */
function confirmed(serving: Serving, fields: Buffer): GenuineRow {
  const stored = storedRow(readFields(fields, STORED_FIELDS));
  assertGenuine(stored.row, givenMac(serving, stored), serving.instance);
  return { state: stored.row.state, blob: Buffer.from(stored.blob) }; // not a view that keeps the whole piece of the stream
}

const ids = new WeakMap<MasterKeyRecord, { wrapId: Buffer; macId: Buffer }>();

/** The ids as bytes, made once per record. */
function idsOf(mk: MasterKeyRecord): { wrapId: Buffer; macId: Buffer } {
  let known = ids.get(mk);
  if (!known) {
    known = { wrapId: Buffer.from(mk.wrapId, 'hex'), macId: Buffer.from(mk.macId, 'hex') };
    ids.set(mk, known);
  }
  return known;
}
