import { randomUUID } from 'node:crypto';
import { signCommand } from '../src/admins/signed-command.js';
import { Admins, adminKey, codeOf, MasterKey, publicPem } from './admin.js';
import { until } from './until.js';
import { type Answer, World } from './world.js';

/** Commands that exclude each other, sent at once: one of them wins, and what must hold of an instance holds. */
let world: World;
let admins: Admins;
let units: [string, string];
beforeAll(async () => {
  world = await World.withInstance(2);
  admins = new Admins(world);
  units = (await world.units()).map(({ id }) => id) as [string, string];
}, 120_000);
afterAll(() => world.end());
beforeEach(() => admins.reset(), 30_000);

const outcome = (answer: Answer): string =>
  answer.status === 200 && answer.body.units ? (answer.body.units[0].error?.code ?? 'ok') : codeOf(answer);
const outcomes = async (...sent: Promise<Answer>[]) => (await Promise.all(sent)).map(outcome);
const records = () => Promise.all(units.map(async (unit) => (await admins.facts(unit)).record));
const claimBoth = () => Promise.all(units.map((unit) => admins.claim(unit)));

describe('claims', () => {
  it('of both units by two administrators: one has all units, the other none', async () => {
    const keys = [admins.key, adminKey()] as const;
    for (let round = 0; round < 5; round += 1) {
      const codes = await outcomes(...units.map((unit, n) => admins.claim(unit, randomUUID(), keys[n as 0 | 1])));
      const winner = codes.indexOf('ok') as 0 | 1;
      expect(codes.toSorted()).toEqual(['ADMIN_MISMATCH', 'ok']);
      const loser = units[1 - winner] as string;
      expect(codeOf(await admins.claim(loser, randomUUID(), keys[winner]))).toBe('ok');
      const kids = new Set((await records()).map((record) => record?.admins[0]?.kid));
      expect(kids.size).toBe(1);
      for (const unit of units) {
        expect((await admins.run('zeroize', { force: true }, [unit], [keys[winner]]))[unit]?.code).toBe('ok');
      }
    }
  });

  it('of one unit, several at once by the same administrator: all are fine, and the unit was claimed once', async () => {
    const [unit] = units;
    const codes = await outcomes(...[1, 2, 3, 4].map(() => admins.claim(unit)));
    expect(codes).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect((await admins.facts(unit)).record).toMatchObject({ counter: 0, admins: [{ name: 'ADMIN' }] });
  });
});

describe('administrators', () => {
  const deputy = adminKey();
  const removal = async (name: string, by: typeof deputy, ahead: number) => {
    const payload = await admins.payload('user.remove', { name }, [units[0]]);
    const [target] = payload.units as [(typeof payload.units)[number]];
    return signCommand({ ...payload, units: [{ ...target, counter: target.counter + ahead }] }, [by]);
  };

  it.each([
    [0, 0],
    [0, 1],
    [1, 0],
  ])('who remove each other at once, with counters ahead by %i and %i: one stays', async (first, second) => {
    await claimBoth();
    expect((await admins.addAdmin('DEPUTY', deputy, [units[0]]))[units[0]]?.code).toBe('ok');
    const documents = [await removal('ADMIN', deputy, first), await removal('DEPUTY', admins.key, second)];
    const codes = await outcomes(...documents.map((document) => admins.send(document)));
    expect(codes.filter((code) => code === 'ok').length).toBeLessThanOrEqual(1);
    const { record } = await admins.facts(units[0]);
    expect(record?.admins.length).toBeGreaterThanOrEqual(1);
    if (record?.admins.some(({ name }) => name === 'ADMIN')) return;
    const back = { type: 'admin', name: 'ADMIN', certificate: publicPem(admins.key) };
    expect((await admins.run('user.add', back, [units[0]], [deputy]))[units[0]]?.code).toBe('ok');
  });

  it('the last one cannot be removed, however often it is tried at once', async () => {
    await claimBoth();
    const documents = await Promise.all([0, 0, 1, 2].map((ahead) => removal('ADMIN', admins.key, ahead)));
    const codes = await outcomes(...documents.map((document) => admins.send(document)));
    for (const code of codes) expect(code).toMatch(/^(LAST_ADMIN|COMMAND_REPLAYED)$/);
    expect((await admins.facts(units[0])).record?.admins).toHaveLength(1);
  });
});

