import pkcs11js from 'pkcs11js';
import { needs } from '../shared/errors.js';
import { ckrClass } from './ckr.js';
import { CryptoCore } from './crypto-core.js';
import { signEs256, spkiOfPoint } from './ecdsa.js';
import type { ExternalKeys } from './external-keys.js';
import type { ImportPair } from './import-pairs.js';
import { type Importer, importMasterKey, TokenImporter } from './importer.js';
import { type TokenObject, takeInventory } from './inventory.js';
import type { Imported } from './key-import.js';
import { type ImportPairBits, MECHANISMS } from './mechanisms.js';
import { dataIn, destroyAll, destroyEach, theOne } from './objects.js';
import type { SealedKey } from './sealed-key.js';
import * as templates from './templates.js';
import { type OpenToken, Token, type TokenInfo } from './token.js';

export type { ImportPair } from './import-pairs.js';
export type { Importer } from './importer.js';
export type { TokenObject } from './inventory.js';
export type { OpenToken, TokenInfo } from './token.js';

/**
 * One crypto unit's token: all that the agent may do with it, in terms of ids (CKA_ID, 16 bytes) and bytes. An object of this
 * class is one generation, from C_Initialize to C_Finalize; after `close` every call is refused. Every function may throw
 * TOKEN_LOST (the token is not there), TOKEN_UNSUITABLE (the module cannot) and UNIT_FAULT (anything else that is the
 * unit's doing; closing and opening again may cure it).
 */
export class UnitToken {
  readonly #core: CryptoCore;

  private constructor(
    /** For the other files of this folder. */
    readonly token: Token,
    readonly module: string,
  ) {
    this.#core = new CryptoCore(token);
  }

  /**
   * Loads the module, initialises it, finds the token and logs in once. Throws TOKEN_LOST when it is not there and
   * PIN_REFUSED when the PIN is not accepted, which must then not be tried again.
   */
  static open(wanted: OpenToken): UnitToken {
    return new UnitToken(Token.open(wanted), wanted.module);
  }

  /** Ends sessions, login and module. UNIT_FAULT while `busy`. */
  close(): void {
    this.token.close();
  }

  get serial(): string {
    return this.token.serial;
  }

  /** A new number at each open. */
  get generation(): number {
    return this.token.generation;
  }

  /** A key pair is being made on another thread: the token cannot be closed until that promise settles. */
  get busy(): boolean {
    return this.token.busy;
  }

  /** Session objects made in this generation; SoftHSM leaks 240 bytes for each until it is closed. */
  get sessionObjectsMade(): number {
    return this.token.sessionObjectsMade;
  }

  /** Sessions besides the guard session: open, lent across an await, and as many as there may be. */
  get sessions(): { readonly open: number; readonly leased: number; readonly most: number } {
    const { opened: open, leased, budget: most } = this.token.pool;
    return { open, leased, most };
  }

  /** What the token says of itself now. TOKEN_LOST when it does not answer or another one is in its place. */
  info(): TokenInfo {
    return this.token.info();
  }

  /** Random bytes of the token. */
  random(length: number): Buffer {
    return this.#core.random(length);
  }

  /** Every object on the token, torn ones too, each tried. An empty list also when the token is gone: ask `info` first. */
  inventory(): TokenObject[] {
    return takeInventory(this.token);
  }

  /** Destroys every token object with this id, whatever its class; how many went. */
  destroy(id: Buffer): number {
    this.#core.forget();
    return this.token.pool.use('destroying objects', (session) => destroyAll(session, id));
  }

  /** Destroys these objects of an inventory. */
  destroyObjects(objects: readonly TokenObject[]): void {
    this.#core.forget();
    const handles = objects.map(({ handle }) => handle);
    this.token.pool.use('destroying objects', (session) => destroyEach(session, handles));
  }

  /** A private data object, on disk and read back when this returns. */
  createData(label: string, id: Buffer, value: Buffer): void {
    this.token.create('writing a data object', id, ({ lib, handle }) =>
      lib.C_CreateObject(handle, templates.data(label, id, value)),
    );
    const written = this.readData(label).some((object) => object.id.equals(id) && object.value.equals(value));
    needs(written, 'UNIT_FAULT', `the token took the data object ${label} but does not give it back`);
  }

  /** Every data object of this label; a torn one has an empty value. */
  readData(label: string): { id: Buffer; value: Buffer }[] {
    return this.token.pool.use('reading data objects', (session) => dataIn(session, templates.dataLabelled(label)));
  }

  /** Stores an X.509 certificate for people to read; public where the module knows no private ones. BAD_REQUEST for others. */
  createCertificate(label: string, id: Buffer, der: Buffer): void {
    const create = (isPrivate: boolean) => {
      const template = templates.certificate(label, id, der, isPrivate);
      this.token.create('writing a certificate', id, ({ lib, handle }) => lib.C_CreateObject(handle, template));
    };
    try {
      create(true);
    } catch (cause) {
      if (ckrClass(cause) !== 'unsuitable') throw cause;
      create(false);
    }
  }

  /** Makes the HMAC key of the unit record in the token. */
  generateUnitMac(id: Buffer): void {
    const mechanism = { mechanism: MECHANISMS.CKM_GENERIC_SECRET_KEY_GEN };
    this.token.create('generating unit-mac', id, ({ lib, handle }) =>
      lib.C_GenerateKey(handle, mechanism, templates.unitMac(id)),
    );
  }

