import { randomBytes } from 'node:crypto';
import type { CommandArgs } from '../admins/command-args.js';
import type { Importer } from '../pkcs11/unit-token.js';
import { KeysteadError, needs } from '../shared/errors.js';
import type { CryptoUnit } from './crypto-unit.js';
import { masterKeyMatches } from './master-key-proof.js';
import type { Change, OpContext } from './op.js';

type Args = CommandArgs['mk.import'];

/**
 * Unwraps the master key inside the token. It counts only if MKVP and check answer, computed with what was unwrapped, are
 * the signed ones; if not, its objects are named by no record and are swept. A master key is never overwritten: the same
 * one again changes nothing, another is MASTER_KEY_MISMATCH.
 */
export function importMasterKey({ unit, token, record }: OpContext, args: Args): Change {
  if (record.mk) {
    const same = record.mk.mkId === args.mkId && record.mk.mkvp === args.mkvp;
    needs(same, 'MASTER_KEY_MISMATCH', `the unit has another master key, ${record.mk.name}; zeroize it first`);
    unit.pendingImporter?.importer.destroy();
    unit.pendingImporter = undefined;
    return { record: {} };
  }
  const blobs = args.units[record.unit];
  needs(blobs, 'COMMAND_TARGET', `the command holds no key encrypted to unit ${record.unit}; run the import again`);
  const importer = takeImporter(unit, blobs);
  const wrapId = randomBytes(16);
  const macId = randomBytes(16);
  const { check, units, ...description } = args;
  const mk = {
    ...description,
    checkBlob: check.blob,
    checkAnswer: check.answer,
    wrapId: wrapId.toString('hex'),
    macId: macId.toString('hex'),
    importedAt: new Date().toISOString(),
  };
  try {
    token.importMasterKey(importer, 'mk-wrap', wrapId, Buffer.from(blobs.wrap, 'base64'));
    token.importMasterKey(importer, 'mk-mac', macId, Buffer.from(blobs.mac, 'base64'));
  } finally {
    importer.destroy();
  }
  const matches = masterKeyMatches(token, record.instance, mk);
  needs(
    matches,
    'MASTER_KEY_MISMATCH',
    'the imported key does not answer as the signed check values say; nothing was kept',
  );
  return {
    record: { mk },
    committed: () => {
      unit.masterKeyProved = true;
    },
  };
}

/** The pair that the blobs were encrypted to; from here on it is used up. IMPORTER_INVALID leaves a waiting one as it is. */
function takeImporter(unit: CryptoUnit, { importer, oaep }: Args['units'][string]): Importer {
  const pending = unit.pendingImporter;
  const refuse = (why: string) =>
    new KeysteadError('IMPORTER_INVALID', `${why}; run 'kp crypto-unit mk import' again, which makes a new one`);
  if (!pending) throw refuse('no importer waits in the unit: it was used, or the unit was restarted');
  if (pending.digest !== importer) throw refuse('the command was made for another importer of this unit');
  if (pending.importer.oaepHash !== oaep) throw refuse(`the importer takes OAEP with ${pending.importer.oaepHash}`);
  unit.pendingImporter = undefined;
  if (pending.expiresAt.getTime() > Date.now()) return pending.importer;
  pending.importer.destroy();
  throw refuse('the importer has expired');
}
