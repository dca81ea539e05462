import { randomUUID } from 'node:crypto';
import { signCommand } from '../../src/admins/signed-command.js';
import { Admins, adminKey, codeOf, publicPem } from '../admin.js';
import { until } from '../until.js';
import type { Answer } from '../world.js';
import { Replicas } from './replicas.js';
import type { StandaloneAgent } from './standalone-agents.js';

/** Commands of administrators that reach the same units through two servers at once. */
let replicas: Replicas;
let admins: readonly [Admins, Admins];
let units: [string, string, string];
beforeAll(async () => {
  replicas = await Replicas.withInstance();
  admins = [new Admins(replicas.first), new Admins(replicas.second)];
  units = (await replicas.first.units()).map(({ id }) => id) as [string, string, string];
}, 120_000);
afterAll(() => replicas?.end());
beforeEach(() => admins[0].reset(), 30_000);

const outcome = (answer: Answer): string =>
  answer.status === 200 && answer.body.units ? (answer.body.units[0].error?.code ?? 'ok') : codeOf(answer);
const outcomes = async (sent: readonly Promise<Answer>[]) => (await Promise.all(sent)).map(outcome);
const agentOf = (unit: string) => replicas.agents.find(({ unitId }) => unitId === unit) as StandaloneAgent;

it('claims of two units by two administrators: one has all units, the other none', async () => {
  for (let round = 0; round < 3; round += 1) {
    const codes = await outcomes(admins.map((admin, n) => admin.claim(units[n as 0 | 1])));
    expect(codes.toSorted()).toEqual(['ADMIN_MISMATCH', 'ok']);
    const winner = admins[codes.indexOf('ok') as 0 | 1];
    await winner.reset();
  }
});

it('the same command through both: done once, and both get the same receipt', async () => {
  await admins[0].claim(units[0]);
  const before = (await admins[0].facts(units[0])).record?.counter ?? 0;
  const args = { type: 'admin', name: 'DEPUTY', certificate: publicPem(adminKey()) };
  const document = await admins[0].document('user.add', args, [units[0]]);
  const answers = await Promise.all([0, 1, 0, 1].map((n) => (admins[n] as Admins).send(document)));
  expect(answers.map(outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
  expect(new Set(answers.map(({ body }) => body.units[0].receipt)).size).toBe(1);
  const { record } = await admins[1].facts(units[0]);
  expect(record?.counter).toBe(before + 1);
  expect(record?.admins).toHaveLength(2);
  const { id } = answers[0]?.body ?? {};
  const done = await replicas.first.api('GET', `/api/v1/audit?act=crypto-unit.user.add&target=${id}`);
  expect(done.body.lines).toHaveLength(1);
});

it('two commands for one unit, signed one after the other: both are done, in their order', async () => {
  await admins[0].claim(units[0]);
  const add = async (name: string, ahead: number) => {
    const args = { type: 'admin', name, certificate: publicPem(adminKey()) };
    const payload = await admins[0].payload('user.add', args, [units[0]]);
    const [target] = payload.units as [(typeof payload.units)[number]];
    return signCommand({ ...payload, units: [{ ...target, counter: target.counter + ahead }] }, [admins[0].key]);
  };
  const documents = [await add('ONE', 0), await add('TWO', 1)] as const;
  const codes = await outcomes(documents.map((document, n) => (admins[n] as Admins).send(document)));
  expect(codes[0]).toBe('ok');
  if (codes[1] !== 'ok') {
    expect(codes[1]).toBe('COMMAND_REPLAYED'); // it came first, and its turn had not come
    expect(outcome(await admins[1].send(documents[1]))).toBe('ok');
  }
  const { record } = await admins[1].facts(units[0]);
  expect(record?.admins.map(({ name }) => name).toSorted()).toEqual(['ADMIN', 'ONE', 'TWO']);
});

it('zeroize of every serving unit, one command through each server: while there are keys one unit stays', async () => {
  const [first, second] = admins;
  await first.initialise(units);
  await replicas.ready();
  expect((await first.run('zeroize', { force: true }, [units[2]]))[units[2]]?.code).toBe('ok');
  const made = await replicas.first.kp('key', 'create', 'the only one', '-o', 'json');
  expect(made.code).toBe(0);
  const documents = await Promise.all(
    [units[0], units[1]].map((unit) => first.document('zeroize', { force: false }, [unit])),
  );
  const codes = await outcomes(documents.map((document, n) => [first, second][n]?.send(document) as Promise<Answer>));
  expect(codes.toSorted()).toEqual(['KEYS_EXIST', 'ok']);
  const states = (await replicas.second.units()).map(({ state }) => state);
  expect(states.toSorted()).toEqual(['kms-initialized', 'reserved', 'reserved']);
  await replicas.first.kp('key', 'delete', JSON.parse(made.stdout).id);
});

it('what a server left when it was killed, the other one carries on', async () => {
  const agent = agentOf(units[0]);
  const plan = randomUUID();
  process.kill(agent.pid, 'SIGSTOP');
  const sent = admins[0].claim(units[0], plan).catch(() => undefined); // its server dies under it
  const pending = async () => (await replicas.second.api('GET', `/api/v1/operations/${plan}`)).status === 200;
  await until(pending, 10_000);
  await replicas.first.killServer();
  await sent;
  process.kill(agent.pid, 'SIGCONT');
  const outcomeThere = async () => {
    const { body } = await replicas.second.api('GET', `/api/v1/operations/${plan}`);
    return body.units[0].outcome as string;
  };
  await until(async () => (await outcomeThere()) === 'ok', 20_000);
  expect((await replicas.second.units()).find(({ id }) => id === units[0])?.state).toBe('claimed');
  await replicas.first.launch();
}, 60_000);