describe('master keys', () => {
  it('two of them, each into one unit: the instance has one of them', async () => {
    await claimBoth();
    const importers = await Promise.all(units.map((unit) => admins.run('mk.importer', {}, [unit])));
    const documents = await Promise.all(
      units.map((unit, n) => {
        const facts = importers[n]?.[unit]?.receipt?.facts ?? {};
        return admins.document('mk.import', new MasterKey().args(world.instance, { [unit]: facts }), [unit]);
      }),
    );
    const codes = await outcomes(...documents.map((document) => admins.send(document)));
    expect(codes.toSorted()).toEqual(['MASTER_KEY_MISMATCH', 'ok']);
    expect((await world.states()).toSorted()).toEqual(['claimed', 'initialized']);
    const held = (await world.units()).flatMap(({ conditions }) =>
      conditions.filter(({ type, status }) => type === 'Quarantined' && status === 'True'),
    );
    expect(held).toEqual([]);
  });
});

describe('zeroize', () => {
  it('of both serving units, one command each: while there are keys one of them stays', async () => {
    await admins.initialise(units);
    const type = 'application/vnd.ibm.kms.key+json';
    const key = {
      metadata: { collectionType: type, collectionTotal: 1 },
      resources: [{ type, name: 'the only one', extractable: false }],
    };
    const headers = { 'instance-id': world.instance };
    await until(async () => (await world.api('POST', '/api/v2/keys', key, headers)).status === 201, 10_000);
    await until(async () => (await world.api('GET', '/health')).body.state === 'operational', 10_000);
    const documents = await Promise.all(units.map((unit) => admins.document('zeroize', { force: false }, [unit])));
    const codes = await outcomes(...documents.map((document) => admins.send(document)));
    expect(codes.toSorted()).toEqual(['KEYS_EXIST', 'ok']);
    expect((await world.states()).toSorted()).toEqual(['kms-initialized', 'reserved']);
  });
});

describe('instances that come and go', () => {
  it('show all their units the moment they are made, and are listed while others end', async () => {
    for (let round = 0; round < 3; round += 1) {
      const made = await Promise.all(['A', 'B'].map((name) => world.api('POST', '/api/v1/instances', { name })));
      for (const { body } of made) {
        expect(body.crypto_units.map(({ state }: { state: string }) => state)).toEqual(['reserved', 'reserved']);
        const { body: units } = await world.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': body.id });
        expect(units).toHaveLength(2);
      }
      const deleted = made.map(({ body }) => world.api('DELETE', `/api/v1/instances/${body.id}`));
      const listed = Array.from({ length: 20 }, () => world.api('GET', '/api/v1/instances'));
      expect(new Set((await Promise.all(listed)).map(codeOf))).toEqual(new Set(['ok']));
      expect((await Promise.all(deleted)).map(codeOf)).toEqual(['ok', 'ok']);
    }
  });
});

describe('the end of an instance', () => {
  it('and a claim of its unit: the unit is claimed, or the instance is gone, never both', async () => {
    const made = await world.api('POST', '/api/v1/instances', { name: 'BRIEF' });
    const brief = new Admins(world, made.body.id);
    const [unit] = made.body.crypto_units.map(({ id }: { id: string }) => id);
    await brief.reach([unit]);
    const [claimed, deleted] = await Promise.all([
      brief.claim(unit),
      world.api('DELETE', `/api/v1/instances/${brief.instance}`),
    ]);
    const both = [outcome(claimed), codeOf(deleted)];
    expect([
      ['ok', 'INSTANCE_STATE'],
      ['INSTANCE_NOT_FOUND', 'ok'],
      ['UNIT_NOT_FOUND', 'ok'],
    ]).toContainEqual(both);
  });

  it('that is nowhere: 404, and upper case is no way around the check that its units are given back', async () => {
    await claimBoth();
    expect(codeOf(await world.api('DELETE', `/api/v1/instances/${randomUUID()}`))).toBe('INSTANCE_NOT_FOUND');
    const shouted = `/api/v1/instances/${world.instance.toUpperCase()}`;
    expect(codeOf(await world.api('DELETE', shouted))).toBe('INSTANCE_STATE');
    expect(await world.states()).toEqual(['claimed', 'claimed']);
  });
});
