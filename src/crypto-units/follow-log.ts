import { KeysteadError } from '../shared/errors.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { AuditMark } from '../unit-agent/protocol.js';

/** Lines; a signature, and what it costs the unit's disk, is a millisecond or two. */
const SIGNED_EVERY = 50_000;

/**
 * Has the unit go over lines of the audit log, `from` to `to`, after which more will come. Some it signs all the same, so
 * that it need not begin anew if its agent ends; an agent of an earlier version signs all.
 */
export async function follow(
  unit: CryptoClient,
  from: AuditMark,
  lines: readonly Buffer[],
  to: AuditMark,
): Promise<void> {
  const isDue = Math.floor(to.size / SIGNED_EVERY) > Math.floor(from.size / SIGNED_EVERY);
  if (isDue || !(await goesOver(unit, from, lines))) await unit.signCheckpoint(from, lines);
}

/** False when the agent knows no such request. */
async function goesOver(unit: CryptoClient, from: AuditMark, lines: readonly Buffer[]): Promise<boolean> {
  try {
    await unit.followLog(from, lines);
    return true;
  } catch (cause) {
    if (cause instanceof KeysteadError && cause.code === 'BAD_REQUEST') return false;
    throw cause;
  }
}
