import type { Capabilities } from '../pkcs11/capabilities.js';
import type { ErrorCode } from '../shared/errors.js';

/**
 * What the server and the agent of a crypto unit say to each other over the unit's Unix socket.
 * A frame is: length (4 bytes big-endian, of all that follows) ‖ request id (4 bytes) ‖ code (1 byte) ‖ body.
 * In a request the code is an opcode; in an answer it is ANSWER_OK or ANSWER_REFUSED (body: JSON Refusal).
 * Bodies of the admin set are JSON; bodies of the crypto set are length-prefixed fields (shared/bytes.ts).
 */
export const OPCODES = {
  // admin set: relayed for administrators; what changes the unit is signed (or a claim)
  probe: 1,
  facts: 2,
  capabilities: 3,
  claim: 4,
  command: 5,
  // opens the crypto set: the KMS user proves itself on this connection
  challenge: 16,
  prove: 17,
  // crypto set: for the enrolled kmsCryptoUser only
  random: 32,
  generateRootKey: 33,
  encrypt: 34,
  decrypt: 35,
  importRootKey: 36,
  changeRows: 37,
  checkRows: 38,
  generateImportPair: 39,
  importPairPublicKey: 40,
  importWithPair: 41,
  newExternalRow: 42,
  importMaterial: 43,
  dropMaterial: 44,
  reencrypt: 45,
  sign: 46,
  verify: 47,
  publicKey: 48,
  // the audit log, for the enrolled kmsCryptoUser too
  signCheckpoint: 56,
  followLog: 57,
} as const;
export type Opcode = keyof typeof OPCODES;

/** The name of the administrator whom a claim installs. */
export const FIRST_ADMIN = 'ADMIN';

export const ANSWER_OK = 0;
export const ANSWER_REFUSED = 1;
export const MAX_FRAME_BYTES = 1 << 20;

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface AdminFacts {
  readonly name: string;
  /** SHA-256 of the SPKI, hex. An admin is its SPKI. */
  readonly kid: string;
}

export interface EnrolledAdmin extends AdminFacts {
  /** When the certificate that the key came in ends; null for a bare key. */
  readonly notAfter?: string | null;
}

export interface MasterKeyFacts {
  /** 16 bytes hex; random, constant for the life of the master key. */
  readonly mkId: string;
  /** 16 bytes hex; names the split whose shares were imported. */
  readonly setId: string;
  readonly name: string;
  readonly algorithm: 'AES-256';
  readonly t: number;
  readonly n: number;
  /** 16 bytes hex (shared/check-value.ts). */
  readonly mkvp: string;
  readonly createdAt: string;
  readonly importedAt: string;
}

/** What the unit record on the token says; everything an administrator may know. */
export interface RecordFacts {
  readonly instance: string;
  /** 16 bytes hex, made at claim. */
  readonly epoch: string;
  readonly counter: number;
  readonly threshold: number;
  readonly admins: readonly EnrolledAdmin[];
  readonly kmsUser: AdminFacts | null;
  readonly masterKey: MasterKeyFacts | null;
}

/** Everything the agent reads off its token, by execution and not from memory. */
export interface UnitFacts {
  readonly unit: string;
  readonly at: string;
  readonly token: {
    readonly present: boolean;
    readonly serial: string | null;
    readonly label: string | null;
    readonly model: string | null;
    readonly manufacturer: string | null;
    readonly firmware: string | null;
    /** Why the token cannot be used, when it cannot. */
    readonly problem: Refusal | null;
  };
  readonly record: RecordFacts | null;
  /** This agent once finished a claim and the record is not there any more. */
  readonly recordLost: boolean;
  readonly receiptKey: { readonly spki: string; readonly fingerprint: string } | null;
  /** Objects on the token, every class. */
  readonly objects: number;
  /** Both proofs of the master key, MKVP and check blob, computed now in the token; null without a master key. */
  readonly masterKeyMatches: boolean | null;
  /** The last checkpoint of the audit log that this unit signed since its claim; null when there is none. */
  readonly audit: AuditMark | 'unreadable' | null;
  /** The receipt of the last zeroization that this unit went through, so that the server may believe a new serial. */
  readonly zeroized: { readonly epoch: string; readonly serial: string; readonly receipt: string } | null;
}

