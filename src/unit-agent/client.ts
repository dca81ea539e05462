import { constants, type KeyObject, sign } from 'node:crypto';
import { lengthPrefixed } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import type { AgentConnection, RequestOptions } from './agent-connection.js';
import { nextFields, readAllFields, readFields, rowFields, storedBytes, storedFields } from './fields.js';
import { kmsUserProof } from './kms-user-proof.js';
import type {
  AuditMark,
  KeyRowFields,
  NextRow,
  RowChange,
  SealedKey,
  SealedMaterial,
  SigningAlgorithm,
  StoredMaterial,
  StoredRow,
  WrappedKey,
} from './protocol.js';

export { AdminClient } from './admin-client.js';
export { AgentConnection, type ConnectionOptions } from './agent-connection.js';
export { CallMeter } from './call-meter.js';
export type { Dial } from './dial.js';
export { UnitSilentError } from './silence-watch.js';

/** An RSA-4096 pair takes 0.2 to 5 s on an idle machine, and one waits for the other. */
const PAIR_DEADLINE_MS = 60_000;

const IN_HASTE: RequestOptions = { hasty: true };

/** The crypto set, on a connection on which the KMS user proved itself. */
export class CryptoClient {
  /** The same connection for who can ask another unit: use of a key also throws UnitSilentError, soon. */
  readonly inHaste: CryptoClient;

  private constructor(
    readonly connection: AgentConnection,
    /** Of what only uses a key, and takes a unit less than a millisecond. */
    private readonly use: RequestOptions = {},
  ) {
    this.inHaste = use.hasty ? this : new CryptoClient(connection, IN_HASTE);
  }

  /**
   * Answers the agent's challenge with the KMS user's private key (RSA). Throws KMS_USER_REFUSED; CONFIG_INVALID when the
   * agent is of another unit than `expected`: nothing is signed for it.
   */
  static async open(connection: AgentConnection, identity: KeyObject, expected?: string): Promise<CryptoClient> {
    const [challenge, unit] = readFields(await connection.request('challenge', Buffer.alloc(0)), 2) as [Buffer, Buffer];
    needs(
      expected === undefined || unit.equals(Buffer.from(expected)),
      'CONFIG_INVALID',
      `the agent that answers for crypto unit ${expected} is of another unit; correct KEYSTEAD_AGENTS_FILE`,
    );
    const signature = sign('sha256', kmsUserProof(unit.toString('utf8'), challenge), {
      key: identity,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    });
    await connection.request('prove', signature);
    return new CryptoClient(connection);
  }

  /** `length` random bytes of the token, 1 to 4096. */
  random(length: number): Promise<Buffer> {
    const asked = Buffer.alloc(4);
    asked.writeUInt32BE(length);
    return this.connection.request('random', asked, this.use);
  }

  /** A new AES-256 key wrapped under the master key (40 bytes), and the row MAC over row and blob (32 bytes). */
  async generateRootKey(row: KeyRowFields): Promise<WrappedKey> {
    return wrappedKey(await this.connection.request('generateRootKey', lengthPrefixed(rowFields(row))));
  }

  /** iv (12 bytes) ‖ ciphertext ‖ tag (16 bytes). Throws KEY_ROW_INVALID, KEY_STATE. */
  encrypt(row: KeyRowFields, blob: Buffer, mac: Buffer, aad: Buffer, plaintext: Buffer): Promise<Buffer> {
    return this.#useRow('encrypt', { row, blob, mac }, aad, plaintext);
  }

  /** The plaintext. Throws CIPHERTEXT_INVALID, KEY_ROW_INVALID, KEY_STATE. */
  decrypt(row: KeyRowFields, blob: Buffer, mac: Buffer, aad: Buffer, sealed: Buffer): Promise<Buffer> {
    return this.#useRow('decrypt', { row, blob, mac }, aad, sealed);
  }

