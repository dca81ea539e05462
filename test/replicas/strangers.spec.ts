import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { becomes } from '../units.js';
import { World } from '../world.js';
import { Replicas } from './replicas.js';

/** Servers on a database that is not set up for them. They serve nothing, say why, and do no harm. */
it('one with key files of its own has another KMS identity: it says so, and a balancer sends it nothing', async () => {
  const replicas = await Replicas.initialised();
  const sharedDir = join(replicas.dir, 'another');
  mkdirSync(sharedDir, { mode: 0o700 });
  const env = { KEYSTEAD_AGENTS_FILE: join(replicas.dir, 'agents.json'), KEYSTEAD_IMPORT_PAIR_POOL: '0' };
  const stranger = await World.start({ database: replicas.database.url, sharedDir, env });
  try {
    const { body: shown } = await replicas.first.api('GET', '/health');
    expect((await fetch(`${stranger.url}/readyz`)).status).toBe(503);
    const { apiKey, instance } = replicas.first;
    const headers = { authorization: `Bearer ${apiKey}`, 'instance-id': instance };
    const units = (await fetchJson(`${stranger.url}/api/v1/cryptounits`, headers)) as {
      conditions: { reason: string }[];
    }[];
    expect(units.every(({ conditions }) => conditions.some(({ reason }) => reason === 'OtherKmsUser'))).toBe(true);
    expect(shown.state).toBe('operational');
    expect((await replicas.first.api('GET', '/health')).body.state).toBe('operational');
  } finally {
    await stranger.end();
    await replicas.end();
  }
}, 240_000);

it('one without the data directory of units that another server runs leaves them to it', async () => {
  const owner = await World.withInstance(2, { env: { KEYSTEAD_IMPORT_PAIR_POOL: '0' } });
  const stranger = await World.start({ database: owner.databaseUrl, sharedDir: owner.sharedDir });
  try {
    stranger.instance = owner.instance;
    const [unit] = await stranger.units();
    await becomes(stranger, unit?.id ?? '', ['Reachable', 'False', 'AgentDown']);
    expect((await stranger.units())[0]?.conditions[0]?.message).toContain('data directory of another server');
    expect(stranger.log).not.toContain('agent-exit');
    await becomes(owner, unit?.id ?? '', ['Reachable', 'True']);
  } finally {
    await stranger.end();
    await owner.end();
  }
}, 120_000);

async function fetchJson(url: string, headers: Record<string, string>): Promise<unknown> {
  return (await fetch(url, { headers })).json();
}