  /** Makes the ECDSA P-256 pair that signs receipts; SPKI DER of its public half. */
  generateReceiptKey(id: Buffer): Buffer {
    const { publicKey, privateKey } = templates.receiptKeyPair(id);
    const mechanism = { mechanism: MECHANISMS.CKM_EC_KEY_PAIR_GEN };
    this.token.create(
      'generating the receipt key',
      id,
      ({ lib, handle }) => lib.C_GenerateKeyPair(handle, mechanism, publicKey, privateKey).privateKey,
    );
    return this.receiptPublicKey(id);
  }

  /** SPKI DER of the receipt key on the token; UNIT_FAULT when there is none of this id. */
  receiptPublicKey(id: Buffer): Buffer {
    return this.token.pool.use('reading the receipt key', (session) => {
      return spkiOfPoint(session, theOne(session, pkcs11js.CKO_PUBLIC_KEY, id));
    });
  }

  /** HMAC-SHA-256 (32 bytes) by the unit-mac or mk-mac of this id. */
  hmac(id: Buffer, data: Buffer): Buffer {
    return this.#core.hmac(id, data);
  }

  /** The same by the key that is on the token now; what is in daily use is a copy, which goes on when the key is changed. */
  hmacOnToken(id: Buffer, data: Buffer): Buffer {
    return this.#core.hmacOnToken(id, data);
  }

  /** ECDSA P-256 over SHA-256 of the data: r ‖ s, 64 bytes. */
  signReceipt(id: Buffer, data: Buffer): Buffer {
    return this.token.pool.use('signing a receipt', (session) => {
      return signEs256(session, theOne(session, pkcs11js.CKO_PRIVATE_KEY, id), data);
    });
  }

  /** A one-time pair as session objects, made on the thread pool (0.2 to 2 s). */
  generateImporter(): Promise<Importer> {
    return TokenImporter.generate(this.token, this.random(16));
  }

  /**
   * Unwraps half of a master key (32 bytes, RSAES-OAEP) into a token key. MASTER_KEY_INVALID when the blob does not open or
   * is seen to hold no 256-bit key; nothing is left on the token then.
   */
  importMasterKey(importer: Importer, role: 'mk-wrap' | 'mk-mac', id: Buffer, blob: Buffer): void {
    importMasterKey(this.token, importer, role, id, blob);
  }

  /**
   * Proves mk-wrap: opens the check blob (40 bytes) under it and answers HMAC-SHA-256(check key, input), 32 bytes.
   * MASTER_KEY_MISMATCH when the blob does not open although the unit is well.
   */
  checkAnswer(mkWrapId: Buffer, checkBlob: Buffer, input: Buffer): Buffer {
    return this.#core.checkAnswer(mkWrapId, checkBlob, input);
  }

  /** A new AES-256 root key, wrapped under mk-wrap (RFC 3394): 40 bytes. */
  generateRootKey(mkWrapId: Buffer): Buffer {
    return this.#core.generateRootKey(mkWrapId);
  }

  /** Wraps key material of 16, 24 or 32 bytes under mk-wrap (RFC 3394): 8 bytes more. */
  importRootKey(mkWrapId: Buffer, material: Buffer): Buffer {
    return this.#core.importRootKey(mkWrapId, material);
  }

  /** A new RSA pair as session objects, made on the thread pool (0.2 to 5 s, one at a time); wrap it, then destroy it. */
  generateImportPair(bits: ImportPairBits): Promise<ImportPair> {
    return this.#core.generateImportPair(bits);
  }

  /** SPKI DER of the import pair in the blob. KEY_ROW_INVALID when the blob does not open although the unit is well. */
  importPairPublicKey(mkWrapId: Buffer, blob: Buffer): Buffer {
    return this.#core.importPairPublicKey(mkWrapId, blob);
  }

  /**
   * The key that a client encrypted to the import pair in the blob, wrapped under mk-wrap. Whatever is wrong with what the
   * client sent, there is an answer, after the same work, with a random key in it and `valid` false. KEY_ROW_INVALID as
   * above.
   */
  importWithPair(mkWrapId: Buffer, pairBlob: Buffer, sealed: SealedKey): Promise<Imported> {
    return this.#core.importWithPair(mkWrapId, pairBlob, sealed);
  }

  /**
   * AES-256-GCM with the root key in the blob: iv (12) ‖ ciphertext ‖ tag (16). Plaintext and AAD must not be empty:
   * BAD_REQUEST. KEY_ROW_INVALID when the blob does not open under mk-wrap although the unit is well.
   */
  encrypt(mkWrapId: Buffer, blob: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
    return this.#core.encrypt(mkWrapId, blob, plaintext, aad);
  }

  /** Opens what `encrypt` gave. CIPHERTEXT_INVALID for another one, or AAD, once the unit was proved well; KEY_ROW_INVALID as above. */
  decrypt(mkWrapId: Buffer, blob: Buffer, sealed: Buffer, aad: Buffer): Buffer {
    return this.#core.decrypt(mkWrapId, blob, sealed, aad);
  }

  /** Keys whose material clients bring. */
  get external(): ExternalKeys {
    return this.#core.external;
  }

  /** A fresh proof that the unit works; with an mk-wrap, end to end. Throws TOKEN_LOST or UNIT_FAULT. */
  canary(mkWrapId: Buffer | null): void {
    this.#core.canary(mkWrapId);
  }
}
