import { randomBytes } from 'node:crypto';
import type { ParsedCommand } from '../admins/signed-command.js';
import { dropTokens } from '../pkcs11/softhsm-store.js';
import type { TokenObject } from '../pkcs11/unit-token.js';
import { needs } from '../shared/errors.js';
import type { CryptoUnit } from './crypto-unit.js';
import { isOurs } from './journal.js';
import { signReceipt } from './receipts.js';
import type { UnitRecord } from './unit-record.js';
import {
  beginZeroize,
  endZeroize,
  lastZeroize,
  recordZeroized,
  type ZeroizeJournal,
  zeroizeRequested,
  zeroizeUnderWay,
} from './zeroize-journal.js';

/**
 * Zeroize, in an order that can be taken up again after a kill at any step:
 * journal row → destroy everything but the receipt key → count → sign the receipt → store it → drop the token.
 * SoftHSM's token is removed with its directory and a new one is made, because C_InitToken keeps the key that all objects
 * are wrapped with; on a prepared token the receipt key goes too, and the objects of others stay.
 */
export function zeroizeByCommand(unit: CryptoUnit, record: UnitRecord, command: ParsedCommand): string {
  const { plan } = command.payload;
  const counter = record.counter + 1;
  begin(unit, { by: 'command', plan, digest: command.digest, counter }, record);
  resumeZeroize(unit);
  const receipt = lastZeroize(unit.dir)?.receipt;
  needs(receipt, 'UNIT_FAULT', 'the zeroize has begun and is not finished; send the same command again');
  return receipt;
}

/** Goes on with a zeroize that was begun, or begins the one that was asked for on the host. Nothing to do is fine. */
export function resumeZeroize(unit: CryptoUnit): void {
  const { dir, keeper } = unit;
  const prepared = dir.config.provider === 'generic';
  if (!zeroizeUnderWay(dir) && zeroizeRequested(dir)) {
    if (prepared && !keeper.open) return; // what cannot be reached cannot be wiped: at a later probe
    beginForHost(unit);
  }
  const journal = zeroizeUnderWay(dir);
  if (!journal) return;
  unit.closeCryptoConnections();
  const done = lastZeroize(dir)?.id === journal.id;
  const sameToken = prepared || keeper.open?.serial === journal.serial;
  if (!done && keeper.open && sameToken) destroyAndSign(unit, journal);
  else if (!done) {
    if (journal.by === 'command' || prepared) return; // the token is away: at a later probe
    recordDone(unit, journal, null);
  }
  drop(unit, journal);
}

function begin(
  unit: CryptoUnit,
  why: Pick<ZeroizeJournal, 'by' | 'plan' | 'digest' | 'counter'>,
  record: Pick<UnitRecord, 'serial' | 'epoch'> & Partial<Pick<UnitRecord, 'receiptKey' | 'instance'>>,
): void {
  const { dir } = unit;
  const { serial, epoch, receiptKey = null } = record;
  const objects = ourObjects(unit).length;
  const { id: unitId } = dir.config;
  const instance = record.instance ?? dir.config.instance ?? ''; // lost with its record
  const id = randomBytes(16).toString('hex');
  unit.zeroizing = true;
  beginZeroize(dir, { v: 1, id, unit: unitId, instance, serial, epoch, receiptKey, objects, ...why });
  unit.log.warn({ event: 'zeroize', by: why.by, serial });
}

/** The record may be lost, and the token too: whoever owns the host may wipe what is left. */
function beginForHost(unit: CryptoUnit): void {
  const { dir, keeper } = unit;
  const journal = keeper.open ? unit.journal() : undefined;
  const record = journal && !journal.problem ? journal.record() : undefined;
  const why = { by: 'host', plan: null, digest: null, counter: (record?.counter ?? 0) + 1 } as const;
  const mark = dir.mark();
  begin(unit, why, record ?? { serial: keeper.open?.serial ?? dir.serial() ?? '', epoch: mark?.epoch ?? '' });
}

function destroyAndSign(unit: CryptoUnit, journal: ZeroizeJournal): void {
  const token = unit.keeper.token();
  const { receiptKey } = journal;
  unit.pendingImporter?.importer.destroy();
  unit.journal().forgetAll();
  const toGo = () => ourObjects(unit).filter(({ id }) => id.toString('hex') !== receiptKey?.id);
  token.destroyObjects(toGo());
  const left = toGo().length;
  needs(left === 0, 'UNIT_FAULT', `${left} objects could not be destroyed; the zeroize goes on at the next probe`);
  const { plan, digest, objects } = journal;
  const said = { plan, nonce: null, digest, op: 'zeroize', outcome: 'ok', error: null } as const;
  const facts = { objectsBefore: objects, objectsLeft: left };
  const receipt = receiptKey ? signReceipt(token, { ...journal, receiptKey }, { ...said, facts }) : null;
  recordDone(unit, journal, receipt);
}

function ourObjects({ dir, keeper }: CryptoUnit): TokenObject[] {
  return (keeper.open?.inventory() ?? []).filter((object) => isOurs(dir, object));
}

function recordDone({ dir }: CryptoUnit, journal: ZeroizeJournal, receipt: string | null): void {
  const { id, plan, digest, serial, epoch } = journal;
  recordZeroized(dir, { v: 1, id, plan, digest, serial, epoch, receipt, at: new Date().toISOString() });
}

function drop(unit: CryptoUnit, journal: ZeroizeJournal): void {
  const { dir, keeper } = unit;
  unit.dropGeneration();
  dir.remove('claimed');
  if (dir.config.provider === 'softhsm') {
    keeper.forget();
    dropTokens(dir.path);
    dir.remove('pin.sealed');
    dir.remove('serial'); // from here on a new token may be made
  } else if (journal.receiptKey) {
    keeper.token().destroy(Buffer.from(journal.receiptKey.id, 'hex'));
  }
  endZeroize(dir);
  unit.zeroizing = false;
  unit.log.warn({ event: 'zeroized', serial: journal.serial });
  keeper.tryOpen();
}
