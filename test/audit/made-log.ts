import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { sealReceipt } from '../../src/admins/receipt.js';
import { GENESIS, hashOf } from '../../src/audit/audit-chain.js';
import type { AuditRecord } from '../../src/audit/audit-record.js';
import { FORMAT, textOf } from '../../src/audit/export-format.js';
import { sha256 } from '../../src/shared/bytes.js';
import { checkpointSigningInput } from '../../src/unit-agent/checkpoint.js';

/** A unit of a log that a spec makes itself: its receipt key is in software, the rest is what the units do. */
export class MadeUnit {
  readonly id = randomUUID();
  readonly instance = randomUUID();
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  get spki(): Buffer {
    return this.#pair.publicKey.export({ type: 'spki', format: 'der' });
  }

  get fingerprint(): string {
    return sha256(this.spki).toString('hex');
  }

  checkpoint(size: number, root: Buffer): string {
    const { instance, id: unit } = this;
    const statement = { v: 1, size, root: root.toString('hex'), at: AT.toISOString(), instance, unit } as const;
    const input = checkpointSigningInput({ ...statement, epoch: 'ab'.repeat(16) }, this.fingerprint);
    return sealReceipt(input, signed(input, this.#pair.privateKey));
  }

  /** The line of an export that holds the checkpoint. */
  line(size: number, root: Buffer): string {
    const receiptKey = this.spki.toString('base64');
    return JSON.stringify({
      type: 'checkpoint',
      unitId: this.id,
      receiptKey,
      document: this.checkpoint(size, root),
    });
  }
}

const AT = new Date('2031-01-02T03:04:05.678Z');
const signed = (input: Buffer, key: KeyObject) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });

type Fields = Omit<AuditRecord, 'seq' | 'hash'>;
const ACTS = ['kms.secrets.wrap', 'kms.secrets.unwrap', 'kms.secrets.create', 'crypto-unit.mk.import'];

/** What line `seq` says. */
export function fieldsOf(seq: number): Fields {
  const failed = seq % 17 === 0;
  return {
    at: new Date(AT.getTime() + seq * 7),
    act: ACTS[seq % ACTS.length] ?? '',
    outcome: failed ? 'failure' : 'success',
    by: `service-${seq % 5}`,
    instanceId: seq % 3 === 0 ? null : '6e0aead3-9d44-4c92-a4c4-f7a1ab415420',
    unitId: seq % 4 === 0 ? null : '0b7e4d3a-26c5-4f5e-8f0a-6d0f1f2d9a11',
    target: `key-${seq % 11}`,
    detail: failed ? '{"refused":"KEY_STATE"}' : `{"keyVersionId":"${seq}"}`,
    correlationId: seq % 5 === 0 ? null : `request-${seq}`,
    requestPath: seq % 5 === 0 ? null : 'POST /api/v2/keys/:id/actions/wrap',
  };
}

/** Records in the order given, numbered and chained anew: what somebody writes who knows how the log is made. `same` are those that it begins with. */
export function chained(fields: readonly Fields[], same: readonly AuditRecord[] = []): AuditRecord[] {
  let previous = same.at(-1)?.hash ?? GENESIS;
  const rest = fields.slice(same.length).map((line, at) => {
    const record = { ...line, seq: String(same.length + at + 1), hash: previous };
    previous = hashOf(record, previous);
    return { ...record, hash: previous };
  });
  return [...same, ...rest];
}

/** The lines of an export of the records; the checkpoint is of those that were `honest`. `same` are the texts of the first. */
export function exported(
  records: readonly AuditRecord[],
  unit: MadeUnit,
  honest = records,
  same: readonly string[] = [],
): string[] {
  const place = (of: readonly AuditRecord[]) => ({ size: of.length, root: of.at(-1)?.hash ?? GENESIS });
  const [mine, theirs] = [place(records), place(honest)];
  const after = { size: 0, root: GENESIS.toString('hex') };
  return [
    JSON.stringify({ type: 'header', format: FORMAT, after }),
    unit.line(theirs.size, theirs.root),
    ...same,
    ...records.slice(same.length).map(textOf),
    JSON.stringify({ type: 'end', checkpoints: 1, size: mine.size, root: mine.root.toString('hex') }),
  ];
}
