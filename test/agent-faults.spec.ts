import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { type AccessKey, AlibabaWorld, signedQuery } from './alibaba-kms/alibaba-world.js';
import { createKey, instanceHeader, Load, opens, patience, serves, unitOf, wrap } from './units.js';
import { until } from './until.js';
import { World } from './world.js';

/** What happens to the agents of a server, while clients wrap without a pause. */
const DEADLINE_MS = 2_000;
/** Of the use of a key. */
const CRYPTO_DEADLINE_MS = DEADLINE_MS / 2;
/** IBM's words; clients look for them. */
const NO_UPSTREAM = 'no healthy upstream: no crypto units are in kms-initialized state at this time';

let world: World;
let key: string;
let ids: string[];
beforeAll(async () => {
  world = await World.initialised(3, { env: { KEYSTEAD_CALL_DEADLINE_MS: String(DEADLINE_MS) } });
  ids = (await world.units()).map((unit) => unit.id);
  key = await createKey(world, 'root');
}, 180_000);
afterAll(() => world.end());
beforeEach(() => Promise.all(ids.map((id) => serves(world, id))));

const events = (name: string) => world.log.split('\n').filter((line) => line.includes(`"event":"${name}"`)).length;

describe('an agent that hangs', () => {
  it('is killed after its deadline and started again; meanwhile no request fails', async () => {
    const [id = ''] = ids;
    const load = new Load(world, key);
    await load.more(20);
    const [pid, killed] = [world.agentPid(id), events('agent-kill')];
    process.kill(pid, 'SIGSTOP');
    const began = Date.now();
    await until(async () => events('agent-kill') > killed, patience(DEADLINE_MS + 3_000));
    expect(Date.now() - began).toBeGreaterThan(DEADLINE_MS - 500); // not before its deadline
    await until(async () => world.agentPid(id) !== pid, patience(3_000));
    await serves(world, id);
    await load.more(20);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(events('agent-kill')).toBe(killed + 1);
  });

  it('keeps nobody waiting until its deadline: who met it asks another unit', async () => {
    const [id = ''] = ids;
    const path = `/api/v2/keys/${key}/actions/wrap`;
    const one = () => world.api('POST', path, { plaintext: 'AAAA' }, instanceHeader(world));
    const wraps = async () => (await Promise.all(Array.from({ length: 60 }, one))).map(({ status }) => status);
    await wraps(); // every unit has a connection now
    const pid = world.agentPid(id);
    process.kill(pid, 'SIGSTOP');
    const began = performance.now();
    expect(new Set(await wraps())).toEqual(new Set([200]));
    expect(performance.now() - began).toBeLessThan(patience(CRYPTO_DEADLINE_MS / 2));
    await until(async () => world.agentPid(id) !== pid, patience(DEADLINE_MS + 3_000)); // the next test wants it well
  });

  it('is not offered to clients once it was seen, and is never called reserved', async () => {
    const [, id = ''] = ids;
    process.kill(world.agentPid(id), 'SIGSTOP');
    const seen = new Set<string>();
    await until(
      async () => {
        seen.add((await unitOf(world, id)).state);
        return (await world.api('GET', `/health/units/${id}`)).status === 503;
      },
      patience(DEADLINE_MS + 3_000),
    );
    expect([...seen]).toEqual(['kms-initialized']);
  });
});

describe('an agent that is killed in use', () => {
  it('fails no request, and is back within 3 s', async () => {
    const load = new Load(world, key);
    for (const id of ids) {
      await load.more(20);
      const pid = world.agentPid(id);
      process.kill(pid, 'SIGKILL');
      const began = Date.now();
      await until(async () => world.agentPid(id) !== pid, patience(3_000));
      await serves(world, id);
      expect(Date.now() - began).toBeLessThan(patience(3_000));
    }
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  it('fails none either when two of three are killed at once', async () => {
    const load = new Load(world, key);
    await load.more(20);
    for (const id of ids.slice(0, 2)) process.kill(world.agentPid(id), 'SIGKILL');
    await load.more(20);
    await Promise.all(ids.map((id) => serves(world, id)));
    await load.stop();
    expect(load.failures).toEqual([]);
  });
});

describe('when no unit is left', () => {
  const tokens = (id: string) => join(world.unitDir(id), 'tokens');
  const away = (id: string) => join(world.dir, `away-${id}`);
  const ready = () => world.api('GET', '/readyz');
  const useKey = () => world.api('POST', `/api/v2/keys/${key}/actions/wrap`, {}, instanceHeader(world));

  /** The answer to a request that names an access key and is not signed with it. */
  const unsigned = async (accessKey: AccessKey) => {
    const query = signedQuery('ListKeys', {}, { ...accessKey, access_key_secret: 'of another key' });
    const answer = await fetch(`${world.url}/?${query}`, { method: 'POST' });
    return { status: answer.status, text: await answer.text() };
  };

  it("clients get IBM's 503 that names the units, and /readyz 503 with Retry-After, within 2 s; all comes back by itself", async () => {
    const sealed = await wrap(world, key);
    const { accessKey } = await AlibabaWorld.of(world);
    for (const id of ids) renameSync(tokens(id), away(id));
    const began = Date.now();
    await until(async () => (await ready()).status === 503, patience(2_000));
    await until(async () => (await useKey()).text.includes(NO_UPSTREAM), patience(2_000));
    expect(Date.now() - began).toBeLessThan(patience(2_000));
    expect((await ready()).headers.get('retry-after')).toBe('2');
    const asked = await useKey();
    expect([asked.status, asked.headers.get('retry-after')]).toEqual([503, '2']);
    const [{ code, message }] = asked.body.resources[0].reasons;
    expect(code).toBe('SERVICE_UNAVAILABLE_ERR');
    const lost = ids.map((id) => `crypto unit ${id}: kms-initialized (TokenLost)`);
    expect(message).toBe([NO_UPSTREAM, ...lost, 'next: kp crypto-units'].join('; '));
    const bySigning = await unsigned(accessKey);
    expect([bySigning.status, bySigning.text]).toEqual([503, expect.stringContaining(NO_UPSTREAM)]);
    expect(bySigning.text).not.toContain(ids[0]); // whether the signature is right, no unit could say
    expect(new Set(await world.states())).toEqual(new Set(['kms-initialized']));
    for (const id of ids) renameSync(away(id), tokens(id));
    await until(async () => (await ready()).status === 200, 10_000);
    expect(await opens(world, key, sealed)).toBe(true);
  });

  it("no request gets another refusal than IBM's, also in the moment in which the units go", async () => {
    const load = new Load(world, key);
    await load.more(20);
    for (const id of ids) process.kill(world.agentPid(id), 'SIGKILL');
    await until(async () => load.failures.length > 0, 10_000);
    await Promise.all(ids.map((id) => serves(world, id)));
    await load.more(20);
    await load.stop();
    for (const failure of load.failures) expect(failure).toMatch(new RegExp(`^503 .*${NO_UPSTREAM}`));
  });
});