/** A place in the audit log. */
export interface AuditMark {
  /** So many lines. */
  readonly size: number;
  /** Hash of the last of them, 32 bytes hex. */
  readonly root: string;
}

export function isSameMark(one: AuditMark, other: AuditMark): boolean {
  return one.size === other.size && one.root === other.root;
}

/** The background probe: token info, find, MKVP and a canary, never an encrypt with a cached handle. */
export interface UnitProbe {
  readonly facts: UnitFacts;
  readonly milliseconds: number;
  /** Whether the canary in the token held, with the master key where there is one; an agent of an earlier version does not say. */
  readonly canary?: boolean;
  /** Null without an open token; an agent of an earlier version does not say. */
  readonly sessions?: TokenSessions | null;
}

/** Sessions of a token besides the guard session: open, lent across an await, and as many as there may be. */
export interface TokenSessions {
  readonly open: number;
  readonly leased: number;
  readonly most: number;
}

export type { SealedKey, SealedMaterial, WrappingAlgorithm } from '../pkcs11/sealed-key.js';
export type { SigningAlgorithm } from '../pkcs11/signing-algorithms.js';
export type { Capabilities };

export interface FactsRequest {
  /** base64url, 16 to 64 bytes; with it the answer is also signed by the receipt key, when there is one. */
  readonly nonce?: string;
  /** Also what the token can do, which is tried out once for each start of the agent and takes a second. */
  readonly capabilities?: boolean;
}
/** What the receipt of facts holds: the record and, beside it, the token that it is on. */
export interface SignedFacts extends RecordFacts {
  readonly token: Pick<UnitFacts['token'], 'model' | 'manufacturer' | 'firmware'>;
  /** Null when it was not asked for. */
  readonly capabilities: Capabilities | null;
}
export interface FactsAnswer {
  readonly facts: UnitFacts;
  readonly receipt: string | null;
}

export interface ClaimRequest {
  readonly plan: string;
  readonly instance: string;
  /** PEM: a self-signed certificate, or IBM's bare RSA PUBLIC KEY. */
  readonly certificate: string;
}
export interface CommandRequest {
  /** The JWS General JSON text, byte for byte as the administrator's kp made it. */
  readonly document: string;
}
/** Claim and command: the receipt (JWS compact, ES256) says whether the op was done or refused. */
export interface ReceiptAnswer {
  readonly receipt: string;
}

/** The fields of a key row that its MAC covers besides the blob (src/unit-agent/key-row.ts). */
export interface KeyRowFields {
  readonly instance: string;
  readonly key: string;
  readonly version: string;
  readonly algorithm: string;
  readonly state: string;
  readonly policy: string;
  /** Where the audit log ended, plus one, when the row was last changed; absent in rows that never change, and in old ones. */
  readonly auditSeq?: string | undefined;
}

/** A key row as it is stored: what the MAC (32 bytes) covers, the wrapped key, and the MAC. */
export interface StoredRow {
  readonly row: KeyRowFields;
  readonly blob: Buffer;
  readonly mac: Buffer;
}

/**
 * What may change in a row: its state, along the table in key-row.ts, its policy, and its number, which only grows. The same
 * state is no change.
 */
export type NextRow = Pick<KeyRowFields, 'state' | 'policy' | 'auditSeq'>;

export interface RowChange extends StoredRow {
  readonly next: NextRow;
}

/** A wrapped key and the MAC of its row. */
export interface WrappedKey {
  /** Bytes of the key + 8 (RFC 3394), or a wrapped private key (RFC 5649). */
  readonly blob: Buffer;
  /** 32 bytes. */
  readonly mac: Buffer;
}

/** Key material that a client brought, as its external key stores it. */
export interface StoredMaterial extends WrappedKey {
  /** 32 bytes, the same for the same material of the same key and for no other. */
  readonly binding: Buffer;
  /** SPKI DER; null for an AES key. */
  readonly publicKey: Buffer | null;
}
