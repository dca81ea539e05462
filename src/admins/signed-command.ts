import { constants, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { parseStrictJson } from '../shared/strict-json.js';
import { SIGNED_OPS, type SignedOp } from '../shared/unit-state.js';
import { hexOf, inShape, Line, MAX_SIGNERS, Moment, readArgs } from './command-args.js';
import { fingerprintOf } from './public-key.js';
import { COSIGNED_LIFETIME_MS } from './quorum.js';

/**
 * A signed administrator command: JWS General JSON (RFC 7515 section 7.2.1) with one PS256 signature (RFC 7518
 * section 3.5, salt of 32 bytes) per administrator. What is accepted is fixed here, not by a JOSE library:
 *  1. everything about a signature is in its protected header, which is exactly {alg, kid, typ};
 *  2. signatures are checked over the received text; the payload is parsed only as strict JSON of one shape;
 *  3. every signature must verify and be of an administrator: a document with one bad signature is refused whole;
 *  4. signers count once by public key, whatever names they have.
 */
export interface CommandPayload {
  readonly v: 1;
  readonly op: SignedOp;
  readonly instance: string;
  /** Names the intent: the same plan with the same payload may be sent again, and is answered from the record. */
  readonly plan: string;
  readonly units: readonly CommandUnit[];
  readonly args: Readonly<Record<string, unknown>>;
  readonly issuedAt: string;
  readonly expiresAt: string;
}
export interface CommandUnit {
  readonly id: string;
  readonly serial: string;
  readonly epoch: string;
  readonly counter: number;
}
export interface CommandSignature {
  readonly kid: string;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}
export interface ParsedCommand {
  readonly payload: CommandPayload;
  /** SHA-256 of the payload bytes, hex. */
  readonly digest: string;
  readonly signatures: readonly CommandSignature[];
}
export interface Signer {
  readonly name: string;
  readonly kid: string;
  readonly spki: Buffer;
}

export const COMMAND_TYP = 'keystead-command+jws';
export const CLOCK_SKEW_MS = 60_000;
const PS256 = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } as const;

const Header = z.strictObject({ alg: z.literal('PS256'), kid: hexOf(32), typ: z.literal(COMMAND_TYP) });

/** The members of a document, with the signatures that there are so far. */
export const DOCUMENT_MEMBERS = {
  payload: z.string(),
  signatures: z.array(z.strictObject({ protected: z.string(), signature: z.string() })).max(MAX_SIGNERS),
} as const;
const Document = z.strictObject(DOCUMENT_MEMBERS);
export type CommandDocument = Readonly<z.infer<typeof Document>>;

const Payload = z
  .strictObject({
    v: z.literal(1),
    op: z.enum(SIGNED_OPS),
    instance: Line,
    plan: z
      .string()
      .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'is not a lower-case UUID'),
    units: z
      .array(
        z.strictObject({
          id: Line,
          serial: Line,
          epoch: hexOf(16),
          counter: z.int().min(1),
        }),
      )
      .min(1)
      .max(64)
      .refine((units) => new Set(units.map((unit) => unit.id)).size === units.length, 'names a unit twice'),
    args: z.record(z.string(), z.unknown()),
    issuedAt: Moment,
    expiresAt: Moment,
  })
  .refine(({ issuedAt, expiresAt }) => {
    const lifetime = Date.parse(expiresAt) - Date.parse(issuedAt);
    return lifetime > 0 && lifetime <= COSIGNED_LIFETIME_MS;
  }, 'expiresAt must be after issuedAt, by 24 hours at most');

/**
 * The document, signed by each of the private RSA keys. Throws COMMAND_MALFORMED when an agent would find the payload
 * malformed or when a key is given twice.
 */
export function signCommand(payload: CommandPayload, signers: readonly KeyObject[]): string {
  const body = encodePayload(payload);
  const document = JSON.stringify({ payload: body, signatures: signers.map((key) => signatureOver(body, key)) });
  parseCommand(document);
  return document;
}

/** The payload as it stands in a document: base64url of its JSON. */
export function encodePayload(payload: CommandPayload): string {
  return Buffer.from(JSON.stringify(payload)).toString('base64url');
}

