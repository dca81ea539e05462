import { assertLifetime, signaturesNeeded } from '../admins/quorum.js';
import { assertFresh, type ParsedCommand, verifySigners } from '../admins/signed-command.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { kidOf, type RecordPlan, type UnitRecord } from './unit-record.js';

/** The fields of a plan that a stored answer is found by. */
type Answered = Pick<RecordPlan, 'plan' | 'digest' | 'receipt'>;

/**
 * The receipt of the same command, when it was answered before; undefined for a plan never seen.
 * Throws PLAN_REUSED when the plan was another command.
 */
export function answeredBefore(plans: readonly Answered[], command: ParsedCommand): string | undefined {
  const known = plans.find(({ plan }) => plan === command.payload.plan);
  if (!known) return undefined;
  needs(
    known.digest === command.digest,
    'PLAN_REUSED',
    `plan ${known.plan} was another command; sign this one under a plan of its own`,
  );
  return known.receipt ?? undefined;
}

/**
 * Whether the unit takes the command, in this order: it names this unit, instance, serial and epoch; it lives no longer
 * than the threshold allows; it is fresh; every signature verifies and is an administrator's; enough distinct signers; the
 * counter is the next one. Returns the signers' names. Throws COMMAND_TARGET, COMMAND_MALFORMED, COMMAND_EXPIRED,
 * SIGNATURE_INVALID, QUORUM_NOT_MET, COMMAND_REPLAYED: in none of these cases is the counter consumed. Whether the state
 * allows the op is asked after that, and the answer is a receipt.
 */
export function verifyCommand(command: ParsedCommand, record: UnitRecord, now: Date): string[] {
  const counter = assertTarget(command, record);
  assertLifetime(command.payload, record.threshold);
  assertFresh(command.payload, now);
  const admins = record.admins.map(({ name, spki }) => ({ name, kid: kidOf(spki), spki: Buffer.from(spki, 'base64') }));
  const signers = verifySigners(command, admins, signaturesNeeded(command.payload, record));
  const next = record.counter + 1;
  needs(
    counter === next,
    'COMMAND_REPLAYED',
    `the command is number ${counter} and the unit expects number ${next}; read the facts again and sign anew`,
  );
  return signers;
}

/** The counter that the command gives this unit. */
function assertTarget({ payload }: ParsedCommand, record: UnitRecord): number {
  const mine = payload.units.filter(({ id }) => id === record.unit);
  const target = mine.length === 1 ? mine[0] : undefined;
  const wrong = (what: string) =>
    new KeysteadError(
      'COMMAND_TARGET',
      `the command is not for this crypto unit: ${what}. Sign it for unit ${record.unit}`,
    );
  if (payload.instance !== record.instance) throw wrong(`it names instance ${payload.instance}`);
  if (!target) throw wrong('it does not name the unit once');
  if (target.serial !== record.serial) throw wrong(`it names a token with serial ${target.serial}`);
  if (target.epoch !== record.epoch) throw wrong('it is of an epoch that a zeroize ended');
  return target.counter;
}
