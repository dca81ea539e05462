/** The agents by themselves, through their sockets: what one frame more or less costs, and what a second unit gives. */
import { createPrivateKey, randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { AgentConnection, CryptoClient } from '../dist/unit-agent/client.js';

export const IN_FLIGHT = [1, 16, 64, 256];
const PLAINTEXT = Buffer.alloc(32, 7);
const AAD = Buffer.alloc(40, 9);

/** Encryptions per second by requests in flight at each unit, for one unit, two and three. */
export async function measureAgents(world, seconds) {
  const { identity, sockets } = world.agents();
  const key = createPrivateKey(identity);
  const units = [];
  for (const socket of sockets) {
    const connection = await AgentConnection.connect(socket, { deadlineMs: 10_000 });
    const client = await CryptoClient.open(connection, key);
    const row = rowFor(world.instance);
    units.push({ client, row, connection, ...(await client.generateRootKey(row)) });
  }
  try {
    await prove(units);
    const results = {};
    for (const count of [1, 2, 3]) {
      results[count] = {};
      for (const inFlight of IN_FLIGHT)
        results[count][inFlight] = await perSecond(units.slice(0, count), inFlight, seconds);
    }
    return results;
  } finally {
    for (const { connection } of units) connection.close();
  }
}

function rowFor(instance) {
  const id = randomUUID();
  const policy = JSON.stringify({ name: 'bench', note: 'as long as the policy of a key is'.repeat(4) });
  return { instance, key: id, version: id, algorithm: 'AES-256', state: 'active', policy };
}

/** What one unit sealed another opens: else nothing here is worth measuring. */
async function prove(units) {
  const [{ client, row, blob, mac }] = units;
  const sealed = await client.encrypt(row, blob, mac, AAD, PLAINTEXT);
  for (const unit of units) {
    const opened = await unit.client.decrypt(row, blob, mac, AAD, sealed);
    if (!opened.equals(PLAINTEXT)) throw new Error('a unit opened something else');
  }
}

async function perSecond(units, inFlight, seconds) {
  const end = performance.now() + seconds * 1_000;
  let done = 0;
  const drive = async ({ client, row, blob, mac }) => {
    while (performance.now() < end) {
      const sealed = await client.encrypt(row, blob, mac, AAD, PLAINTEXT);
      if (sealed.length !== 60) throw new Error(`an agent sealed to ${sealed.length} bytes`);
      done += 1;
    }
  };
  const begun = performance.now();
  await Promise.all(units.flatMap((unit) => Array.from({ length: inFlight }, () => drive(unit))));
  return done / ((performance.now() - begun) / 1_000);
}
