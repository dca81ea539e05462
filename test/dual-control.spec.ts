import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COSIGNED_LIFETIME_MS } from '../src/admins/quorum.js';
import { parseCommand, signCommand } from '../src/admins/signed-command.js';
import { Admins, adminKey, assertOk } from './admin.js';
import { Machine } from './machine.js';
import { until } from './until.js';
import { World } from './world.js';

/** Several administrators must sign: what the units ask for, and how people on machines of their own get there. */

/** All subsets of a list. */
const subsets = <T>(list: readonly T[]): T[][] =>
  Array.from({ length: 2 ** list.length }, (_none, bits) => list.filter((_one, n) => bits & (1 << n)));

describe('what the units ask for', () => {
  let world: World;
  let admins: Admins;
  let units: string[];
  const people = [adminKey(), adminKey(), adminKey()];
  const everybody = () => [admins.key, ...people];
  beforeAll(async () => {
    world = await World.withInstance(2);
    admins = new Admins(world);
    units = (await world.units()).map(({ id }) => id);
    for (const unit of units) assertOk(await admins.claim(unit));
    for (const [n, key] of people.entries()) await agreed(admins.addAdmin(`ADMIN ${n + 2}`, key, units));
  }, 120_000);
  afterAll(() => world.end());

  const record = async () => (await admins.facts(units[0] ?? '')).record;
  const codes = (verdicts: Awaited<ReturnType<Admins['run']>>) => Object.values(verdicts).map(({ code }) => code);
  async function agreed(verdicts: ReturnType<Admins['run']>): Promise<void> {
    expect(codes(await verdicts)).toEqual(['ok', 'ok']);
  }
  const both = (code: string) => [code, code];
  const set = (threshold: number, keys: readonly (typeof admins.key)[]) =>
    admins.run('threshold.set', { threshold }, units, [...keys]);
  /** Whatever it is now, by all. */
  const become = (threshold: number) => agreed(set(threshold, everybody()));

  it.each([2, 3])(
    'with a threshold of %i no smaller set of administrators suffices, whoever they are, and every larger one does',
    async (threshold) => {
      await become(threshold);
      for (const keys of subsets(everybody()).filter(({ length }) => length > 0)) {
        const before = (await record())?.counter ?? 0;
        const done = await admins.run('mk.random', { bytes: 32 }, units, keys);
        const enough = keys.length >= threshold;
        expect(codes(done)).toEqual(both(enough ? 'ok' : 'QUORUM_NOT_MET'));
        expect((await record())?.counter).toBe(enough ? before + 1 : before);
      }
    },
    60_000,
  );

  const moves = [1, 2, 3, 4].flatMap((from) => [1, 2, 3, 4].map((to) => [from, to] as const));
  it.each(moves)(
    'the threshold goes from %i to %i with the signatures of the larger number, and not with one less',
    async (from, to) => {
      await become(from);
      const needed = Math.max(from, to);
      for (const keys of subsets(everybody()).filter(({ length }) => length === needed - 1 && length > 0)) {
        expect(codes(await set(to, keys))).toEqual(both('QUORUM_NOT_MET'));
      }
      expect((await record())?.threshold).toBe(from);
      expect(codes(await set(to, everybody().slice(-needed)))).toEqual(both('ok'));
      expect((await record())?.threshold).toBe(to);
    },
  );

  it('more administrators than there are cannot be asked for, though all sign: the counter is used up', async () => {
    await become(2);
    const before = await record();
    expect(codes(await set(5, everybody()))).toEqual(both('THRESHOLD_INVALID'));
    expect(await record()).toEqual({ ...before, counter: (before?.counter ?? 0) + 1 });
  });

  it('one administrator who signs twice is one signer: the document is refused', async () => {
    await become(2);
    const payload = await admins.payload('mk.random', { bytes: 32 }, units);
    const { payload: body, signatures } = JSON.parse(signCommand(payload, [admins.key]));
    const [again] = JSON.parse(signCommand(payload, [admins.key])).signatures;
    expect(again).not.toEqual(signatures[0]); // the salt differs, the signer does not
    const before = await record();
    const answer = await admins.send(JSON.stringify({ payload: body, signatures: [...signatures, again] }));
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('COMMAND_MALFORMED')]);
    expect(await record()).toEqual(before);
  });

  it('one key under two names is refused, so it cannot count twice', async () => {
    const twice = await admins.addAdmin('ANOTHER NAME', admins.key, units, everybody());
    expect(codes(twice)).toEqual(both('USER_EXISTS'));
  });

  it('so many administrators stay as must sign', async () => {
    await become(4);
    expect(codes(await admins.run('user.remove', { name: 'ADMIN 4' }, units, everybody()))).toEqual(both('LAST_ADMIN'));
    expect((await record())?.admins).toHaveLength(4);
  });

  it.each([
    [1, 10 * 60_000, 'ok'],
    [1, 10 * 60_000 + 1, 'COMMAND_MALFORMED'],
    [2, COSIGNED_LIFETIME_MS, 'ok'],
  ])('where %i must sign a command may live for %i ms: %s', async (threshold, life, code) => {
    await become(threshold);
    const issued = Date.now();
    const payload = await admins.payload('mk.random', { bytes: 32 }, units, {
      issuedAt: new Date(issued).toISOString(),
      expiresAt: new Date(issued + life).toISOString(),
    });
    const { body } = await admins.send(signCommand(payload, everybody()));
    expect(body.units.map((unit: { error: { code: string } | null }) => unit.error?.code ?? 'ok')).toEqual(both(code));
  });

  it('a command of yesterday has expired, however many sign it', async () => {
    await become(2);
    const now = Date.now();
    const ago = (hours: number) => new Date(now - hours * 3_600_000).toISOString();
    const payload = await admins.payload('mk.random', { bytes: 32 }, units, { issuedAt: ago(25), expiresAt: ago(1) });
    const { body } = await admins.send(signCommand(payload, everybody()));
    expect(body.units[0].error.code).toBe('COMMAND_EXPIRED');
  });

  it('sent too early, and again with the missing signature, the same command is done; then it is answered the same', async () => {
    await become(2);
    const payload = await admins.payload('threshold.set', { threshold: 3 }, units, { plan: randomUUID() });
    const outcomes = (answer: Awaited<ReturnType<Admins['send']>>) =>
      answer.body.units.map(
        (unit: { outcome: string; error: { code: string } | null }) => unit.error?.code ?? unit.outcome,
      );
    expect(outcomes(await admins.send(signCommand(payload, everybody().slice(0, 2))))).toEqual(both('QUORUM_NOT_MET'));
    const complete = signCommand(payload, everybody().slice(0, 3));
    const done = await admins.send(complete);
    expect(outcomes(done)).toEqual(both('ok'));
    await become(2);
    const before = await record();
    expect((await admins.send(complete)).body).toEqual(done.body);
    expect((await admins.send(signCommand(payload, everybody()))).body).toEqual(done.body);
    expect(await record()).toEqual(before);
    const { lines } = (await world.api('GET', '/api/v1/audit?limit=200')).body;
    const asked = lines.filter(
      ({ act, target }: { act: string; target: string }) =>
        act === 'crypto-unit.threshold.set.requested' && target === payload.plan,
    );
    expect(asked).toHaveLength(2); // each set of signatures that was sent is kept as evidence
  });
});