/** One administrator's signature over an encoded payload, as it stands in a document. */
export function signatureOver(body: string, key: KeyObject): CommandDocument['signatures'][number] {
  const header = JSON.stringify({ alg: 'PS256', kid: fingerprintOf(key), typ: COMMAND_TYP });
  const protectedHeader = Buffer.from(header).toString('base64url');
  const signature = sign('sha256', Buffer.from(`${protectedHeader}.${body}`), { key, ...PS256 });
  return { protected: protectedHeader, signature: signature.toString('base64url') };
}

/** The parts of a document whose form is right; no signature has been checked. Throws COMMAND_MALFORMED. */
export function parseCommand(text: string): ParsedCommand {
  const document = shaped(Document, text, 'the command');
  needs(
    document.signatures.length > 0,
    'COMMAND_MALFORMED',
    'the command has no signature; an administrator must sign it',
  );
  return parseDocument(document);
}

/** The same for a document that may still lack signatures, even all. Throws COMMAND_MALFORMED. */
export function parseDocument(document: CommandDocument): ParsedCommand {
  const bytes = fromBase64url(document.payload, 'the payload');
  const payload = shaped(Payload, bytes, 'the payload');
  readArgs(payload.op, payload.args);
  const signatures = document.signatures.map((one) => {
    const header = shaped(Header, fromBase64url(one.protected, 'a protected header'), 'a protected header');
    const signingInput = Buffer.from(`${one.protected}.${document.payload}`);
    return { kid: header.kid, signingInput, signature: fromBase64url(one.signature, 'a signature') };
  });
  const distinct = new Set(signatures.map((one) => one.kid)).size === signatures.length;
  needs(distinct, 'COMMAND_MALFORMED', 'the command has two signatures of one key; each administrator signs once');
  return { payload, digest: sha256(bytes).toString('hex'), signatures };
}

/**
 * The names of the administrators who signed. Throws SIGNATURE_INVALID when any signature fails or is of nobody in
 * `admins`, QUORUM_NOT_MET when fewer than `threshold` (1 at least) distinct public keys signed.
 */
export function verifySigners(command: ParsedCommand, admins: readonly Signer[], threshold: number): string[] {
  const enrolled = new Map(admins.map((admin) => [sha256(admin.spki).toString('hex'), admin]));
  const names = command.signatures.map((one) => {
    const admin = enrolled.get(one.kid);
    needs(
      admin,
      'SIGNATURE_INVALID',
      `the key ${one.kid} is not of an administrator of this unit; 'kp crypto-unit users' lists them`,
    );
    needs(
      verifies(admin.spki, one),
      'SIGNATURE_INVALID',
      `the signature of ${admin.name} does not verify; sign the command again`,
    );
    return admin.name;
  });
  const signers = new Set(command.signatures.map((one) => one.kid)).size;
  const needed = Math.max(1, threshold);
  needs(
    signers >= needed,
    'QUORUM_NOT_MET',
    `${signers} administrator(s) signed and ${needed} are needed; add the missing ones to --auth`,
  );
  return names;
}

/** Throws COMMAND_EXPIRED, naming both times, unless now lies between issue and expiry, give or take 60 seconds. */
export function assertFresh(payload: Pick<CommandPayload, 'issuedAt' | 'expiresAt'>, now: Date): void {
  const from = Date.parse(payload.issuedAt) - CLOCK_SKEW_MS;
  const until = Date.parse(payload.expiresAt) + CLOCK_SKEW_MS;
  const fresh = now.getTime() >= from && now.getTime() <= until;
  needs(
    fresh,
    'COMMAND_EXPIRED',
    `the command is good from ${payload.issuedAt} to ${payload.expiresAt} and the unit's clock says ${now.toISOString()}; sign it again, or set the clocks`,
  );
}

/** Whether the signature is by the RSA key of this SPKI (DER). */
export function verifies(spki: Buffer, { signingInput, signature }: CommandSignature): boolean {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return key.asymmetricKeyType === 'rsa' && verify('sha256', signingInput, { key, ...PS256 }, signature);
}

function shaped<Shape extends z.ZodType>(shape: Shape, text: string | Buffer, what: string): z.infer<Shape> {
  return inShape(shape, parseStrictJson(text, what, 'COMMAND_MALFORMED'), what, 'COMMAND_MALFORMED');
}

function fromBase64url(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length > 0 && bytes.toString('base64url') === text) return bytes;
  throw new KeysteadError('COMMAND_MALFORMED', `${what} is not base64url without padding (RFC 4648 section 5)`);
}
