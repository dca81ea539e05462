import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { ALLOWED, stateOf, type UnitAct, type UnitState } from '../src/shared/unit-state.js';
import { type Admins, adminKey, codeOf, publicPem, type Verdict } from './admin.js';

/** What is true of one unit, kept in the head. */
interface UnitModel {
  claimed: boolean;
  masterKey: boolean;
  kmsUser: boolean;
  deputy: boolean;
  maintenance: boolean;
  counter: number;
}
export type Model = readonly UnitModel[];

const NEW: UnitModel = {
  claimed: false,
  masterKey: false,
  kmsUser: false,
  deputy: false,
  maintenance: false,
  counter: 0,
};
export const newModel = (units: number): Model => Array.from({ length: units }, () => ({ ...NEW }));

/** The units of an instance, and those who administer it. */
export interface Real {
  readonly admins: Admins;
  readonly units: readonly string[];
}

const deputy = adminKey();

/** The refusal that the state asks for; null when the act is allowed. */
function refusal(unit: UnitModel, act: UnitAct): string | null {
  const state = stateOf(unit);
  if ((ALLOWED[act] as readonly UnitState[]).includes(state)) return null;
  return state === 'maintenance' ? 'UNIT_IN_MAINTENANCE' : 'UNIT_STATE';
}

/** What a signed act does to the facts. Answers the code of the verdict. */
type Effect = (unit: UnitModel) => string;

const EFFECTS = {
  'mk.random': () => 'ok',
  'add the kmsCryptoUser': (unit) => become(unit, !unit.kmsUser, 'USER_EXISTS', { kmsUser: true }),
  'remove the kmsCryptoUser': (unit) => become(unit, unit.kmsUser, 'USER_NOT_FOUND', { kmsUser: false }),
  'add DEPUTY': (unit) => become(unit, !unit.deputy, 'USER_EXISTS', { deputy: true }),
  'remove DEPUTY': (unit) => become(unit, unit.deputy, 'USER_NOT_FOUND', { deputy: false }),
  'remove ADMIN, who is the last one or alone signs': (unit) => (unit.deputy ? 'not tried' : 'LAST_ADMIN'),
  zeroize: (unit) => become(unit, true, '', NEW),
} as const satisfies Record<string, Effect>;
type Act = keyof typeof EFFECTS;

function become(unit: UnitModel, can: boolean, otherwise: string, facts: Partial<UnitModel>): string {
  if (!can) return otherwise;
  Object.assign(unit, facts);
  return 'ok';
}

function send({ admins }: Real, act: Act, units: readonly string[]): Promise<Record<string, Verdict>> {
  switch (act) {
    case 'mk.random':
      return admins.run('mk.random', { bytes: 32 }, units);
    case 'add the kmsCryptoUser':
      return admins.addKmsUser(units);
    case 'remove the kmsCryptoUser':
      return admins.run('user.remove', { name: `${admins.instance}-kp-user` }, units);
    case 'add DEPUTY':
      return admins.run('user.add', { type: 'admin', name: 'DEPUTY', certificate: publicPem(deputy) }, units);
    case 'remove DEPUTY':
      return admins.run('user.remove', { name: 'DEPUTY' }, units);
    case 'remove ADMIN, who is the last one or alone signs':
      return admins.run('user.remove', { name: 'ADMIN' }, units);
    case 'zeroize':
      return admins.run('zeroize', { force: false }, units);
  }
}

const OP: Readonly<Record<Act, UnitAct>> = {
  'mk.random': 'mk.random',
  'add the kmsCryptoUser': 'user.add',
  'remove the kmsCryptoUser': 'user.remove',
  'add DEPUTY': 'user.add',
  'remove DEPUTY': 'user.remove',
  'remove ADMIN, who is the last one or alone signs': 'user.remove',
  zeroize: 'zeroize',
};

