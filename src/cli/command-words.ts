import { type CommandArgs, readArgs } from '../admins/command-args.js';
import { readAdminKey } from '../admins/public-key.js';
import { assertThreshold } from '../admins/quorum.js';
import { needs } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import type { RecordFacts } from '../unit-agent/protocol.js';
import { spellHex } from './keyshares.js';

/** What each signed op is called: IBM's name where IBM has one. */
export const LABELS: Readonly<Record<SignedOp, string>> = {
  'mk.random': 'Draw Random',
  'mk.importer': 'Make Importer',
  'mk.import': 'Import Master Key',
  'user.add': 'Add User',
  'user.remove': 'Remove User',
  'threshold.set': 'Set Threshold',
  'restore.accept': 'Accept Restore',
  zeroize: 'Zeroize',
};

type Words = { readonly [Op in SignedOp]: (args: CommandArgs[Op]) => string };
const WORDS: Words = {
  'mk.random': ({ bytes }) => `draws ${bytes} random bytes for a new master key; the unit is not changed`,
  'mk.importer': () => 'makes a one-time key that a master key can be encrypted to; the unit is not changed',
  'mk.import': ({ name, mkvp, t, n }) =>
    `imports the master key '${name}', check value ${spellHex(mkvp)}, of which ${t} of ${n} keyshares were put together`,
  'user.add': (args) =>
    args.type === 'admin'
      ? `adds the administrator '${args.name}', fingerprint ${readAdminKey(args.certificate).kid}`
      : `lets the key service '${args.name}' use the keys, fingerprint ${readAdminKey(args.publicKey).kid}`,
  'user.remove': ({ name }) => `removes the user '${name}'`,
  'threshold.set': ({ threshold }) => `sets the number of administrators who must sign each command to ${threshold}`,
  'restore.accept': ({ size, root }) =>
    `accepts the audit log as it was restored: ${size} lines, of which the last has the hash ${root}`,
  zeroize: ({ force }) =>
    `destroys everything that the unit holds${force ? ', also when no other unit can serve the keys' : ''}`,
};

/** What the command does to each of its units, in plain words. Throws COMMAND_MALFORMED. */
export function wordsFor<Op extends SignedOp>(op: Op, args: unknown): string {
  return (WORDS[op] as (args: unknown) => string)(readArgs(op, args));
}

type Foreseen = {
  readonly [Op in SignedOp]?: (args: CommandArgs[Op], record: RecordFacts) => string | undefined;
};
/** What the unit would refuse by its record is thrown, as the unit would say it; what changes in it is returned. */
const FORESEEN: Foreseen = {
  'user.add': (args, { admins, kmsUser }) => {
    const { kid } = readAdminKey(args.type === 'admin' ? args.certificate : args.publicKey);
    needs(
      args.type === 'admin' || kmsUser === null,
      'USER_EXISTS',
      `the unit has the kmsCryptoUser '${kmsUser?.name}' already; to change it, remove it first`,
    );
    const twin = [...admins, ...(kmsUser ? [kmsUser] : [])].find((one) => one.kid === kid || one.name === args.name);
    needs(!twin, 'USER_EXISTS', `the name or the key is enrolled already, as '${twin?.name}'`);
    if (args.type !== 'admin') return undefined;
    return `administrators afterwards: ${[...admins.map(({ name }) => name), args.name].join(', ')}`;
  },
  'user.remove': ({ name }, { admins, kmsUser, threshold }) => {
    if (kmsUser?.name === name) return 'no key can be used on the unit afterwards';
    const left = admins.filter((admin) => admin.name !== name);
    needs(left.length < admins.length, 'USER_NOT_FOUND', `the unit has no user '${name}'`);
    needs(
      left.length >= threshold,
      'LAST_ADMIN',
      `${threshold} administrator(s) must sign, so '${name}' cannot go; add another first, or lower the threshold`,
    );
    return `administrators afterwards: ${left.map((admin) => admin.name).join(', ')}`;
  },
  'threshold.set': ({ threshold }, record) => {
    assertThreshold(threshold, record);
    if (threshold === record.threshold) return 'nothing changes: it is that already';
    return `it was ${record.threshold}, and the unit has ${record.admins.length} administrators`;
  },
  zeroize: (_args, { masterKey, kmsUser }) =>
    masterKey && kmsUser ? 'it holds the master key and serves keys now' : undefined,
};

/** What would change in the record; undefined when that is all said. Throws what the unit would refuse. */
export function foreseen<Op extends SignedOp>(op: Op, args: unknown, record: RecordFacts): string | undefined {
  const look = FORESEEN[op] as ((args: unknown, record: RecordFacts) => string | undefined) | undefined;
  return look?.(readArgs(op, args), record);
}
