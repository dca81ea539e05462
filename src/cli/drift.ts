import type { SignedFacts } from '../unit-agent/protocol.js';
import { spellHex } from './keyshares.js';
import { commandLine } from './shell.js';

/** One unit of an instance as it signed it; `facts` is null for a unit that nobody claimed. */
export interface DriftUnit {
  readonly id: string;
  readonly state: string;
  readonly facts: SignedFacts | null;
}
/** Something in which units differ: which have what, and what makes them the same. */
export interface Difference {
  readonly what: string;
  readonly values: readonly { readonly value: string; readonly units: readonly string[] }[];
  readonly repairs: readonly Repair[];
}
export interface Repair {
  /** When the command is the right one, where there is a choice. */
  readonly when?: string;
  readonly command: string;
}

/**
 * Where the units differ, in the order in which it is repaired. What most units have is taken as right; where there is no
 * majority both ways are given. `kmsUser` is the fingerprint of the service's own identity, which alone can use keys.
 */
export function differencesOf(units: readonly DriftUnit[], kmsUser: string | null): Difference[] {
  const claimed = units.flatMap(({ id, facts }) => (facts ? [{ id, facts }] : []));
  return [
    ...claims(units),
    ...maintenance(units),
    ...administrators(claimed),
    ...threshold(claimed),
    ...kmsCryptoUser(claimed, kmsUser),
    ...masterKey(claimed),
    ...token(claimed),
  ];
}

interface Claimed {
  readonly id: string;
  readonly facts: SignedFacts;
}

function claims(units: readonly DriftUnit[]): Difference[] {
  const values = grouped(units, ({ facts }) => (facts ? 'claimed' : 'reserved'));
  const reserved = units.filter(({ facts }) => !facts).map(({ id }) => id);
  if (values.length < 2) return [];
  const command = commandLine(['kp', 'crypto-unit', 'claim'], {
    '--credential': 'FILE_OF_ADMIN',
    '--ids': reserved.join(','),
  });
  return [{ what: 'claim', values, repairs: [{ command }] }];
}

function maintenance(units: readonly DriftUnit[]): Difference[] {
  const held = units.filter(({ state }) => state === 'maintenance');
  if (held.length === 0) return [];
  const values = grouped(units, ({ state }) => (state === 'maintenance' ? 'in maintenance' : 'in service'));
  const repairs = held.map(({ id }) => ({
    command: commandLine(['kp', 'crypto-unit', 'maintenance', id, '--off'], {}),
  }));
  return [{ what: 'maintenance', values, repairs }];
}

/** One difference for each administrator that is not on every unit; those to be removed first: they may hold a name. */
function administrators(units: readonly Claimed[]): Difference[] {
  const all = new Map(units.flatMap(({ facts }) => facts.admins.map((admin) => [keyOf(admin), admin] as const)));
  const found = [...all.values()].flatMap((admin) => {
    const having = units.filter(({ facts }) => facts.admins.some((one) => keyOf(one) === keyOf(admin)));
    const lacking = units.filter((unit) => !having.includes(unit));
    if (lacking.length === 0) return [];
    const add = signedLine(
      ['user', 'add'],
      { '--type': 'admin', '--name': admin.name, '--credential': fileOf(admin.name) },
      lacking,
    );
    const remove = signedLine(['user', 'remove'], { '-u': admin.name }, having);
    const most = having.length - lacking.length;
    const repairs =
      most === 0
        ? [
            { when: 'it belongs there', command: add },
            { when: 'it does not', command: remove },
          ]
        : [{ command: most > 0 ? add : remove }];
    const named = `'${admin.name}' ${admin.kid}`;
    const values = grouped(units, (unit) => (having.includes(unit) ? named : 'not enrolled'));
    return [{ rank: most > 0 ? 1 : 0, difference: { what: `administrator '${admin.name}'`, values, repairs } }];
  });
  return found.sort((a, b) => a.rank - b.rank).map(({ difference }) => difference);
}

/** What most units have; where there is no majority, the larger number, which lets nobody do more than before. */
function threshold(units: readonly Claimed[]): Difference[] {
  const values = grouped(units, ({ facts }) => String(facts.threshold));
  if (values.length < 2) return [];
  const right = Number(majority(values) ?? Math.max(...values.map(({ value }) => Number(value))));
  const wrong = units.filter(({ facts }) => facts.threshold !== right);
  const command = signedLine(['threshold', 'set', String(right)], {}, wrong, right);
  return [{ what: 'threshold', values, repairs: [{ command }] }];
}

function kmsCryptoUser(units: readonly Claimed[], ours: string | null): Difference[] {
  const values = grouped(units, ({ facts }) =>
    facts.kmsUser ? `'${facts.kmsUser.name}' ${facts.kmsUser.kid}` : 'none',
  );
  if (values.length < 2) return [];
  const strange = units.filter(({ facts }) => facts.kmsUser && ours !== null && facts.kmsUser.kid !== ours);
  const lacking = units.filter((unit) => !unit.facts.kmsUser || strange.includes(unit));
  const removals = strange.map((unit) => ({
    command: signedLine(['user', 'remove'], { '-u': unit.facts.kmsUser?.name ?? '' }, [unit]),
  }));
  const add = { command: signedLine(['user', 'add'], { '--type': 'kmsCryptoUser' }, lacking) };
  return [{ what: 'kmsCryptoUser', values, repairs: lacking.length > 0 ? [...removals, add] : removals }];
}