/** State, record and counter of every unit are the model's, as the units say it now and as the server shows it. */
async function agree(model: Model, { admins, units }: Real): Promise<void> {
  expect(await admins.world.states()).toEqual(model.map(stateOf));
  for (const [n, unit] of units.entries()) {
    const { record, masterKeyMatches, recordLost, token } = await admins.facts(unit);
    const { claimed, masterKey, kmsUser, counter, ...rest } = model[n] as UnitModel;
    expect([recordLost, token.problem]).toEqual([false, null]);
    expect(record !== null).toBe(claimed);
    if (record === null) continue;
    expect(record.admins.map(({ name }) => name)).toEqual(rest.deputy ? ['ADMIN', 'DEPUTY'] : ['ADMIN']);
    expect([record.kmsUser !== null, record.masterKey !== null, record.counter]).toEqual([kmsUser, masterKey, counter]);
    expect(masterKeyMatches).toBe(masterKey ? true : null);
  }
}

type Step = fc.AsyncCommand<Model, Real>;
function step(name: string, run: (model: Model, real: Real) => Promise<unknown>, check = (_: Model) => true): Step {
  return {
    check,
    toString: () => name,
    run: async (model, real) => {
      await run(model, real);
      await agree(model, real);
    },
  };
}

/** The numbers of the units that a command names. */
const some = (units: number) => fc.subarray([...Array(units).keys()], { minLength: 1 });

/** Every way to change an instance of so many units, and the ways in which its processes end. */
export function steps(units: number): fc.Arbitrary<Step>[] {
  const one = fc.nat(units - 1);
  return [
    one.map((n) => step(`claim ${n}`, (model, real) => claim(model, real, n))),
    some(units).map((at) => step(`import into ${at}`, (model, real) => importKey(model, real, at))),
    fc.tuple(fc.constantFrom(...(Object.keys(EFFECTS) as Act[])), some(units)).map(([act, at]) =>
      step(
        `${act} on ${at}`,
        (model, real) => signed(model, real, act, at),
        (model) => !act.startsWith('remove ADMIN') || at.every((n) => !model[n]?.deputy),
      ),
    ),
    fc
      .tuple(one, fc.boolean())
      .map(([n, on]) =>
        step(`maintenance of ${n} ${on ? 'on' : 'off'}`, (model, real) => maintenance(model, real, n, on)),
      ),
    one.map((n) =>
      step(`kill agent ${n}`, async (_model, { admins, units }) => {
        await admins.killAgent(units[n] ?? '');
        await admins.reach(units);
      }),
    ),
    fc.constant(
      step('kill the server', async (_model, { admins, units }) => {
        await admins.world.killServer();
        await admins.world.launch();
        await admins.reach(units);
      }),
    ),
  ];
}

async function claim(model: Model, { admins, units }: Real, n: number): Promise<void> {
  const unit = model[n] as UnitModel;
  const code = codeOf(await admins.claim(units[n] ?? '', randomUUID()));
  expect(code).toBe(unit.maintenance ? 'UNIT_IN_MAINTENANCE' : 'ok'); // the same administrator again is fine
  if (code === 'ok') unit.claimed = true;
}

async function importKey(model: Model, { admins, units }: Real, at: readonly number[]): Promise<void> {
  const verdicts = await admins.importMasterKey(at.map((n) => units[n] ?? ''));
  for (const n of at) {
    const unit = model[n] as UnitModel;
    const refused = refusal(unit, 'mk.import');
    expect(verdicts[units[n] ?? '']?.code).toBe(refused ?? 'ok');
    if (refused === null) Object.assign(unit, { masterKey: true, counter: unit.counter + 2 });
  }
}

async function signed(model: Model, real: Real, act: Act, at: readonly number[]): Promise<void> {
  const verdicts = await send(
    real,
    act,
    at.map((n) => real.units[n] ?? ''),
  );
  for (const n of at) {
    const unit = model[n] as UnitModel;
    const refused = refusal(unit, OP[act]);
    if (refused === null) unit.counter += 1;
    expect(verdicts[real.units[n] ?? '']?.code).toBe(refused ?? EFFECTS[act](unit));
  }
}

async function maintenance(model: Model, { admins, units }: Real, n: number, on: boolean): Promise<void> {
  const taken = on && model.some((unit, other) => unit.maintenance && other !== n);
  expect(codeOf(await admins.maintenance(units[n] ?? '', on))).toBe(taken ? 'UNIT_IN_MAINTENANCE' : 'ok');
  if (!taken) (model[n] as UnitModel).maintenance = on;
}
