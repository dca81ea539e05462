import type { CommandArgs } from '../admins/command-args.js';
import { lifetimeFor } from '../admins/quorum.js';
import { sha256 } from '../shared/bytes.js';
import type { Change, OpContext } from './op.js';

/** Random bytes of the token, for a master key that is made elsewhere. */
export function randomForMasterKey({ token }: OpContext, { bytes }: CommandArgs['mk.random']): Change {
  return { record: {}, facts: { random: token.random(bytes).toString('base64') } };
}

/**
 * Makes the one-time pair that a master key is encrypted to: a session object, good for one import within the time that a
 * command may live on this unit, and gone when the token is closed. A new one replaces one that still waits.
 */
export async function makeImporter({ unit, token, record }: OpContext): Promise<Change> {
  const importer = await token.generateImporter();
  unit.pendingImporter?.importer.destroy();
  const { publicKey, oaepHash } = importer;
  const expiresAt = new Date(Date.now() + lifetimeFor(record.threshold));
  unit.pendingImporter = { importer, expiresAt, digest: sha256(publicKey).toString('hex') };
  return {
    record: {},
    facts: { publicKey: publicKey.toString('base64'), oaep: oaepHash, expiresAt: expiresAt.toISOString() },
  };
}
