import { KeysteadError, messageOf } from '../shared/errors.js';
import { stateOf, type UnitState } from '../shared/unit-state.js';
import { rememberedMark } from './audit-memory.js';
import type { CryptoUnit } from './crypto-unit.js';
import { masterKeyMatches } from './master-key-proof.js';
import type { Refusal, UnitFacts } from './protocol.js';
import { kidOf, recordFacts, type UnitRecord } from './unit-record.js';
import { lastZeroize } from './zeroize-journal.js';

/** The unit's state by its record; maintenance is the server's to say. */
export function stateByRecord(record: UnitRecord | undefined): UnitState {
  return stateOf({
    claimed: record !== undefined,
    masterKey: record?.mk != null,
    kmsUser: record?.kmsUser != null,
    maintenance: false,
  });
}

/**
 * What is true of the unit, read off the token now. A token that cannot be used is a fact too (`token.problem`), so this
 * does not throw for it.
 */
export function readFacts(unit: CryptoUnit): UnitFacts {
  const { serial, epoch, receipt } = lastZeroize(unit.dir) ?? {};
  const base = {
    unit: unit.dir.id,
    at: new Date().toISOString(),
    zeroized: receipt && serial && epoch ? { epoch, serial, receipt } : null,
  };
  try {
    return { ...base, ...readToken(unit) };
  } catch (cause) {
    return {
      ...base,
      token: { present: false, ...NOTHING_KNOWN, problem: refusalOf(cause) },
      record: null,
      recordLost: unit.recordLost,
      receiptKey: null,
      objects: 0,
      masterKeyMatches: null,
      audit: null,
    };
  }
}

const NOTHING_KNOWN = { serial: null, label: null, model: null, manufacturer: null, firmware: null };

function readToken(unit: CryptoUnit): Omit<UnitFacts, 'unit' | 'at' | 'zeroized'> {
  const token = unit.keeper.token();
  const { serial, label, model, manufacturer, firmware } = token.info();
  const { problem } = unit.journal();
  const record = problem ? undefined : unit.record();
  const matches = record?.mk ? masterKeyMatches(token, record.instance, record.mk) : null;
  unit.masterKeyProved = matches === true;
  const key = record?.receiptKey;
  return {
    token: {
      present: true,
      serial,
      label,
      model,
      manufacturer,
      firmware,
      problem: problem ? refusalOf(problem) : null,
    },
    record: record ? recordFacts(record) : null,
    recordLost: unit.recordLost,
    receiptKey: key ? { spki: key.spki, fingerprint: kidOf(key.spki) } : null,
    objects: token.inventory().length,
    masterKeyMatches: matches,
    audit: record ? rememberedMark(unit.dir, record) : null,
  };
}

export function refusalOf(cause: unknown): Refusal {
  if (cause instanceof KeysteadError) return { code: cause.code, message: cause.message };
  return { code: 'UNIT_FAULT', message: messageOf(cause) };
}
