import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Controller, Get, Module } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { FailedAttempts, networkOf } from '../../src/access/failed-attempts.js';
import { loadConfig } from '../../src/config/config.js';
import { AskedBy } from '../../src/http/asked-by.js';
import { makeDatabase, type OwnDatabase, openWith } from '../database/own-database.js';
import { type RunningApp, runApp } from '../http/running-app.js';
import { until } from '../until.js';

const limited = expect.objectContaining({ code: 'RATE_LIMITED', retryAfterS: expect.any(Number) });

let own: OwnDatabase;
let db: DataSource;
beforeAll(async () => {
  own = await makeDatabase();
  db = await openWith(own.url, []);
});
afterAll(async () => {
  await db.destroy();
  await own.drop();
});
beforeEach(() => db.query('DELETE FROM "failed_attempts"'));

/** What one of several servers knows of failures. */
const replica = (most: number, intervalMs = 60_000, database = db) =>
  new FailedAttempts(
    database,
    loadConfig({
      KEYSTEAD_LIMIT_FAILED_ATTEMPTS: String(most),
      KEYSTEAD_TIMER_FAILED_ATTEMPT_MS: String(intervalMs),
    }),
  );
const times = (count: number, work: (n: number) => Promise<void>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)));

describe('failed authentications', () => {
  it('are limited by address, and one more is allowed when its time has come', async () => {
    const attempts = replica(20, 300);
    await times(20, (n) => attempts.note('1.2.3.4', `credential ${n}`));
    expect(() => attempts.check('1.2.3.4', 'another')).toThrow(limited);
    expect(() => attempts.check('4.3.2.1', 'another')).not.toThrow();
    await until(async () => isAllowed(attempts), 5_000);
  });
  const isAllowed = (attempts: FailedAttempts) => {
    try {
      attempts.check('1.2.3.4', 'another');
      return true;
    } catch {
      return false;
    }
  };

  it('are limited sooner for one credential at an address, and nowhere else', async () => {
    const attempts = replica(20);
    await times(2, () => attempts.note('1.2.3.4', 'the same'));
    expect(() => attempts.check('1.2.3.4', 'the same')).toThrow(limited);
    expect(() => attempts.check('1.2.3.4', 'another')).not.toThrow();
    expect(() => attempts.check('4.3.2.1', 'the same')).not.toThrow();
  });

  it('are not limited when the limit is 0', async () => {
    const attempts = replica(0);
    await times(1000, () => attempts.note('1.2.3.4', 'the same'));
    expect(() => attempts.check('1.2.3.4', 'the same')).not.toThrow();
  });

  it('count for all replicas together: one that sees its first failure knows of those of the others', async () => {
    const [first, second, third] = [replica(20), replica(20), replica(20)];
    await Promise.all([first, second].map((one) => times(10, (n) => one.note('1.2.3.4', `credential ${n}`))));
    await third.note('1.2.3.4', 'one more');
    for (const one of [third, replica(20)]) {
      await one.note('1.2.3.4', 'one more');
      expect(() => one.check('1.2.3.4', 'another')).toThrow(limited);
    }
    const [row] = await db.query<{ left: string }[]>(
      `SELECT extract(epoch FROM "forgotten" - now()) AS "left" FROM "failed_attempts" WHERE "place" = '1.2.3.4'`,
    );
    expect(Number(row?.left) / 60).toBeCloseTo(23, 0); // none was lost
  });

  it('of one IPv6 network of 64 bits count together', async () => {
    const attempts = replica(20);
    await times(20, (n) => attempts.note(`2001:db8:1:2::${n.toString(16)}`, `credential ${n}`));
    expect(() => attempts.check('2001:db8:1:2:ffff::1', 'another')).toThrow(limited);
    expect(() => attempts.check('2001:db8:1:3::1', 'another')).not.toThrow();
    expect(['::1', '2001:DB8::1:0:0:1', 'fe80::1%eth0', '1.2.3.4'].map(networkOf)).toEqual([
      '0:0:0:0::/64',
      '2001:db8:0:0::/64',
      'fe80:0:0:0::/64',
      '1.2.3.4',
    ]);
  });

  it('that are forgotten leave no row behind', async () => {
    const attempts = replica(20, 1);
    await times(50, (n) => attempts.note(`10.0.0.${n}`, 'one'));
    await until(async () => {
      await attempts.note('1.2.3.4', 'one');
      const [row] = await db.query<{ count: string }[]>('SELECT count(*) FROM "failed_attempts"');
      return Number(row?.count) <= 4;
    }, 5_000);
  });

  it('are counted by the process itself while the database is away', async () => {
    const way = await wayTo(own.url);
    const there = await openWith(way.url, []);
    const attempts = replica(20, 60_000, there);
    await attempts.note('1.2.3.4', 'credential 0');
    way.close();
    await times(19, (n) => attempts.note('1.2.3.4', `credential ${n + 1}`));
    expect(() => attempts.check('1.2.3.4', 'another')).toThrow(limited);
    await there.destroy();
  });
});

