import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { becomes, patience, serves, succeed, unitOf } from '../units.js';
import { until } from '../until.js';
import { KeyProtectWorld } from './key-protect-world.js';
import { newToken, ScenarioLoad } from './scenario-load.js';
import type { Token } from './sealed-imports.js';

/** Three units behind the API: any of them may be gone while keys live, and each opens what the others made. */
let w: KeyProtectWorld;
let db: pg.Client;
let ids: string[];
beforeAll(async () => {
  w = await KeyProtectWorld.start(
    {
      KEYSTEAD_CALL_DEADLINE_MS: '2000',
      KEYSTEAD_LIMIT_KEYS: '0',
      KEYSTEAD_LIMIT_ALIASES: '0',
      KEYSTEAD_LIMIT_KEY_RINGS: '0',
      KEYSTEAD_TIMER_ENABLE_MS: '1',
      KEYSTEAD_TIMER_RESTORE_MS: '1',
      KEYSTEAD_TIMER_ROTATE_MS: '1',
    },
    3,
  );
  ids = (await w.world.units()).map((unit) => unit.id);
  db = new pg.Client({ connectionString: w.world.databaseUrl });
  await db.connect();
}, 300_000);
afterAll(async () => {
  await db?.end();
  await w?.end();
}, 30_000);
afterEach(() => expect(w.proxy.violations).toEqual([]));

const allServe = () => Promise.all(ids.map((id) => serves(w.world, id, patience(30_000))));

describe('while keys live, no request fails because a unit', () => {
  let token: Token;
  beforeAll(async () => {
    token = await newToken(w);
  }, 60_000);

  const gone = (id: string) =>
    until(async () => (await w.world.api('GET', `/health/units/${id}`)).status !== 200, patience(30_000));
  const aside = (id: string) => join(w.world.dir, `aside-${id}`);
  const tokens = (id: string) => join(w.world.unitDir(id), 'tokens');

  /** Takes the unit away, and gives it back where nobody else does. */
  const FAULTS: Readonly<Record<string, readonly [take: (id: string) => Promise<void>, back: (id: string) => void]>> = {
    'is stopped (SIGSTOP)': [
      async (id) => {
        process.kill(w.world.agentPid(id), 'SIGSTOP');
        await gone(id);
      },
      () => undefined, // the server ends it and starts another
    ],
    'is killed (SIGKILL)': [
      async (id) => {
        const pid = w.world.agentPid(id);
        process.kill(pid, 'SIGKILL');
        await until(async () => w.world.agentPid(id) !== pid, patience(30_000));
      },
      () => undefined,
    ],
    'loses its token': [
      async (id) => {
        renameSync(tokens(id), aside(id));
        await gone(id);
      },
      (id) => {
        rmSync(tokens(id), { recursive: true, force: true });
        renameSync(aside(id), tokens(id));
      },
    ],
  };
  const cases = Object.keys(FAULTS).flatMap((fault) => [0, 1, 2].map((n) => [fault, n] as const));

  it.each(cases)(
    '%s: unit %i',
    async (fault, n) => {
      const [take, back] = FAULTS[fault] as (typeof FAULTS)[string];
      const id = ids[n] as string;
      await allServe();
      const load = new ScenarioLoad(w, token);
      await load.more(2);
      await take(id);
      await load.more(3);
      back(id);
      await serves(w.world, id, patience(30_000));
      await load.more(2);
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    400_000,
  );
});

describe('what one unit encrypts opens on every other', () => {
  const AAD = ['of', 'the', 'test'];
  let key: string;
  /** What was encrypted, and by which unit. */
  const made: { unitId: string; ciphertext: string; plaintext: string }[] = [];
  beforeAll(async () => {
    await allServe();
    key = (await w.create()).id;
  });

  async function act(action: string, body: object): Promise<{ unitId: string; body: Record<string, string> }> {
    const got = await w.send('POST', `/api/v2/keys/${key}/actions/${action}`, { body });
    expect([got.status, got.text]).toEqual([200, expect.anything()]);
    const { rows } = await db.query(
      `SELECT "unitId" FROM "audit_lines" WHERE "act" = $1 AND "target" = $2 ORDER BY "seq" DESC LIMIT 1`,
      [`kms.secrets.${action}`, key],
    );
    return { unitId: rows[0].unitId, body: got.body };
  }

  /** Asks until every unit has answered; each answer is checked. */
  async function byEvery(ask: () => Promise<string>): Promise<void> {
    const by = new Set<string>();
    for (let n = 0; n < 60 && by.size < ids.length; n += 1) by.add(await ask());
    expect([...by].sort()).toEqual([...ids].sort());
  }

  async function encryptByEvery(): Promise<void> {
    const before = made.length;
    await byEvery(async () => {
      const { unitId, body } = await act('wrap', { aad: AAD });
      const { ciphertext = '', plaintext = '' } = body;
      if (!made.slice(before).some((one) => one.unitId === unitId)) made.push({ unitId, ciphertext, plaintext });
      return unitId;
    });
  }

  async function assertAllOpenEverywhere(): Promise<void> {
    for (const { ciphertext, plaintext } of made) {
      await byEvery(async () => {
        const { unitId, body } = await act('unwrap', { ciphertext, aad: AAD });
        expect(body['plaintext']).toBe(plaintext);
        return unitId;
      });
    }
  }

  it('at once', async () => {
    await encryptByEvery();
    await assertAllOpenEverywhere();
  }, 60_000);

  it('after a rotation', async () => {
    expect((await w.send('POST', `/api/v2/keys/${key}/actions/rotate`)).status).toBe(204);
    await encryptByEvery();
    await assertAllOpenEverywhere();
  }, 60_000);

  it('after the server and its agents were killed', async () => {
    await w.world.killServer();
    await w.world.launch();
    await allServe();
    await encryptByEvery();
    await assertAllOpenEverywhere();
  }, 300_000);

  it('after a unit was lost and another one put in its place', async () => {
    const [, lost = ''] = ids;
    rmSync(join(w.world.unitDir(lost), 'tokens'), { recursive: true });
    await becomes(w.world, lost, ['Reachable', 'False', 'TokenLost'], patience(10_000));
    await succeed(w.world.kp('crypto-unit', 'replace', lost));
    ids = (await w.world.units()).map((unit) => unit.id);
    const [, id = ''] = ids;
    expect(id).not.toBe(lost);
    await becomes(w.world, id, ['Reachable', 'True'], patience(10_000));
    await initialise(id);
    await allServe();
    await encryptByEvery();
    await assertAllOpenEverywhere();
  }, 300_000);

  /** Claim, mk import and user add of one unit. */
  async function initialise(id: string): Promise<void> {
    const cu = JSON.stringify([{ CryptoUnitId: id, Auth: JSON.parse(w.world.auth) }]);
    const two = '["share-1.key#env:SHARE_1","share-2.key#env:SHARE_2"]';
    await succeed(w.world.kp('crypto-unit', 'claim', '--credential', 'admin.key', '--ids', id));
    await succeed(w.world.kp('crypto-unit', 'mk', 'import', '--keyshare-files', two, '--cu', cu));
    await succeed(w.world.kp('crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--cu', cu));
    expect((await unitOf(w.world, id)).state).toBe('kms-initialized');
  }
});
