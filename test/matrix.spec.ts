import { randomUUID } from 'node:crypto';
import { spkiOf } from '../src/admins/public-key.js';
import { GENESIS } from '../src/audit/audit-chain.js';
import { PERMISSIONS, ROLES, type Role } from '../src/shared/permissions.js';
import { ALLOWED, type UnitAct, type UnitState } from '../src/shared/unit-state.js';
import { Admins, adminKey, assertOk, codeOf, type Verdict } from './admin.js';
import { CALLERS, type Caller, type Callers, callersOf } from './callers.js';
import { methodOf, type Names, NEW_KEY, ROUTES, registeredRoutes, servedNames } from './routes.js';
import { World } from './world.js';

/** Every act in every state, and every caller on every route, as the tables of src/shared have them. */
let world: World;
let admins: Admins;
let unit: string;
beforeAll(async () => {
  world = await World.withInstance(2, { env: { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0' } }); // 401 is asked for by the dozen
  admins = new Admins(world);
  unit = (await world.units())[0]?.id ?? '';
}, 120_000);
afterAll(() => world.end());

const only = (verdicts: Record<string, Verdict>): Verdict => verdicts[unit] as Verdict;
const stateNow = async () => (await world.units())[0]?.state;
const record = async () => (await admins.facts(unit)).record;

describe('acts and states', () => {
  type Step = 'claim' | 'import' | 'user' | 'maintenance';
  const STEPS: Readonly<Record<Step, () => Promise<unknown>>> = {
    claim: async () => assertOk(await admins.claim(unit)),
    import: async () => expect(only(await admins.importMasterKey([unit]))).toMatchObject({ code: 'ok' }),
    user: async () => expect(only(await admins.addKmsUser([unit]))).toMatchObject({ code: 'ok' }),
    maintenance: async () => assertOk(await admins.maintenance(unit, true)),
  };
  const WAYS: readonly (readonly [UnitState, readonly Step[]])[] = [
    ['reserved', []],
    ['claimed', ['claim']],
    ['initialized', ['claim', 'import']],
    ['kms-authorized', ['claim', 'user']],
    ['kms-initialized', ['claim', 'import', 'user']],
    ['kms-initialized', ['claim', 'user', 'import']],
    ['maintenance', ['maintenance']],
    ['maintenance', ['claim', 'import', 'user', 'maintenance']],
  ];
  const stranger = adminKey();
  const deputy = adminKey();

  /** Does the act on the unit and answers 'ok' or the code of the refusal. */
  const ACTS: Readonly<Record<UnitAct, (state: UnitState) => Promise<string>>> = {
    claim: async (state) => {
      const mine = state === 'reserved' || state === 'maintenance';
      return codeOf(await admins.claim(unit, randomUUID(), mine ? admins.key : stranger));
    },
    'mk.random': async () => only(await admins.run('mk.random', { bytes: 32 }, [unit])).code,
    'mk.importer': async () => only(await admins.run('mk.importer', {}, [unit])).code,
    'user.add': async () => only(await admins.addAdmin('DEPUTY', deputy, [unit])).code,
    'user.remove': async () => only(await admins.run('user.remove', { name: 'DEPUTY' }, [unit])).code,
    'mk.import': async (state) => {
      if (expected('mk.import', state) === 'ok') return only(await admins.importMasterKey([unit])).code;
      const importer = { publicKey: spkiOf(stranger).toString('base64'), oaep: 'SHA-1' };
      const args = admins.masterKey.args(world.instance, { [unit]: importer });
      return only(await admins.run('mk.import', args, [unit])).code;
    },
    'threshold.set': async () => only(await admins.run('threshold.set', { threshold: 1 }, [unit])).code,
    'restore.accept': async () =>
      only(await admins.run('restore.accept', { size: 0, root: GENESIS.toString('hex') }, [unit])).code,
    'use-keys': async () => codeOf(await createKey()),
    zeroize: async () => only(await admins.run('zeroize', { force: true }, [unit])).code,
  };
  const AFTER: Partial<Record<UnitAct, Partial<Record<UnitState, UnitState>>>> = {
    claim: { reserved: 'claimed' },
    'mk.import': { claimed: 'initialized', 'kms-authorized': 'kms-initialized' },
    zeroize: {
      claimed: 'reserved',
      initialized: 'reserved',
      'kms-authorized': 'reserved',
      'kms-initialized': 'reserved',
    },
  };

  function expected(act: UnitAct, state: UnitState): string {
    if ((ALLOWED[act] as readonly UnitState[]).includes(state)) return 'ok';
    if (act === 'use-keys') return 'SERVICE_UNAVAILABLE_ERR';
    if (state === 'maintenance') return 'UNIT_IN_MAINTENANCE';
    return act === 'claim' ? 'ADMIN_MISMATCH' : 'UNIT_STATE';
  }

  const cases = WAYS.flatMap(([state, steps]) =>
    (Object.keys(ACTS) as UnitAct[]).map((act) => [act, state, steps, expected(act, state)] as const),
  );

  let at: readonly Step[] = [];
  async function reach(steps: readonly Step[]): Promise<void> {
    if (at === steps) return;
    await admins.reset();
    for (const step of steps) await STEPS[step]();
    at = steps;
  }

  it('the cases cover every act and every state', () => {
    expect(Object.keys(ACTS).sort()).toEqual(Object.keys(ALLOWED).sort());
    expect(new Set(cases.map(([, state]) => state)).size).toBe(6);
  });

  it.each(cases)('%s of a unit that is %s (by %j): %s', async (act, state, steps, code) => {
    await reach(steps);
    expect(await stateNow()).toBe(state);
    const before = await record();
    expect(await ACTS[act](state)).toBe(code);
    if (code !== 'ok') expect(await record()).toEqual(before);
    const next = (code === 'ok' && AFTER[act]?.[state]) || state;
    expect(await stateNow()).toBe(next);
    if (next !== state) at = [];
  });

  it('a claim by the same administrator again is fine and changes nothing', async () => {
    await reach(WAYS[1]?.[1] ?? []);
    const before = await record();
    expect(codeOf(await admins.claim(unit))).toBe('ok');
    expect(await record()).toEqual(before);
  });

  it('the plan of a claim takes one unit: under the same plan no other is claimed, or said to be', async () => {
    await reach([]);
    const other = (await world.units())[1]?.id ?? '';
    const plan = randomUUID();
    expect(codeOf(await admins.claim(unit, plan))).toBe('ok');
    expect(codeOf(await admins.claim(other, plan))).toBe('PLAN_REUSED');
    expect(await world.states()).toEqual(['claimed', 'reserved']);
  });
});

describe('permissions and roles', () => {
  let callers: Callers;
  let names: Names;
  beforeAll(async () => {
    await admins.reset();
    names = await servedNames(admins, [unit]);
    callers = await callersOf(world);
  }, 60_000);

  it('every route that the server registers has a row in the table of this test', () => {
    expect(Object.keys(ROUTES).sort()).toEqual(registeredRoutes());
  });

  it('every permission over instances, units, API keys, access keys, the audit log and the database is asked for by a route', () => {
    const asked = new Set(Object.values(ROUTES).flatMap(({ permission }) => permission ?? []));
    const ours = Object.keys(PERMISSIONS).filter((permission) =>
      /^(instance|crypto-unit|metrics|api-key|access-key|audit|database)\./.test(permission),
    );
    expect([...asked].sort()).toEqual(ours.sort());
  });

  const cases = Object.entries(ROUTES).flatMap(([route, { permission, status, code }]) =>
    CALLERS.map((caller) => {
      const known = (ROLES as readonly Caller[]).includes(caller);
      const granted: readonly Role[] = permission === null ? [] : PERMISSIONS[permission];
      if (permission === null || granted.includes(caller as Role)) return [caller, route, status, code] as const;
      return [caller, route, known ? 403 : 401, known ? 'FORBIDDEN' : undefined] as const;
    }),
  );

  it.each(cases)('%s asks %s: %i %s', async (caller, route, status, code) => {
    const { permission, act = permission, path, body, headers } = ROUTES[route] as (typeof ROUTES)[string];
    const sent = { ...headers?.(names), ...callers[caller] };
    const answer = await world.api(methodOf(route), path(names), body?.(names), sent);
    expect([answer.status, answer.body?.resources?.[0]?.reasons?.[0]?.code]).toEqual([status, code]);
    if (status === 401) expect(answer.body.resources).toEqual([{ errorMsg: expect.stringMatching(/^Unauthorized: /) }]);
    if (code !== 'FORBIDDEN') return;
    const { lines } = (await world.api('GET', '/api/v1/audit?limit=5')).body;
    const detail = expect.objectContaining({ refused: 'FORBIDDEN', roles: [caller] });
    expect(lines).toContainEqual(expect.objectContaining({ act, outcome: 'failure', by: caller, detail }));
  });
});

const createKey = () => {
  const { path, body, headers } = NEW_KEY;
  const names = { instance: world.instance } as Names;
  return world.api('POST', path(names), body?.(names), headers?.(names));
};