/** A way to the database that can be closed. */
async function wayTo(database: string): Promise<{ url: string; close(): void }> {
  const { hostname, port } = new URL(database);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one.on('error', () => undefined).pipe(other) as Socket);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = new URL(database);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { url: url.toString(), close };
}

@Controller('things')
class ThingsController {
  @Get()
  read(@AskedBy() caller: { address?: string }) {
    return { from: caller.address };
  }
}
@Module({ controllers: [ThingsController] })
class ThingsModule {}

describe('behind a load balancer', () => {
  let app: RunningApp;
  let direct: RunningApp;
  let key: string;
  beforeAll(async () => {
    const few = { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '20' };
    app = await runApp(ThingsModule, { ...few, KEYSTEAD_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' }, own);
    direct = await runApp(ThingsModule, few, own);
    key = await app.keyFor('Reader');
  });
  afterAll(() => Promise.all([app, direct].map((one) => one?.end())));

  const ask = (at: RunningApp, forwarded: string | null, apiKey = key) =>
    fetch(`${at.url}/things`, {
      headers: { authorization: `Bearer ${apiKey}`, ...(forwarded !== null && { 'x-forwarded-for': forwarded }) },
    });
  const from = async (at: RunningApp, forwarded: string | null) =>
    ((await (await ask(at, forwarded)).json()) as { from: string }).from;

  it.each([
    ['what the proxy says', '192.0.2.7', '192.0.2.7'],
    [
      'what the last one that is not a proxy of ours says, whatever was there before',
      '1.1.1.1, 192.0.2.7',
      '192.0.2.7',
    ],
    ['what comes before our own proxies', '192.0.2.7, 10.1.2.3', '192.0.2.7'],
    ['the IPv4 address in an IPv6 one', '::ffff:192.0.2.7', '192.0.2.7'],
    ['the proxy, when it says nothing', null, '127.0.0.1'],
    ['the proxy, when it says nonsense', '<script>', '127.0.0.1'],
  ])('the address is %s', async (_what, forwarded, address) => {
    expect(await from(app, forwarded)).toBe(address);
  });

  it('nobody else is believed', async () => {
    expect(await from(direct, '192.0.2.7')).toBe('127.0.0.1');
  });

  it('one client that fails too often waits, told for how long, on every replica; the others behind it do not', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => (await ask(app, '192.0.2.66', `kp_wrong${n}`)).status),
    );
    expect(new Set(statuses)).toEqual(new Set([401]));
    const refused = await ask(app, '192.0.2.66');
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(app, '192.0.2.67')).status).toBe(200);
    const replica = await runApp(ThingsModule, { KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '20', KEYSTEAD_TRUSTED_PROXIES: '127.0.0.1' }, own); // biome-ignore format: one line
    expect((await ask(replica, '192.0.2.66', 'kp_wrong')).status).toBe(401);
    expect((await ask(replica, '192.0.2.66')).status).toBe(429);
    await replica.end();
  });
});
