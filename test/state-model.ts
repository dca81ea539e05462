import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import fc from 'fast-check';
import { ALLOWED, type SignedOp, stateOf, type UnitAct, type UnitState } from '../src/shared/unit-state.js';
import type { UnitFacts } from '../src/unit-agent/protocol.js';
import { Admins, adminKey, codeOf, publicPem, verdictIn } from './admin.js';
import type { World } from './world.js';

/** What is true of one unit, kept in the head. */
interface UnitModel {
  claimed: boolean;
  masterKey: boolean;
  kmsUser: boolean;
  deputy: boolean;
  maintenance: boolean;
  counter: number;
}
type Model = readonly UnitModel[];

/** Where a history begins: with units that nobody claimed, or that serve. */
const BEGINNINGS = ['reserved', 'kms-initialized'] as const;
type Beginning = (typeof BEGINNINGS)[number];

const NEW: UnitModel = {
  claimed: false,
  masterKey: false,
  kmsUser: false,
  deputy: false,
  maintenance: false,
  counter: 0,
};
const SERVING: UnitModel = { ...NEW, claimed: true, masterKey: true, kmsUser: true, counter: 3 };

/** Brings the units to where the history begins, whatever they were. */
async function begin(beginning: Beginning, { admins, units }: Real): Promise<Model> {
  await admins.reach(units);
  await admins.reset();
  if (beginning === 'reserved') return units.map(() => ({ ...NEW }));
  await admins.initialise(units);
  return units.map(() => ({ ...SERVING }));
}

/** The units of an instance, and those who administer it. */
interface Real {
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
  'remove ADMIN, who is the last': () => 'LAST_ADMIN',
  zeroize: (unit) => become(unit, true, '', NEW),
} as const satisfies Record<string, Effect>;
type Act = keyof typeof EFFECTS;

function become(unit: UnitModel, can: boolean, otherwise: string, facts: Partial<UnitModel>): string {
  if (!can) return otherwise;
  Object.assign(unit, facts);
  return 'ok';
}

interface Command {
  readonly op: SignedOp;
  readonly args: object;
}
const removal = (name: string): Command => ({ op: 'user.remove', args: { name } });

