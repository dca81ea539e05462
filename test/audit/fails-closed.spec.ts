import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { createKey, instanceHeader, patience } from '../units.js';
import { until } from '../until.js';
import { World } from '../world.js';

/** While the audit log cannot be written, no request that uses a key or changes something succeeds; it ends by itself. */
let world: World;
let key: string;
let db: pg.Client;
let own: OwnDatabase;
const ROLE = `keystead_${randomBytes(6).toString('hex')}`;
beforeAll(async () => {
  own = await makeDatabase();
  db = new pg.Client({ connectionString: own.url });
  db.on('error', () => undefined);
  await db.connect();
  world = await World.withInstance(2, { env: { KEYSTEAD_DATABASE_URL: await ordinaryOwner() } });
  await world.initialise();
  key = await createKey(world, 'root');
}, 240_000);
afterAll(async () => {
  await world.end();
  await db.query('GRANT ALL ON "audit_lines" TO CURRENT_USER');
  await db.query(`REASSIGN OWNED BY ${ROLE} TO CURRENT_USER`);
  await db.query(`DROP OWNED BY ${ROLE}`);
  await db.end();
  await own.drop();
  await asAdmin(`DROP ROLE ${ROLE}`);
});

/** Makes the database one of a role that is no superuser: privileges can be taken from it. The URL for the server. */
async function ordinaryOwner(): Promise<string> {
  const password = randomBytes(12).toString('hex');
  const url = new URL(own.url);
  await db.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${password}'`);
  await db.query(`ALTER DATABASE ${url.pathname.slice(1)} OWNER TO ${ROLE}`);
  await db.query(`ALTER SCHEMA public OWNER TO ${ROLE}`);
  [url.username, url.password] = [ROLE, password];
  return url.toString();
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
  await client.connect();
  await client.query(sql);
  await client.end();
}

const MOST_MS = 2_000;
const DATA_KEY = Buffer.alloc(32, 7).toString('base64');

interface Timed {
  readonly status: number;
  readonly milliseconds: number;
}

async function timed(ask: () => Promise<{ status: number }>): Promise<Timed> {
  const began = Date.now();
  const { status } = await ask();
  return { status, milliseconds: Date.now() - began };
}

const wrapOne = (to = world, id = key) =>
  timed(() => to.api('POST', `/api/v2/keys/${id}/actions/wrap`, { plaintext: DATA_KEY }, instanceHeader(to)));
const createOne = (to = world) => timed(() => to.api('POST', '/api/v1/api-keys', { name: 'n', roles: ['Reader'] }));

const lines = async () => Number((await db.query('SELECT max("seq") AS "n" FROM "audit_lines"')).rows[0].n);

/** Requests of both kinds, all at once and again after a while: refused in time. */
async function refusesAll(to = world, id = key): Promise<void> {
  const asked = [...Array.from({ length: 8 }, () => wrapOne(to, id)), createOne(to), createOne(to)];
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
  const slowest = Math.max(...answers.map(({ milliseconds }) => milliseconds));
  expect(slowest).toBeLessThanOrEqual(patience(MOST_MS));
}

async function blocked(to = world): Promise<void> {
  await until(async () => (await to.api('GET', '/readyz')).status === 503, patience(4_000));
  expect(['audit-blocked', 'database-unavailable']).toContain((await to.api('GET', '/readyz')).body.state);
}

async function recovers(to = world, id = key): Promise<void> {
  await until(async () => (await to.api('GET', '/readyz')).status === 200, patience(10_000));
  await until(async () => (await wrapOne(to, id)).status === 200, patience(10_000));
  expect((await createOne(to)).status).toBe(201);
}

const WAYS: readonly (readonly [string, () => Promise<unknown>, () => Promise<unknown>])[] = [
  [
    'nothing may be inserted',
    () => db.query(`REVOKE INSERT ON "audit_lines" FROM ${ROLE}`),
    () => db.query(`GRANT INSERT ON "audit_lines" TO ${ROLE}`),
  ],
  [
    'the disk is full',
    async () => {
      await db.query(
        `CREATE FUNCTION "full"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$`,
      );
      await db.query(`CREATE TRIGGER "full" BEFORE INSERT ON "audit_lines" EXECUTE FUNCTION "full"()`);
    },
    () => db.query('DROP FUNCTION "full"() CASCADE'),
  ],
  [
    'the table is locked',
    async () => {
      await db.query('BEGIN');
      await db.query('LOCK TABLE "audit_lines" IN EXCLUSIVE MODE');
    },
    () => db.query('ROLLBACK'),
  ],
  [
    'another server holds the end of the chain and hangs',
    async () => {
      await db.query('BEGIN');
      await db.query(`SELECT pg_advisory_xact_lock(${0x6b7361})`);
    },
    () => db.query('ROLLBACK'),
  ],
];

it.each(WAYS)(
  '%s: refused within 2 s, health says so, and it ends by itself',
  async (_what, begin, end) => {
    await recovers();
    await begin();
    try {
      await refusesAll();
      await blocked();
      await refusesAll();
    } finally {
      await end();
    }
    await recovers();
  },
  180_000,
);

it('each success has exactly one line', async () => {
  await recovers();
  const before = await lines();
  const answers = await Promise.all(Array.from({ length: 40 }, () => wrapOne()));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(40);
  expect((await lines()) - before).toBe(40);
}, 60_000);

describe('with a database of its own', () => {
  let embedded: World;
  let ownKey: string;
  beforeAll(async () => {
    embedded = await World.withInstance(2, { embedded: true });
    await embedded.initialise();
    ownKey = await createKey(embedded, 'root');
  }, 240_000);
  afterAll(() => embedded.end());

  /** Every process of the server's PostgreSQL. */
  const postgres = () =>
    execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(embedded.dataDir) && line.includes('postgres'))
      .map((line) => Number(line.trim().split(' ')[0]))
      .flatMap((pid) => [
        pid,
        ...execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
          .split('\n')
          .map(Number),
      ])
      .filter((pid) => pid > 0 && pid !== embedded.serverPid);

  it('PostgreSQL hangs in all its processes: refused within 2 s, health says so, and it ends by itself', async () => {
    await recovers(embedded, ownKey);
    const stopped = postgres();
    expect(stopped.length).toBeGreaterThan(3);
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    try {
      await refusesAll(embedded, ownKey);
      await blocked(embedded);
      await refusesAll(embedded, ownKey);
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    }
    await recovers(embedded, ownKey);
  }, 180_000);
});
