import { z } from 'zod';
import { equalBytes, lengthPrefixed, sha256 } from '../shared/bytes.js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import { SIGNED_OPS } from '../shared/unit-state.js';
import { readFields } from './fields.js';
import type { RecordFacts } from './protocol.js';

const LABEL = 'keystead/unit-record/v1';
const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const Base64 = z.base64().min(4);
const Name = z.string().min(1).max(255);

const Admin = z.strictObject({
  name: Name,
  spki: Base64,
  certificate: hex(16).nullable(),
  /** When the certificate ends; not there for a bare key. It is shown and warned of, and stops nobody. */
  notAfter: z.iso.datetime().optional(),
});
const KmsUser = z.strictObject({ name: Name, spki: Base64 });
const MasterKey = z.strictObject({
  mkId: hex(16),
  setId: hex(16),
  name: z.string(),
  algorithm: z.literal('AES-256'),
  t: z.int(),
  n: z.int(),
  mkvp: hex(16),
  createdAt: z.string(),
  importedAt: z.string(),
  checkBlob: Base64,
  checkAnswer: hex(32),
  wrapId: hex(16),
  macId: hex(16),
});
const Plan = z.strictObject({
  plan: z.uuid(),
  digest: hex(32),
  op: z.enum([...SIGNED_OPS, 'claim']),
  counter: z.int().min(0),
  /** Null: an intent. The act was begun, and what the record says besides is what it was before. */
  receipt: z.string().nullable(),
});
const UnitRecord = z.strictObject({
  v: z.literal(1),
  seq: z.int().min(1),
  unit: z.uuid(),
  serial: z.string().min(1),
  instance: z.uuid(),
  epoch: hex(16),
  counter: z.int().min(0),
  threshold: z.int().min(1),
  admins: z.array(Admin).min(1),
  kmsUser: KmsUser.nullable(),
  mk: MasterKey.nullable(),
  receiptKey: z.strictObject({ id: hex(16), spki: Base64 }),
  unitMac: hex(16),
  plans: z.array(Plan).max(8),
});

/**
 * The commit point of everything on a token. Only what the newest valid record lists exists. Ids are CKA_IDs, hex;
 * SPKIs are DER, base64. `seq` counts the records of an epoch.
 */
export type UnitRecord = Readonly<z.infer<typeof UnitRecord>>;
export type RecordPlan = Readonly<z.infer<typeof Plan>>;
export type RecordAdmin = Readonly<z.infer<typeof Admin>>;
export type MasterKeyRecord = Readonly<z.infer<typeof MasterKey>>;

export const PLANS_KEPT = 8;

/** The record as it is stored: label, JSON, HMAC-SHA-256 by the unit-mac that the record names. */
export function encodeRecord(record: UnitRecord, hmac: (unitMac: Buffer, data: Buffer) => Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(UnitRecord.parse(record)));
  return lengthPrefixed([LABEL, json, hmac(Buffer.from(record.unitMac, 'hex'), lengthPrefixed([LABEL, json]))]);
}

/** A whole record whose HMAC is not checked yet. */
export interface ReadRecord {
  readonly record: UnitRecord;
  /** Whether the HMAC is the one the token computes; only then may the record be used. */
  verifies(hmac: (unitMac: Buffer, data: Buffer) => Buffer): boolean;
}

/** Strict: one byte string per record. Throws UNIT_FAULT when the bytes are not a whole record. */
export function readRecord(bytes: Buffer): ReadRecord {
  try {
    const [label, json, mac] = readFields(bytes, 3) as [Buffer, Buffer, Buffer];
    needs(label.equals(Buffer.from(LABEL)), 'UNIT_FAULT', `the label is not ${LABEL}`);
    const record = UnitRecord.parse(JSON.parse(json.toString('utf8')));
    needs(json.equals(Buffer.from(JSON.stringify(record))), 'UNIT_FAULT', 'its JSON is not in the one form we write');
    return {
      record,
      verifies: (hmac) => equalBytes(mac, hmac(Buffer.from(record.unitMac, 'hex'), lengthPrefixed([LABEL, json]))),
    };
  } catch (cause) {
    throw new KeysteadError('UNIT_FAULT', `not a whole unit record: ${messageOf(cause)}`, { cause });
  }
}

/** The CKA_IDs (hex) of the keys and certificates that the record names; its own data object is not among them. */
export function namedObjects(record: UnitRecord): string[] {
  return [
    record.unitMac,
    record.receiptKey.id,
    ...record.admins.flatMap((admin) => admin.certificate ?? []),
    ...(record.mk ? [record.mk.wrapId, record.mk.macId] : []),
  ];
}

/** SHA-256 of an SPKI (base64 DER), hex: how an admin or a user is named in signatures. */
export function kidOf(spki: string): string {
  return sha256(Buffer.from(spki, 'base64')).toString('hex');
}

/** What an administrator may know of the record. */
export function recordFacts(record: UnitRecord): RecordFacts {
  const { instance, epoch, counter, threshold, admins, kmsUser, mk } = record;
  const person = ({ name, spki }: { name: string; spki: string }) => ({ name, kid: kidOf(spki) });
  let masterKey: RecordFacts['masterKey'] = null;
  if (mk) {
    const { checkBlob, checkAnswer, wrapId, macId, ...known } = mk;
    masterKey = known;
  }
  return {
    instance,
    epoch,
    counter,
    threshold,
    admins: admins.map((admin) => ({ ...person(admin), notAfter: admin.notAfter ?? null })),
    kmsUser: kmsUser ? person(kmsUser) : null,
    masterKey,
  };
}