/** What administrators sign for an act. */
const COMMANDS: Readonly<Record<Act, (admins: Admins) => Promise<Command>>> = {
  'mk.random': async () => ({ op: 'mk.random', args: { bytes: 32 } }),
  'add the kmsCryptoUser': async (admins) => ({ op: 'user.add', args: await admins.kmsUserArgs() }),
  'remove the kmsCryptoUser': async ({ instance }) => removal(`${instance}-kp-user`),
  'add DEPUTY': async () => ({
    op: 'user.add',
    args: { type: 'admin', name: 'DEPUTY', certificate: publicPem(deputy) },
  }),
  'remove DEPUTY': async () => removal('DEPUTY'),
  'remove ADMIN, who is the last': async () => removal('ADMIN'),
  zeroize: async () => ({ op: 'zeroize', args: { force: false } }),
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
function step(
  name: string,
  run: (model: Model, real: Real) => Promise<unknown>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Step {
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

type Victim = 'server' | number;

/** Every way to change an instance of so many units, and the ways in which its processes end. */
function steps(units: number): fc.Arbitrary<Step>[] {
  const one = fc.nat(units - 1);
  const victims = fc.constantFrom<Victim[]>('server', ...Array(units).keys());
  return [
    ...Array(3).fill(one.map((n) => step(`claim ${n}`, (model, real) => claim(model, real, n)))), // nothing else begins
    some(units).map((at) => step(`import into ${at}`, (model, real) => importKey(model, real, at))),
    fc
      .tuple(one, fc.boolean())
      .map(([n, on]) =>
        step(`maintenance of ${n} ${on ? 'on' : 'off'}`, (model, real) => maintenance(model, real, n, on)),
      ),
    victims.map((who) => step(`kill ${who}`, (_model, real) => kill(real, who))),
    ...(Object.keys(EFFECTS) as Act[]).flatMap((act) => {
      const possible = (at: readonly number[]) => (model: Model) =>
        !act.startsWith('remove ADMIN') || at.every((n) => !model[n]?.deputy);
      return [
        some(units).map((at) => step(`${act} on ${at}`, (model, real) => signed(model, real, act, at), possible(at))),
        fc.tuple(some(units), victims, fc.nat(80)).map(([at, who, delayMs]) =>
          step(
            `${act} on ${at}, and ${who} is killed ${delayMs} ms later`,
            (model, real) => interrupted(model, real, act, at, () => after(delayMs).then(() => kill(real, who))),
            (model) => possible(at)(model) && at.some((n) => model[n]?.claimed),
          ),
        ),
      ];
    }),
  ];
}

/** SIGKILL; when this fulfils all agents answer again. */
async function kill({ admins, units }: Real, who: Victim): Promise<void> {
  if (who === 'server') {
    await admins.world.killServer();
    await admins.world.launch();
  } else {
    await admins.killAgent(units[who] ?? '');
  }
  await admins.reach(units);
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

async function signed(model: Model, { admins, units }: Real, act: Act, at: readonly number[]): Promise<void> {
  const { op, args } = await COMMANDS[act](admins);
  const targets = at.map((n) => units[n] ?? '');
  const verdicts = await admins.run(op, args, targets);
  for (const n of at) {
    const unit = model[n] as UnitModel;
    const refused = refusal(unit, op);
    if (refused === null) unit.counter += 1;
    expect(verdicts[units[n] ?? '']?.code).toBe(refused ?? EFFECTS[act](unit));
  }
}

/** Somebody is killed while the command is under way, and the same document is sent again: it was done once, or not at all. */
async function interrupted(
  model: Model,
  { admins, units }: Real,
  act: Act,
  at: readonly number[],
  interrupt: () => Promise<void>,
): Promise<void> {
  const { op, args } = await COMMANDS[act](admins);
  const targets = at.map((n) => units[n] ?? '');
  const before = await Promise.all(targets.map((unit) => admins.facts(unit)));
  const document = await admins.document(op, args, targets);
  const first = admins.send(document).catch(() => undefined); // the server may be gone before it answers
  await interrupt();
  await first;
  const answer = await admins.send(document);
  for (const [k, n] of at.entries()) {
    const unit = model[n] as UnitModel;
    const refused = refusal(unit, op);
    const { code, receipt } = verdictIn(answer, before[k] as UnitFacts);
    if (refused === null) unit.counter += 1;
    if (code === 'UNIT_FAULT' && receipt?.outcome === 'refused' && refused === null) continue; // nothing was done
    expect(code).toBe(refused ?? EFFECTS[act](unit));
  }
}

async function maintenance(model: Model, { admins, units }: Real, n: number, on: boolean): Promise<void> {
  const taken = on && model.some((unit, other) => unit.maintenance && other !== n);
  expect(codeOf(await admins.maintenance(units[n] ?? '', on))).toBe(taken ? 'UNIT_IN_MAINTENANCE' : 'ok');
  if (!taken) (model[n] as UnitModel).maintenance = on;
}

/** So many histories of the world's instance, one after the other. A failure names the steps that led to it. */
export async function histories(world: World, { runs, longest }: { runs: number; longest: number }): Promise<void> {
  const units = (await world.units()).map(({ id }) => id);
  const real = { admins: new Admins(world), units };
  const history = fc.commands(steps(units.length), { maxCommands: longest, size: 'max' });
  const agrees = fc.asyncProperty(fc.constantFrom(...BEGINNINGS), history, async (beginning, taken) => {
    const model = await begin(beginning, real);
    await fc.asyncModelRun(() => ({ model, real }), taken);
  });
  await fc.assert(agrees, { numRuns: runs, endOnFailure: true });
}