  #useRow(op: 'encrypt' | 'decrypt', stored: StoredRow, aad: Buffer, data: Buffer): Promise<Buffer> {
    return this.connection.request(op, [storedBytes(stored), lengthPrefixed([aad, data])], this.use);
  }

  /**
   * Wraps key material of the client's: 16, 24 or 32 bytes, as `row.algorithm` says (AES-128, AES-192, AES-256). The agent
   * wipes its copy; the caller's is the caller's. Throws FIELD_INVALID for another length or when all bytes are equal.
   */
  async importRootKey(row: KeyRowFields, material: Buffer): Promise<WrappedKey> {
    const body = lengthPrefixed([...rowFields(row), material]);
    const answer = this.connection.request('importRootKey', body);
    body.fill(0); // the frame has a copy of it by now
    return wrappedKey(await answer);
  }

  /** The MAC of the row as it becomes. Throws KEY_ROW_INVALID; KEY_STATE for a forbidden transition. */
  async changeRow(row: KeyRowFields, blob: Buffer, mac: Buffer, next: NextRow): Promise<{ mac: Buffer }> {
    const [changed] = await this.changeRows([{ row, blob, mac, next }]);
    return changed as { mac: Buffer };
  }

  /** The same for 1 to 500 rows, in their order: all, or an error for the first that cannot. */
  async changeRows(changes: readonly RowChange[]): Promise<{ mac: Buffer }[]> {
    const fields = changes.flatMap((change) => [...storedFields(change), ...nextFields(change.next)]);
    const macs = readAllFields(await this.connection.request('changeRows', lengthPrefixed(fields)));
    return macs.map((mac) => ({ mac }));
  }

  /** Whether each of 1 to 500 stored rows is as Keystead wrote it, in their order. */
  async checkRows(rows: readonly StoredRow[]): Promise<boolean[]> {
    const answer = await this.connection.request('checkRows', lengthPrefixed(rows.flatMap(storedFields)));
    return [...answer].map((genuine) => genuine === 1);
  }

  /**
   * A new RSA pair to which clients encrypt keys; `row.algorithm` is RSA-2048, RSA-3072 or RSA-4096. `publicKey` is SPKI
   * DER; the blob holds the private half, wrapped (RFC 5649), which any unit of the instance opens. It takes 0.2 to 5 s.
   */
  async generateImportPair(row: KeyRowFields): Promise<WrappedKey & { publicKey: Buffer }> {
    const options = { deadlineMs: PAIR_DEADLINE_MS };
    const answer = await this.connection.request('generateImportPair', lengthPrefixed(rowFields(row)), options);
    const [publicKey, blob, mac] = readFields(answer, 3) as [Buffer, Buffer, Buffer];
    return { publicKey, blob, mac };
  }

  /** SPKI DER of the public half, out of the blob itself. Throws KEY_ROW_INVALID; KEY_STATE unless it is active. */
  importPairPublicKey(pairRow: KeyRowFields, pairBlob: Buffer, pairMac: Buffer): Promise<Buffer> {
    return this.connection.request('importPairPublicKey', lengthPrefixed([...rowFields(pairRow), pairBlob, pairMac]));
  }

  /**
   * Takes in a key that was encrypted to an active pair. The unit learns its length and writes it into the row:
   * `algorithm` is AES-128, AES-192 or AES-256, and the MAC covers the row with this algorithm in place of the one given.
   * Throws IMPORT_INVALID, always with the same message, for everything that a client may have done wrong.
   */
  async importWithPair(
    pairRow: KeyRowFields,
    pairBlob: Buffer,
    pairMac: Buffer,
    sealed: SealedKey,
    row: KeyRowFields,
  ): Promise<WrappedKey & { algorithm: string }> {
    const { oaep, wrappedKey, encryptedNonce, iv, nonce } = sealed;
    const pair = [...rowFields(pairRow), pairBlob, pairMac];
    const body = lengthPrefixed([...pair, oaep, wrappedKey, encryptedNonce, iv, nonce, ...rowFields(row)]);
    const answer = await this.connection.request('importWithPair', body);
    const [algorithm, blob, mac] = readFields(answer, 3) as [Buffer, Buffer, Buffer];
    return { algorithm: algorithm.toString('utf8'), blob, mac };
  }

  /** The row MAC of an external key that has no material yet: `row.state` is pre-activation, the blob is empty. */
  async newExternalRow(row: KeyRowFields): Promise<{ mac: Buffer }> {
    return { mac: await this.connection.request('newExternalRow', lengthPrefixed(rowFields(row))) };
  }

  /**
   * Takes in the material of an external key, encrypted to an active pair, and gives its row the next state (active or
   * suspended) and policy; the row is pre-activation, active or suspended. `stored.row.algorithm` says what the material must
   * be: AES-256 (32 bytes, no `privateKey`), or RSA-2048, RSA-3072, RSA-4096, EC-P256, EC-P384 (with `privateKey`).
   * Throws IMPORT_INVALID for whatever does not open; after a good OAEP decode MATERIAL_LENGTH, or TEMPORARY_KEY_LENGTH
   * beside a private key; PRIVATE_KEY_INVALID. Under RSAES_PKCS1_V1_5 everything up to an opened private key is
   * IMPORT_INVALID.
   */
  async importMaterial(
    pairRow: KeyRowFields,
    pairBlob: Buffer,
    pairMac: Buffer,
    given: SealedMaterial,
    stored: StoredRow,
    next: NextRow,
  ): Promise<StoredMaterial> {
    const pair = storedFields({ row: pairRow, blob: pairBlob, mac: pairMac });
    const sealed = [given.algorithm, given.wrappedKey, given.privateKey ?? Buffer.alloc(0)];
    const body = lengthPrefixed([...pair, ...sealed, ...storedFields(stored), ...nextFields(next)]);
    const answer = readFields(await this.connection.request('importMaterial', body), 4);
    const [blob, mac, binding, publicKey] = answer as [Buffer, Buffer, Buffer, Buffer];
    return { blob, mac, binding, publicKey: publicKey.length > 0 ? publicKey : null };
  }

  /**
   * The MAC of an active or suspended row after its material went: the next state is pre-activation, the blob is empty.
   * Throws KEY_ROW_INVALID, KEY_STATE.
   */
  async dropMaterial(stored: StoredRow, next: NextRow): Promise<{ mac: Buffer }> {
    const body = lengthPrefixed([...storedFields(stored), ...nextFields(next)]);
    return { mac: await this.connection.request('dropMaterial', body) };
  }

  /**
   * Decrypts with one row and encrypts with the other; the plaintext stays in the unit. iv (12 bytes) ‖ ciphertext ‖ tag
   * (16 bytes). `to` is active, or deactivated when both are of the same key. Throws as decrypt and encrypt do.
   */
  reencrypt(from: StoredRow & { aad: Buffer; sealed: Buffer }, to: StoredRow & { aad: Buffer }): Promise<Buffer> {
    const body = lengthPrefixed([...storedFields(from), from.aad, from.sealed, ...storedFields(to), to.aad]);
    return this.connection.request('reencrypt', body, this.use);
  }

  /**
   * Signs a digest (32, 48 or 64 bytes, as the algorithm says) inside the token, with an active key. RSA: as long as the
   * modulus (PSS with a salt as long as the digest, RFC 8017); ECDSA (FIPS 186-5): DER of SEQUENCE { r, s } (RFC 3279).
   * Throws BAD_REQUEST for an algorithm or digest that does not fit; KEY_ROW_INVALID, KEY_STATE.
   */
  sign(stored: StoredRow, algorithm: SigningAlgorithm, digest: Buffer): Promise<Buffer> {
    return this.connection.request('sign', lengthPrefixed([...storedFields(stored), algorithm, digest]));
  }

  /** Whether `sign` could have given this signature, with an active or deactivated key. Throws as sign does. */
  async verify(stored: StoredRow, algorithm: SigningAlgorithm, digest: Buffer, signature: Buffer): Promise<boolean> {
    const body = lengthPrefixed([...storedFields(stored), algorithm, digest, signature]);
    return (await this.connection.request('verify', body))[0] === 1;
  }

  /** SPKI DER of an RSA or EC key that is active, suspended or deactivated. Throws KEY_ROW_INVALID, KEY_STATE, BAD_REQUEST. */
  publicKey(stored: StoredRow): Promise<Buffer> {
    return this.connection.request('publicKey', lengthPrefixed(storedFields(stored)));
  }

  /**
   * A signed checkpoint of the audit log (checkpoint.ts). `from` is where the lines begin: the unit's last checkpoint, where
   * it came to since then (followLog), or any place when it has none. `lines` are what the hashes of the lines after it cover.
   * Throws DATABASE_ROLLED_BACK when the unit is not there.
   */
  async signCheckpoint(from: AuditMark, lines: readonly Buffer[]): Promise<string> {
    return (await this.connection.request('signCheckpoint', stretchOf(from, lines))).toString('ascii');
  }

  /**
   * The unit goes over lines that it does not sign yet; the next ones, or their checkpoint, may then begin after them, until
   * the unit signs or its agent ends. Throws as signCheckpoint; BAD_REQUEST from an agent of an earlier version.
   */
  async followLog(from: AuditMark, lines: readonly Buffer[]): Promise<void> {
    await this.connection.request('followLog', stretchOf(from, lines));
  }
}

function stretchOf(from: AuditMark, lines: readonly Buffer[]): Buffer {
  return lengthPrefixed([String(from.size), Buffer.from(from.root, 'hex'), ...lines]);
}

function wrappedKey(answer: Buffer): WrappedKey {
  const [blob, mac] = readFields(answer, 2) as [Buffer, Buffer];
  return { blob, mac };
}
