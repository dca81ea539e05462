import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { spkiOf } from '../../src/admins/public-key.js';
import { findSoftHsm } from '../../src/pkcs11/find-module.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import { OPCODES, type Opcode } from '../../src/unit-agent/protocol.js';
import { RECORD_LABEL } from '../../src/unit-agent/record-store.js';
import { encodeRecord } from '../../src/unit-agent/unit-record.js';
import { AgentWorld, rsaKey } from './agent-world.js';
import { Ceremony } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
  await ceremony.initialise(admin);
});
afterAll(() => world.end());

describe('who can write to the token directory but has no PIN', () => {
  it('cannot name another administrator: public objects are not believed, and are removed', async () => {
    const before = await ceremony.facts(admin);
    const { instance, epoch, counter } = before.record ?? { instance: '', epoch: '', counter: 0 };
    await world.stop();
    const key = randomBytes(32);
    const unitMac = randomBytes(16).toString('hex');
    const eve = rsaKey();
    const record = {
      v: 1,
      seq: 1_000,
      unit: world.unit,
      serial: before.token.serial ?? '',
      instance,
      epoch,
      counter,
      threshold: 1,
      admins: [{ name: 'eve', spki: spkiOf(eve).toString('base64'), certificate: null }],
      kmsUser: null,
      mk: null,
      receiptKey: { id: randomBytes(16).toString('hex'), spki: before.receiptKey?.spki ?? '' },
      unitMac,
      plans: [],
    } as const;
    const forged = encodeRecord({ ...record, admins: [...record.admins], plans: [] }, (_id, data) =>
      createHmac('sha256', key).update(data).digest(),
    );
    const words = [findSoftHsm() ?? '', unitMac, key.toString('hex'), RECORD_LABEL, randomBytes(16).toString('hex')];
    const script = fileURLToPath(new URL('plant.mjs', import.meta.url));
    const env = { ...process.env, SOFTHSM2_CONF: join(world.unitDir, 'softhsm2.conf') };
    expect(execFileSync(process.execPath, [script, ...words, forged.toString('hex')], { env }).toString()).toBe(
      'planted\n',
    );
    await world.start();
    admin = await world.admin();
    const after = (await admin.probe()).facts;
    expect(after.record).toEqual(before.record);
    expect(after).toMatchObject({ objects: before.objects, masterKeyMatches: true, token: { problem: null } });
    const document = await ceremony.document(admin, 'mk.random', { bytes: 32 }, eve);
    await expect(admin.command(document)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });
});

describe('who can reach the socket but has no key', () => {
  it('changes nothing with any request, and the agent goes on', async () => {
    const before = await ceremony.facts(admin);
    const connection = await world.connect();
    const op = fc.constantFrom(...(Object.keys(OPCODES) as Opcode[]));
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record(
          { document: fc.string(), nonce: fc.string(), plan: fc.string(), certificate: fc.string() },
          { requiredKeys: [] },
        )
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    await fc.assert(
      fc.asyncProperty(op, body, async (name, bytes) => {
        const answer = await connection.request(name, bytes).catch((refusal: Error & { code: string }) => refusal);
        if (!Buffer.isBuffer(answer))
          expect(answer.code).not.toMatch(/INTERNAL|UNIT_FAULT|UNIT_UNREACHABLE|TOKEN_LOST/);
      }),
      { numRuns: 1_000 },
    );
    const after = await ceremony.facts(admin);
    expect(after.record).toEqual(before.record);
    expect(after.objects).toBe(before.objects);
  });
});