describe('people on machines of their own', () => {
  let world: World;
  let ada: Machine;
  let bob: Machine;
  let carol: Machine;
  beforeAll(async () => {
    world = await World.withInstance(2);
    ada = Machine.online(world, 'ADMIN');
    bob = Machine.offline(world, 'bob');
    carol = Machine.online(world, 'carol');
    for (const { kp, name } of [ada, bob, carol].map((machine) => ({ name: machine.name, kp: machine })))
      await kp.succeed('crypto-unit', 'sig-key', 'generate', '--file', `${name}.key`, '--passphrase', 'env:PASS');
    await ada.succeed('crypto-unit', 'claim', '--credential', 'ADMIN.key');
    for (const { name, home } of [bob, carol]) {
      const key = join(home, `${name}.key`);
      await ada.succeed(
        'crypto-unit',
        'user',
        'add',
        '--type',
        'admin',
        '--name',
        name,
        '--credential',
        key,
        ...as('ADMIN'),
      );
    }
    await ada.succeed('crypto-unit', 'threshold', 'set', '2', '--sign-only', at('first.json'), ...as('ADMIN'));
    await bob.succeed('command', 'sign', at('first.json'), ...as('bob'), '--unit-key', bob.unitKeys);
    await carol.succeed('command', 'submit', at('first.json'), '--unit-key', carol.unitKeys);
  }, 180_000);
  afterAll(() => world.end());

  const as = (name: string) => ['--auth', `[{"${name}":"${name}.key#env:PASS"}]`];
  const at = (name: string) => join(world.dir, 'handover', name);
  const facts = async () => JSON.parse(await carol.succeed('crypto-unit', 'users', '-o', 'json'));
  const remove = ['crypto-unit', 'user', 'remove', '-u', 'carol'];
  const shown = async (file: string) => JSON.parse(await bob.succeed('command', 'show', at(file), '-o', 'json'));

  it('a threshold set by two of them is in force and shown', async () => {
    for (const unit of await facts()) expect(unit).toMatchObject({ threshold: 2, receiptKeyKnown: true });
    const { stderr } = await carol.kp('crypto-units');
    expect(stderr).toContain('Each command needs the signatures of 2 administrators.');
    expect(await carol.succeed('crypto-unit', 'users')).toContain('Signatures needed for a command: 2');
  });

  it('one alone is told to write the command for the others', async () => {
    const alone = await ada.kp(...remove, ...as('ADMIN'));
    expect([alone.code, alone.stderr]).toEqual([4, expect.stringContaining('--sign-only FILE')]);
  });

  it('a command is written unsigned or partly signed, for its owner alone, and never over a file', async () => {
    await ada.succeed(...remove, '--sign-only', at('unsigned.json'));
    expect(statSync(at('unsigned.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(at('unsigned.json'), 'utf8'))).toMatchObject({
      payload: expect.any(String),
      signatures: [],
    });
    expect(await shown('unsigned.json')).toMatchObject({
      signedBy: [],
      missing: 2,
      canSign: ['ADMIN', 'bob', 'carol'],
    });
    expect(await ada.kp(...remove, '--sign-only', at('unsigned.json'))).toMatchObject({ code: 1 });
  });

  it('it is shown in plain words, without a server', async () => {
    const units = (await world.units()).map(({ id }) => id);
    const said = await bob.succeed('command', 'show', at('unsigned.json'));
    expect(said).toContain("this command removes the user 'carol'");
    for (const id of units) expect(said).toMatch(new RegExp(`${id} +[0-9a-f]{16} +number 4 +0 of 2 +known here`));
    expect(said).toContain('Nobody has signed it.\nMissing: 2 more signatures, of: ADMIN, bob, carol');
    expect(said).toMatch(/Expires +20\S+ \(in 23 h 5\d min\)/);
    expect(said).toContain(`Next: kp command sign ${at('unsigned.json')}`);
  });

  it('it is not sent before it is complete; one who signed does not sign again, and a stranger never', async () => {
    await ada.succeed('command', 'sign', at('unsigned.json'), ...as('ADMIN'));
    const early = await carol.kp('command', 'submit', at('unsigned.json'));
    expect([early.code, early.stderr]).toEqual([4, expect.stringContaining('lacks 1 signature(s), of: bob, carol')]);
    const twice = await ada.kp('command', 'sign', at('unsigned.json'), ...as('ADMIN'));
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("'ADMIN' (ADMIN.key) has signed")]);
    await bob.succeed('crypto-unit', 'sig-key', 'generate', '--file', 'mallory.key', '--passphrase', 'env:PASS');
    const stranger = await bob.kp('command', 'sign', at('unsigned.json'), ...as('mallory'));
    expect([stranger.code, stranger.stderr]).toEqual([4, expect.stringContaining('not of an administrator')]);
    expect((await shown('unsigned.json')).signedBy).toMatchObject([{ name: 'ADMIN' }]);
  });

  it('a machine that does not know the units signs nothing until somebody compared their keys', async () => {
    const dave = Machine.offline(world, 'dave');
    await dave.succeed('crypto-unit', 'sig-key', 'generate', '--file', 'dave.key', '--passphrase', 'env:PASS');
    const unknown = await dave.kp('command', 'sign', at('unsigned.json'), ...as('dave'));
    expect([unknown.code, unknown.stderr]).toEqual([5, expect.stringMatching(/--unit-key [0-9a-f]{64}/)]);
    expect(await dave.succeed('command', 'show', at('unsigned.json'))).toContain('not known here');
  });

  it('a file that was changed on its way is refused', async () => {
    const good = JSON.parse(readFileSync(at('unsigned.json'), 'utf8'));
    const payload = JSON.parse(Buffer.from(good.payload, 'base64url').toString());
    const other = (change: object) => Buffer.from(JSON.stringify({ ...payload, ...change })).toString('base64url');
    const [facts0] = good.unitFacts;
    const cases: [string, object, number][] = [
      ['the act', { payload: other({ args: { name: 'bob' } }) }, 4],
      [
        'the act, with the signatures gone',
        { payload: other({ units: [{ ...payload.units[0], serial: 'f' }] }), signatures: [], adminKeys: [] },
        5,
      ],
      [
        'the facts',
        { unitFacts: [{ ...facts0, receipt: `${facts0.receipt.slice(0, -4)}AAAA` }, good.unitFacts[1]] },
        5,
      ],
      ['the facts of one unit missing', { unitFacts: [facts0] }, 1],
    ];
    for (const [n, [what, change, code]] of cases.entries()) {
      writeFileSync(at(`changed-${n}.json`), JSON.stringify({ ...good, ...change }));
      expect({ what, code: (await bob.kp('command', 'show', at(`changed-${n}.json`))).code }).toEqual({ what, code });
    }
  });

  it('the second signs offline, a third submits: all units do it, once', async () => {
    await bob.succeed('command', 'sign', at('unsigned.json'), ...as('bob'));
    const plan = await carol.succeed('command', 'submit', at('unsigned.json'), '--plan');
    expect(plan).toMatch(/^Nothing is sent.*removes the user 'carol'\n +signed by ADMIN, bob; needed: 2/s);
    expect((await facts())[0].users).toHaveLength(3);
    const sent = await carol.succeed('command', 'submit', at('unsigned.json'));
    for (const { id } of await world.units()) {
      expect(sent).toContain(`Executing operation Remove User against CryptoUnit with ID ${id}\nOK`);
    }
    const after = await facts();
    for (const { users } of after) expect(users.map(({ name }: { name: string }) => name)).toEqual(['ADMIN', 'bob']);
    expect(await carol.succeed('command', 'submit', at('unsigned.json'))).toBe(sent);
    expect(await facts()).toEqual(after);
    const planned = await carol.kp('command', 'submit', at('unsigned.json'), '--plan');
    expect([planned.code, planned.stderr]).toEqual([1, expect.stringContaining('make it again')]);
  });

  it('a command that another one overtook is refused by the units, and is to be made again', async () => {
    const add = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'carol', '--credential'];
    const key = join(carol.home, 'carol.key');
    for (const file of ['slow.json', 'fast.json']) {
      await ada.succeed(...add, key, '--sign-only', at(file), ...as('ADMIN'));
      await bob.succeed('command', 'sign', at(file), ...as('bob'));
    }
    await carol.succeed('command', 'submit', at('fast.json'));
    const slow = await carol.kp('command', 'submit', at('slow.json'));
    expect([slow.code, slow.stderr]).toEqual([1, expect.stringContaining('sign anew')]);
  });

  it('a signed command outlives a kill of server and agents; submitted under a kill, its retry ends with all units done', async () => {
    await ada.succeed('crypto-unit', 'user', 'remove', '-u', 'carol', '--sign-only', at('kill.json'), ...as('ADMIN'));
    await bob.succeed('command', 'sign', at('kill.json'), ...as('bob'));
    const agents = (await world.units()).map(({ id }) => world.agentPid(id));
    await world.killServer();
    await until(async () => agents.every((pid) => !isAlive(pid)), 20_000);
    await world.launch();
    await until(async () => (await carol.kp('crypto-unit', 'users')).code === 0, 30_000);
    const running = carol.kp('command', 'submit', at('kill.json'));
    process.kill(world.agentPid((await world.units())[1]?.id ?? ''), 'SIGKILL');
    const first = await running;
    const retry = /^Next: (kp .*)$/m.exec(first.stderr)?.[1] ?? `kp command submit ${at('kill.json')}`;
    await until(async () => (await carol.kp('crypto-unit', 'users')).code === 0, 30_000);
    const again = await carol.sh(retry);
    expect({ code: again.code, stderr: again.stderr }).toEqual({ code: 0, stderr: '' });
    for (const { users } of await facts()) expect(users).toHaveLength(2);
  }, 120_000);

  it('a unit that is not reached is a partial failure with the retry; the others are done', async () => {
    const [, second] = await world.units();
    const key = join(carol.home, 'carol.key');
    const add = ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'carol', '--credential', key];
    await ada.succeed(...add, '--sign-only', at('part.json'), ...as('ADMIN'));
    await bob.succeed('command', 'sign', at('part.json'), ...as('bob'));
    await carol.succeed('crypto-unit', 'maintenance', second?.id ?? '', '--on');
    const part = await carol.kp('command', 'submit', at('part.json'));
    expect(part.code).toBe(3);
    await carol.succeed('crypto-unit', 'maintenance', second?.id ?? '', '--off');
    const retry = await carol.sh(/^Next: (kp .*)$/m.exec(part.stderr)?.[1] ?? 'false');
    expect([retry.code, retry.stdout.match(/^OK$/gm)]).toEqual([0, ['OK', 'OK']]);
  });

  it('what cannot be one file says the way: mk generate, mk import and instance delete', async () => {
    const shares = '["s1.ks#env:PASS","s2.ks#env:PASS"]';
    const generate = await ada.kp(
      'crypto-unit',
      'mk',
      'generate',
      '--keyshare-files',
      shares,
      '--key-name',
      'MK',
      '--sign-only',
      'x.json',
    );
    expect([generate.code, generate.stderr]).toEqual([
      2,
      expect.stringContaining('kp crypto-unit mk random --sign-only x.json'),
    ]);
    const load = await ada.kp('crypto-unit', 'mk', 'import', '--keyshare-files', shares, '--sign-only', 'x.json');
    expect([load.code, load.stderr]).toEqual([
      2,
      expect.stringContaining('kp crypto-unit mk importer --sign-only x.json'),
    ]);
    const gone = await ada.kp('instance', 'delete', 'TEST', '--sign-only', 'x.json');
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('kp crypto-unit zeroize')]);
  });

  it('the one-time keys of an import wait as long as a command may live', async () => {
    await ada.succeed('crypto-unit', 'mk', 'importer', '--sign-only', at('importer.json'), ...as('ADMIN'));
    await bob.succeed('command', 'sign', at('importer.json'), ...as('bob'));
    const { plan } = JSON.parse(await carol.succeed('command', 'submit', at('importer.json'), '-o', 'json'));
    const { body } = await world.api('GET', `/api/v1/operations/${plan}`);
    for (const { receipt } of body.units) {
      const { facts: said, at: when } = JSON.parse(Buffer.from(receipt.split('.')[1], 'base64url').toString());
      const life = Date.parse(said.expiresAt) - Date.parse(when);
      expect(Math.abs(life - COSIGNED_LIFETIME_MS)).toBeLessThan(10_000);
    }
    expect(parseCommand(JSON.stringify(documentIn(at('importer.json')))).payload.op).toBe('mk.importer');
  });
});

/** What of a command file goes to the units. */
function documentIn(path: string): object {
  const { payload, signatures } = JSON.parse(readFileSync(path, 'utf8'));
  return { payload, signatures };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH
  }
}
