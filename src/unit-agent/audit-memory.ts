import { KeysteadError } from '../shared/errors.js';
import { type Checkpoint, readCheckpoint } from './checkpoint.js';
import type { AuditMark } from './protocol.js';
import type { UnitDir } from './unit-dir.js';
import type { UnitRecord } from './unit-record.js';

/** Beside the token and not on it: it is written every minute, and tokens wear out or count their objects. */
const FILE = 'audit-checkpoint';

type Claim = Pick<UnitRecord, 'unit' | 'instance' | 'epoch' | 'receiptKey'>;

/**
 * The last checkpoint that the unit signed since its claim; undefined when there is none, or only one of an earlier
 * claim. Throws AUDIT_TAMPERED when the file is not what this unit signed.
 */
export function remembered(dir: UnitDir, claim: Claim): Checkpoint | undefined {
  const text = dir.read(FILE)?.toString('utf8');
  if (text === undefined) return undefined;
  const [epoch = '', document = ''] = text.trimEnd().split(' ');
  if (epoch !== claim.epoch) return undefined;
  const checkpoint = readCheckpoint(document, Buffer.from(claim.receiptKey.spki, 'base64'));
  const mine =
    checkpoint.unit === claim.unit && checkpoint.instance === claim.instance && checkpoint.epoch === claim.epoch;
  if (mine) return checkpoint;
  throw new KeysteadError('AUDIT_TAMPERED', `${dir.at(FILE)} is not of this unit`);
}

/** The same as a fact: also that it cannot be read. */
export function rememberedMark(dir: UnitDir, claim: Claim): AuditMark | 'unreadable' | null {
  try {
    const checkpoint = remembered(dir, claim);
    return checkpoint === undefined ? null : { size: checkpoint.size, root: checkpoint.root };
  } catch (cause) {
    if (cause instanceof KeysteadError && cause.code === 'AUDIT_TAMPERED') return 'unreadable';
    throw cause;
  }
}

/** Durable when it returns. */
export function remember(dir: UnitDir, { epoch }: Claim, document: string): void {
  dir.write(FILE, `${epoch} ${document}\n`);
}
