import { createPublicKey, randomBytes } from 'node:crypto';
import type { CommandArgs } from '../admins/command-args.js';
import { type AdminKey, assertUsableRsa, readAdminKey, spkiOf } from '../admins/public-key.js';
import { assertThreshold } from '../admins/quorum.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { ADMIN_CERTIFICATE_LABEL } from './journal.js';
import type { Change, OpContext } from './op.js';
import type { RecordAdmin, UnitRecord } from './unit-record.js';

/** Enrols an administrator, or the KMS user. An SPKI is enrolled once, and so is a name. USER_EXISTS. */
export function addUser({ token, record }: OpContext, args: CommandArgs['user.add']): Change {
  if (args.type === 'kmsCryptoUser') {
    const spki = kmsUserKey(args.publicKey).toString('base64');
    needs(
      record.kmsUser === null,
      'USER_EXISTS',
      `the unit has the kmsCryptoUser '${record.kmsUser?.name}'; remove it first: 'kp crypto-unit user remove'`,
    );
    assertNew(record, args.name, spki);
    return { record: { kmsUser: { name: args.name, spki } } };
  }
  const admin = readAdminKey(args.certificate);
  const spki = admin.spki.toString('base64');
  assertNew(record, args.name, spki);
  let certificate: string | null = null;
  if (admin.certificate) {
    const id = randomBytes(16);
    token.createCertificate(ADMIN_CERTIFICATE_LABEL, id, admin.certificate);
    certificate = id.toString('hex');
  }
  return { record: { admins: [...record.admins, enrolled(args.name, admin, certificate)] } };
}

/** Removes an administrator, never the last nor one too many for the quorum, or the KMS user, whose connections end. */
export function removeUser({ unit, record }: OpContext, { name }: CommandArgs['user.remove']): Change {
  if (record.kmsUser?.name === name) {
    return { record: { kmsUser: null }, committed: () => unit.closeCryptoConnections() };
  }
  const admins = record.admins.filter((admin) => admin.name !== name);
  needs(
    admins.length < record.admins.length,
    'USER_NOT_FOUND',
    `the unit has no user '${name}'; 'kp crypto-unit users' lists them`,
  );
  needs(
    admins.length >= Math.max(1, record.threshold),
    'LAST_ADMIN',
    admins.length === 0
      ? `'${name}' is the last administrator; add another first, or zeroize the unit`
      : `${record.threshold} administrators must sign, so '${name}' cannot go; add another first, or lower the threshold`,
  );
  return { record: { admins } };
}

/** How many administrators must sign from now on; that the larger of both numbers signed this was verified before. */
export function setThreshold({ record }: OpContext, { threshold }: CommandArgs['threshold.set']): Change {
  assertThreshold(threshold, record);
  return { record: { threshold } };
}

/** An administrator as the record has it; `certificate` is the CKA_ID of its object, hex. */
export function enrolled(name: string, { spki, notAfter }: AdminKey, certificate: string | null): RecordAdmin {
  const key = { name, spki: spki.toString('base64'), certificate };
  return notAfter ? { ...key, notAfter: notAfter.toISOString() } : key;
}

function assertNew({ admins, kmsUser }: UnitRecord, name: string, spki: string): void {
  for (const known of kmsUser ? [...admins, kmsUser] : admins) {
    needs(known.spki !== spki, 'USER_EXISTS', `this key is enrolled already, as '${known.name}'; give another key`);
    needs(known.name !== name, 'USER_EXISTS', `there is a user '${name}' already; choose another name`);
  }
}

/** SPKI DER of a PEM public key, SPKI or PKCS#1: RSA of 2048 bits at least. BAD_REQUEST. */
function kmsUserKey(pem: string): Buffer {
  let key: ReturnType<typeof createPublicKey>;
  try {
    if (!/^-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem.trim())) throw new Error('not a PUBLIC KEY block');
    key = createPublicKey(pem);
  } catch (cause) {
    throw new KeysteadError('BAD_REQUEST', "the kmsCryptoUser's key must be one PEM block: a PUBLIC KEY", { cause });
  }
  assertUsableRsa(key, 'BAD_REQUEST', "the kmsCryptoUser's key");
  return spkiOf(key);
}