/** A unit with another master key than most can only start again: a master key is never overwritten. */
function masterKey(units: readonly Claimed[]): Difference[] {
  const values = grouped(units, ({ facts: { masterKey: mk } }) => (mk ? `'${mk.name}' ${spellHex(mk.mkvp)}` : 'none'));
  if (values.length < 2) return [];
  const held = grouped(
    units.filter(({ facts }) => facts.masterKey),
    ({ facts }) => facts.masterKey?.mkvp ?? '',
  );
  const right = majority(held) ?? null;
  const choice = held.length > 1 && right === null;
  const restarts = units
    .filter(({ facts }) => held.length > 1 && facts.masterKey && facts.masterKey.mkvp !== right)
    .flatMap((unit) => startAgain(unit, choice ? `the master key of ${unit.id} is the wrong one` : undefined));
  const lacking = units.filter(({ facts }) => !facts.masterKey);
  const load = signedLine(['mk', 'import'], { '--keyshare-files': '["FILE_OF_SHARE","FILE_OF_SHARE"]' }, lacking);
  return [{ what: 'master key', values, repairs: [...restarts, ...(lacking.length > 0 ? [{ command: load }] : [])] }];
}

function startAgain({ id, facts }: Claimed, when: string | undefined): Repair[] {
  const auth = JSON.stringify(signersOf(facts, facts.threshold));
  const lines = [
    commandLine(['kp', 'crypto-unit', 'zeroize'], { '--id': id, '--auth': auth }),
    commandLine(['kp', 'crypto-unit', 'claim'], { '--credential': 'FILE_OF_ADMIN', '--ids': id }),
    'kp crypto-units diff',
  ];
  return lines.map((command) => ({ ...(when !== undefined && { when }), command }));
}

/** No command makes a token another one; the unit is taken out, and one like the others put in its place. */
function token(units: readonly Claimed[]): Difference[] {
  const known = units.filter(({ facts }) => facts.capabilities);
  const members = [...new Set(known.flatMap(({ facts }) => Object.keys(facts.capabilities ?? {})))];
  const abilities = members
    .filter((member) => member !== 'module') // a path, which says nothing of the token
    .map((member) => ({ what: `capability ${member}`, values: grouped(known, (unit) => abilityOf(unit, member)) }));
  const firmware = grouped(units, ({ facts: { token: t } }) => [t.manufacturer, t.model, t.firmware].join(' '));
  return [{ what: 'firmware', values: firmware }, ...abilities]
    .filter(({ values }) => values.length > 1)
    .map((difference) => ({ ...difference, repairs: odd(difference.values).map(inspect) }));
}

const abilityOf = ({ facts }: Claimed, member: string) =>
  JSON.stringify((facts.capabilities as unknown as Record<string, unknown>)[member] ?? null);

const inspect = (id: string): Repair => ({
  when: 'the token or its module can be brought to the same version; look at what it is',
  command: commandLine(['kp', 'crypto-unit', 'show', id], {}),
});

/** The units that are not of the majority; all of them without one. */
function odd(values: Difference['values']): string[] {
  const right = majority(values);
  return values.filter(({ value }) => value !== right).flatMap(({ units }) => units);
}

function grouped<Unit extends { readonly id: string }>(
  units: readonly Unit[],
  valueIn: (unit: Unit) => string,
): { value: string; units: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const unit of units) groups.set(valueIn(unit), [...(groups.get(valueIn(unit)) ?? []), unit.id]);
  return [...groups].map(([value, ids]) => ({ value, units: ids }));
}

/** The value that more than half of the units have. */
function majority(values: Difference['values']): string | undefined {
  const all = values.reduce((sum, { units }) => sum + units.length, 0);
  return values.find(({ units }) => 2 * units.length > all)?.value;
}

/** A signed command for these units alone; each is signed by as many of its own administrators as it asks for. */
function signedLine(
  words: readonly string[],
  flags: Readonly<Record<string, string>>,
  units: readonly Claimed[],
  atLeast = 1,
): string {
  const cu = units.map(({ id, facts }) => ({
    CryptoUnitId: id,
    Auth: signersOf(facts, Math.max(atLeast, facts.threshold)),
  }));
  return commandLine(['kp', 'crypto-unit', ...words], { ...flags, '--cu': JSON.stringify(cu) });
}

const signersOf = ({ admins }: SignedFacts, needed: number) =>
  admins.slice(0, needed).map(({ name }) => ({ [name]: fileOf(name) }));
const fileOf = (name: string) => `FILE_OF_${name.replace(/[^A-Za-z0-9._-]/g, '_')}`;
const keyOf = ({ name, kid }: { name: string; kid: string }) => `${kid} ${name}`;
