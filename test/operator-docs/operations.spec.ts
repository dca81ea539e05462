import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../src/shared/bytes.js';
import { makeDatabase } from '../database/own-database.js';
import { Machine } from '../machine.js';
import { succeed } from '../units.js';
import { type Acts, execute, stepsOf } from './drill.js';
import { Station } from './station.js';

/**
 * One installation through its life: the ceremony of docs/ceremony.md, then the drills of docs/runbooks, one after the other.
 * Each leaves the installation as the next one needs it.
 */
let station: Station;
beforeAll(async () => {
  station = await Station.start();
}, 240_000);
afterAll(() => station?.end());

let initialised = false;
async function drill(page: string, acts: Acts = {}): Promise<string[]> {
  if (!initialised) throw new Error('the ceremony did not come to its end');
  return execute(`docs/runbooks/${page}`, station.shells(), acts);
}
const inFiles = (name: string) => join(station.world.files, name);
const inUnit = (n: number, name: string) => join(station.agent(n).unitDir, name);
const checkpoint = () => station.world.api('POST', '/api/v1/audit/checkpoints', {});

it('ceremony.md: the script ends with units that two administrators hold, and evidence that an auditor can check', async () => {
  const { world } = station;
  const laptop = Machine.online(world, 'laptop');
  const others = ['second', 'third', 'auditor'].map((name) => Machine.offline(world, name));
  const wrong = await execute(
    'docs/ceremony.md',
    { laptop: station.shellOf(laptop), ...Object.fromEntries(others.map((one) => [one.name, station.shellOf(one)])) },
    { 'the laptop is wiped': () => station.carryAway(laptop) },
  );
  expect(wrong).toEqual([]);
  const [instance] = (await world.api('GET', '/api/v1/instances')).body.instances;
  world.instance = instance.id;
  for (const { id } of instance.crypto_units) {
    const { body } = await world.api('GET', `/api/v1/cryptounits/${id}`);
    expect([body.state, body.record.threshold]).toEqual(['kms-initialized', 2]);
    expect(body.record.admins.map(({ name }: { name: string }) => name)).toEqual(['ADMIN', 'second', 'third']);
  }
  initialised = true;
}, 300_000);

it('README.md: the files that the pages use', async () => {
  expect(await drill('README.md')).toEqual([]);
  const both = '[{"ADMIN":"admin.key#env:ADMIN_PASSPHRASE"},{"second":"second.key#env:SECOND"}]';
  await succeed(station.shells().admin(`kp crypto-unit threshold set 1 --auth '${both}'`)); // one signs in the drills
}, 60_000);

it('upgrade.md', async () => {
  station.about(1);
  const wrong = await drill('upgrade.md', {
    'one agent is restarted': () => station.restart(1),
    'the server is restarted': async () => {
      await station.world.stopServer();
      await station.world.launch();
      await station.becomes();
    },
  });
  expect(wrong).toEqual([]);
}, 120_000);

it('unit-down.md', async () => {
  const wrong = await drill('unit-down.md', {
    'the agent of one unit is killed': async () => {
      await station.agent(1).end('SIGKILL');
      await station.isSeen(1, ['Reachable', 'False', 'AgentDown']);
    },
    'the agent is started': async () => {
      await station.agent(1).start();
      await station.becomes();
    },
    'the token directory is moved away': async () => {
      renameSync(inUnit(1, 'tokens'), join(station.dir, 'aside'));
      await station.isSeen(1, ['Reachable', 'False', 'TokenLost']);
    },
    'the token directory is put back': async () => {
      renameSync(join(station.dir, 'aside'), inUnit(1, 'tokens'));
      await station.serves(1);
    },
    'the unit is lost for good, and another agent is there': async () => {
      await station.agent(1).end('SIGKILL');
      await station.isSeen(1, ['Reachable', 'False', 'AgentDown']);
      await station.addAgent();
    },
  });
  expect(wrong).toEqual([]);
}, 180_000);

it('pin-refused.md', async () => {
  copyFileSync(station.pinFile, join(station.agentHost, 'right.pin'));
  const wrong = await drill('pin-refused.md', {
    'the PIN file holds a wrong PIN': async () => {
      chmodSync(station.pinFile, 0o600);
      writeFileSync(station.pinFile, 'not the right one\n');
      await station.restart(3);
      await station.isSeen(3, ['Reachable', 'False', 'PinRefused']);
    },
    'the agent tries again': async () => {
      await station.restart(3);
      await station.serves(3);
    },
  });
  expect(wrong).toEqual([]);
}, 120_000);

it('seal-key.md', async () => {
  const wrong = await drill('seal-key.md', {
    'the seal key is moved away': async () => {
      renameSync(join(station.agent(4).dir, 'seal-key'), join(station.agentHost, 'seal-key.copy'));
      await station.restart(4);
      await station.isSeen(4, ['Reachable', 'False', 'ConfigInvalid']);
    },
    'the agent is started again': async () => {
      await station.restart(4);
      await station.serves(4);
    },
    'the agent is stopped': () => station.agent(4).end(),
    'the agent is started with the new key': async () => {
      await station.restart(4);
      await station.serves(4);
    },
  });
  expect(wrong).toEqual([]);
}, 120_000);

