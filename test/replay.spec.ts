import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCommand, signCommand } from '../src/admins/signed-command.js';
import { PLANS_KEPT } from '../src/unit-agent/unit-record.js';
import { Admins, adminKey, assertOk, codeOf, publicPem } from './admin.js';
import { SetClock } from './clock/set-clock.js';
import { type Answer, World } from './world.js';

/** Signed commands that come a second time: they are answered as the first time, and nothing happens. */
const directory = mkdtempSync(join(tmpdir(), 'ks-replay-'));
const clock = new SetClock(directory);
let world: World;
let admins: Admins;
let units: string[];
let copy: string;
beforeAll(async () => {
  world = await World.withInstance(2, { env: clock.env });
  admins = new Admins(world);
  units = (await world.units()).map((unit) => unit.id);
  for (const unit of units) assertOk(await admins.claim(unit));
  await world.stopServer();
  copy = await world.backUp();
  await world.launch();
  await admins.reach(units);
}, 120_000);
afterAll(async () => {
  await world.end();
  rmSync(directory, { recursive: true });
});

/** What was sent, and what the units said. */
interface Captured {
  readonly document: string;
  readonly answer: Answer;
}
const AT_ONCE = 50;
const deputy = adminKey();
const addDeputy = { type: 'admin', name: 'DEPUTY', certificate: publicPem(deputy) };
let added: Captured;
let refused: Captured;

async function capture(op: 'user.add' | 'user.remove' | 'mk.random', args: object): Promise<Captured> {
  const document = await admins.document(op, args, units);
  return { document, answer: await admins.send(document) };
}

const records = () => Promise.all(units.map(async (unit) => (await admins.facts(unit)).record));
const counters = async () => (await records()).map((record) => record?.counter);
const receipts = ({ body }: Answer) => body.units.map((unit: { receipt: string | null }) => unit.receipt);
const auditLines = async () => (await world.api('GET', '/api/v1/audit?limit=1000')).body.lines as { act: string }[];

/** Sends it again: the answer is the old one to the letter, and the units are as they were. */
async function expectSame({ document, answer }: Captured): Promise<void> {
  const before = await records();
  const again = await admins.send(document);
  expect([again.status, again.body]).toEqual([answer.status, answer.body]);
  expect(await records()).toEqual(before);
}

/** As many other commands as the units remember. */
async function pushOut(): Promise<void> {
  for (let n = 0; n < PLANS_KEPT; n += 1) {
    expect((await capture('mk.random', { bytes: 32 })).answer.body.units[0].error).toBeNull();
  }
}

describe('the same document', () => {
  it('200 times at once has one effect, 200 equal answers and one audit line per unit', async () => {
    const [before, lines] = [await counters(), await auditLines()];
    const document = await admins.document('user.add', addDeputy, units);
    const answers = await Promise.all(Array.from({ length: 200 }, () => admins.send(document)));
    const [answer] = answers as [Answer];
    expect(answer.body.units.map((unit: { outcome: string }) => unit.outcome)).toEqual(['ok', 'ok']);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await counters()).toEqual(before.map((counter) => (counter ?? 0) + 1));
    for (const record of await records()) expect(record?.admins.map(({ name }) => name)).toEqual(['ADMIN', 'DEPUTY']);
    const acts = (await auditLines()).slice(0, -lines.length).map(({ act }) => act);
    expect(acts.sort()).toEqual(['crypto-unit.user.add', 'crypto-unit.user.add', 'crypto-unit.user.add.requested']);
    added = { document, answer };
  });

  it('of an op that was refused after verification: the counter is used up, and the receipt says refused, again and again', async () => {
    const before = await counters();
    refused = await capture('user.remove', { name: 'NOBODY' });
    expect(await counters()).toEqual(before.map((counter) => (counter ?? 0) + 1));
    for (const { outcome, error, receipt } of refused.answer.body.units) {
      expect([outcome, error.code, receipt]).toEqual(['failed', 'USER_NOT_FOUND', expect.any(String)]);
    }
    await expectSame(refused);
  });

  it('a thousand times more is answered the same a thousand times', async () => {
    const before = [await records(), (await auditLines()).length];
    for (const { document, answer } of [added, refused]) {
      for (let sent = 0; sent < 1_000; sent += AT_ONCE) {
        const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => admins.send(document)));
        expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([answer.text]));
      }
    }
    expect([await records(), (await auditLines()).length]).toEqual(before);
  }, 60_000);

  it('is answered the same when the units have long forgotten it', async () => {
    await pushOut();
    await expectSame(added);
    await expectSame(refused);
  });

  it('is answered the same after a SIGKILL of the server, and after one of an agent', async () => {
    await world.killServer();
    await world.launch();
    await admins.reach(units);
    await expectSame(added);
    await admins.killAgent(units[0] ?? '');
    expect((await admins.send(refused.document)).body).toEqual(refused.answer.body);
    await admins.reach(units);
    await expectSame(refused);
  });

  it('is one plan: under the same plan another document is PLAN_REUSED, whoever signed it', async () => {
    const { plan } = parseCommand(added.document).payload;
    const before = await records();
    const payload = await admins.payload('mk.random', { bytes: 32 }, units, { plan });
    expect(codeOf(await admins.send(signCommand(payload, [admins.key])))).toBe('PLAN_REUSED');
    expect(codeOf(await admins.send(signCommand(payload, [adminKey()])))).toBe('PLAN_REUSED');
    expect(codeOf(await admins.claim(units[0] ?? '', plan))).toBe('PLAN_REUSED');
    expect(await records()).toEqual(before);
  });
});