it('wrong-master-key.md', async () => {
  const wrong = await drill('wrong-master-key.md', {
    'somebody with the PIN destroys the master key on a token': async () => {
      await station.destroyMasterKey();
      await station.isSeen(3, ['MasterKeyMatches', 'False']);
    },
    'the unit is claimed and loaded as unit-down.md says': () => {
      const lines = stepsOf('docs/runbooks/unit-down.md').find(
        (step) => step.kind === 'run' && step.lines.startsWith('NEW='),
      );
      return succeed(station.shells().admin((lines as { lines: string }).lines));
    },
    'a keyshare file is damaged': () => {
      const text = readFileSync(inFiles('share-1.key'), 'utf8');
      writeFileSync(
        inFiles('damaged.key'),
        text.replace(/("ciphertext": ")(.)/, (_, begin, one) => begin + (one === 'A' ? 'B' : 'A')),
      );
    },
  });
  expect(wrong).toEqual([]);
}, 180_000);

it('lost-share.md, then compromised-share.md', async () => {
  const wrong = await drill('lost-share.md', {
    'the second keyshare is lost': () => rmSync(inFiles('share-2.key')),
    'an old keyshare was copied before': () => copyFileSync(inFiles('share-1.key'), inFiles('copied.key')),
  });
  expect(wrong).toEqual([]);
  expect(await drill('compromised-share.md')).toEqual([]);
}, 180_000);

it('admin-key-rotation.md, then compromised-admin.md', async () => {
  const wrong = await drill('admin-key-rotation.md', {
    'a certificate ends in ten days': async () => {
      const make =
        'openssl req -x509 -newkey rsa:2048 -nodes -keyout bob.key -out bob.pem -days 10 -subj /CN=bob 2>/dev/null';
      const add = 'kp crypto-unit user add --type admin --name bob --credential bob.pem --auth @signers.json';
      await succeed(station.shells().admin(`${make}\n${add}`));
    },
  });
  expect(wrong).toEqual([]);
  expect(await drill('compromised-admin.md')).toEqual([]);
}, 180_000);

it('certificate-expired.md', async () => {
  const wrong = await drill('certificate-expired.md', {
    'the certificate of an agent has expired': async () => {
      const sign =
        'openssl x509 -req -in unit-2.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 0 -extfile unit-2.ext -out unit-2.pem';
      await succeed(station.shells().ca(sign));
      await station.restart(2);
      await station.isSeen(2, ['Reachable', 'False', 'AgentDown'], 'expired');
    },
    'the API process connects anew': () => station.serves(2),
  });
  expect(wrong).toEqual([]);
}, 120_000);

it('clock-wrong.md', async () => {
  expect(await drill('clock-wrong.md')).toEqual([]);
}, 120_000);

it('bootstrap-key-lost.md', async () => {
  const file = join(station.world.sharedDir, 'bootstrap-api-key');
  const kept = readFileSync(file);
  const wrong = await drill('bootstrap-key-lost.md', { 'the file of the first API key is lost': () => rmSync(file) });
  expect(wrong).toEqual([]);
  if (!existsSync(file)) writeFileSync(file, kept, { mode: 0o600 });
}, 120_000);

it('whoever writes to the database makes himself a Manager, and no administrator', async () => {
  const forged = `kp_${randomBytes(32).toString('base64url')}`;
  await station.sql(
    `INSERT INTO "api_keys" ("id", "name", "hash", "roles", "scopes", "createdAt")
     VALUES ('${randomUUID()}', 'forged', '\\x${sha256(forged).toString('hex')}', '{Manager}', '[]', now())`,
  );
  const asked = (path: string) => fetch(station.world.url + path, { headers: { authorization: `Bearer ${forged}` } });
  expect((await asked('/api/v1/api-keys')).status).toBe(200);
  await station.sql(`UPDATE "crypto_units" SET "lastRecord" = jsonb_set("lastRecord", '{admins}', '[]')`);
  const { stdout } = await succeed(station.shells().admin('kp crypto-unit users'));
  expect(stdout.match(/^ADMIN /gm)).toHaveLength(3);
});

it('audit-tampered.md, database-loss.md, then database-rolled-back.md', async () => {
  const { server } = station.shells();
  await succeed(server('keystead backup monday.backup'));
  await checkpoint();
  const tampered = await drill('audit-tampered.md', {
    'a line of the audit log is changed in the database': async () => {
      await station.sql('ALTER TABLE "audit_lines" DISABLE TRIGGER ALL');
      await station.sql(`UPDATE "audit_lines" SET "by" = 'nobody' WHERE "seq" = 5`);
    },
  });
  expect(tampered).toEqual([]);
  const empty = await makeDatabase();
  const lost = await drill('database-loss.md', {
    'the database is lost': async () => {
      await station.world.stopServer();
      await station.world.restore(empty.url);
    },
    'the server is started on it': async () => {
      await station.world.launch();
      await station.becomes('database-rolled-back');
    },
  });
  await empty.drop();
  expect(lost).toEqual([]);
  const accepted = await drill('database-rolled-back.md', { 'the units serve again': () => station.becomes() });
  expect(accepted).toEqual([]);
}, 240_000);