/** An hour: longer than a document lives. */
describe.each([3_600, -3_600])('after the clocks of server and agents were set by %i s', (seconds) => {
  beforeAll(() => clock.set(seconds));
  afterAll(async () => {
    clock.set(0);
    await admins.reach(units);
  });

  it('documents that the units remember or have forgotten are answered as before', async () => {
    await admins.reach(units);
    expect(Date.parse((await admins.facts(units[0] ?? '')).at) - Date.now()).toBeCloseTo(seconds * 1_000, -5);
    await expectSame(added);
    await expectSame(refused);
  });

  it('no document is taken that was signed by the right time, and no counter is used up', async () => {
    const before = await records();
    const { body } = (await capture('mk.random', { bytes: 32 })).answer;
    expect(body.units.map((unit: { error: { code: string } }) => unit.error.code)).toEqual([
      'COMMAND_EXPIRED',
      'COMMAND_EXPIRED',
    ]);
    expect(await records()).toEqual(before);
  });

  it('what the units do by their clock is not done again by the right one', async () => {
    const at = Date.now() + seconds * 1_000;
    const moments = { issuedAt: new Date(at).toISOString(), expiresAt: new Date(at + 300_000).toISOString() };
    const payload = await admins.payload('mk.random', { bytes: 32 }, units, moments);
    const document = signCommand(payload, [admins.key]);
    const done = { document, answer: await admins.send(document) };
    expect(done.answer.body.units.map((unit: { outcome: string }) => unit.outcome)).toEqual(['ok', 'ok']);
    await expectSame(done);
    clock.set(0);
    await expectSame(done);
    clock.set(seconds);
  });
});

describe('after the database was restored to an older copy', () => {
  let recent: Captured;
  beforeEach(async () => {
    recent = await capture('mk.random', { bytes: 32 });
    await world.stopServer();
    await world.restore(copy);
    await world.launch();
    await admins.reach(units);
  }, 60_000);

  it('the units answer a document that they remember with the same receipt, and do nothing', async () => {
    const before = await records();
    const again = await admins.send(recent.document);
    expect(receipts(again)).toEqual(receipts(recent.answer));
    expect(await records()).toEqual(before);
  });

  it('the units refuse other documents under a plan that they remember', async () => {
    const { plan } = parseCommand(recent.document).payload;
    const before = await records();
    const payload = await admins.payload('user.remove', { name: 'DEPUTY' }, units, { plan });
    const { body } = await admins.send(signCommand(payload, [admins.key]));
    expect(body.units.map((unit: { error: { code: string } }) => unit.error.code)).toEqual([
      'PLAN_REUSED',
      'PLAN_REUSED',
    ]);
    expect(await records()).toEqual(before);
  });

  it.each([
    ['was done', 'COMMAND_REPLAYED', () => added, 0],
    ['was refused', 'COMMAND_REPLAYED', () => refused, 0],
    ['was done, when their clocks are an hour ahead', 'COMMAND_EXPIRED', () => added, 3_600],
    ['was done, when their clocks are an hour behind', 'COMMAND_EXPIRED', () => added, -3_600],
  ])('the units refuse a document that they have forgotten and that %s: %s', async (_what, code, captured, seconds) => {
    const before = await records();
    clock.set(seconds);
    const { body } = await admins.send(captured().document);
    clock.set(0);
    expect(
      body.units.map((unit: { error: { code: string }; receipt: null }) => [unit.error.code, unit.receipt]),
    ).toEqual([
      [code, null],
      [code, null],
    ]);
    expect(await records()).toEqual(before);
  });

  it('a claim again changes nothing', async () => {
    const before = await records();
    expect(codeOf(await admins.claim(units[0] ?? '', randomUUID()))).toBe('ok');
    expect(codeOf(await admins.claim(units[0] ?? '', randomUUID(), adminKey()))).toBe('ADMIN_MISMATCH');
    expect(await records()).toEqual(before);
  });
});
