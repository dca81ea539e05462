import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { readReceipt } from '../../src/admins/receipt.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import { AGENT, AgentWorld, eventually } from './agent-world.js';
import { Ceremony } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
});
afterAll(() => world.end());

const OBJECT_FILE = /(^|\/)[0-9a-f-]{36}\.object$/;
const refused = (code: string) => expect.objectContaining({ code });

describe('a signed zeroize', () => {
  let document: string;
  let receipt: string;

  it('ends with a receipt under the old key, another serial, and a reserved unit that holds nothing', async () => {
    await ceremony.initialise(admin);
    const before = await ceremony.facts(admin);
    const crypto = await world.crypto(ceremony.kmsUser);
    const files = readdirSync(join(world.unitDir, 'tokens'));
    document = await ceremony.document(admin, 'zeroize', { force: false });
    ({ receipt } = await admin.command(document));
    const read = readReceipt(receipt, Buffer.from(before.receiptKey?.spki ?? '', 'base64'));
    expect(read).toMatchObject({
      op: 'zeroize',
      outcome: 'ok',
      serial: before.token.serial,
      epoch: before.record?.epoch,
      counter: (before.record?.counter ?? 0) + 1,
      facts: { objectsLeft: 0 },
    });
    const after = await ceremony.facts(admin);
    expect(after).toMatchObject({ record: null, recordLost: false, objects: 0, receiptKey: null });
    expect(after.token.serial).not.toBe(before.token.serial);
    expect(after.zeroized).toEqual({ epoch: before.record?.epoch, serial: before.token.serial, receipt });
    expect(readdirSync(join(world.unitDir, 'tokens'))).not.toEqual(files);
    await crypto.connection.closed;
  });

  it('sent again is answered with the same receipt, also after a restart', async () => {
    expect(await admin.command(document)).toEqual({ receipt });
    await world.stop();
    await world.start();
    admin = await world.admin();
    expect(await admin.command(document)).toEqual({ receipt });
  });

  it('is refused by a unit that is claimed again: it is of another epoch', async () => {
    await ceremony.claim(admin);
    await expect(admin.command(document)).rejects.toEqual(refused('COMMAND_TARGET'));
  });
});

describe('a zeroize on the host', () => {
  const zeroize = () =>
    spawn(process.execPath, [AGENT, 'zeroize', '--unit', world.unit, '--data-dir', world.root, '--yes'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const codeOf = async (child: ChildProcess) => {
    let said = '';
    child.stdout?.on('data', (piece) => {
      said += piece;
    });
    const [code] = await once(child, 'exit');
    return { code, said };
  };

  it('while the agent runs, ends that agent, and is done before its supervisor has the next one ready', async () => {
    const before = await ceremony.facts(admin);
    expect(before.record).not.toBeNull();
    const zeroizing = codeOf(zeroize());
    const agent = world.child as ChildProcess;
    await once(agent, 'exit');
    do {
      await world.start(); // again, as a supervisor would: it finds the unit held while the command wipes it
    } while (world.child?.exitCode !== null);
    const { code, said } = await zeroizing;
    expect(code).toBe(0);
    admin = await world.admin();
    const after = await ceremony.facts(admin);
    expect(after).toMatchObject({ record: null, recordLost: false, objects: 0 });
    expect(said).toContain(after.zeroized?.receipt ?? 'a receipt');
    const read = readReceipt(after.zeroized?.receipt ?? '', Buffer.from(before.receiptKey?.spki ?? '', 'base64'));
    expect(read).toMatchObject({ op: 'zeroize', plan: null, outcome: 'ok' });
  });

  it('while no agent runs, is done at once', async () => {
    await ceremony.claim(admin);
    await world.stop();
    expect((await codeOf(zeroize())).code).toBe(0);
    await world.start();
    admin = await world.admin();
    expect(await ceremony.facts(admin)).toMatchObject({ record: null, objects: 0, recordLost: false });
  });

  it('frees a unit whose record is lost, without a receipt', async () => {
    await ceremony.claim(admin);
    await world.stop();
    const tokens = join(world.unitDir, 'tokens');
    for (const token of readdirSync(tokens)) {
      for (const name of readdirSync(join(tokens, token))) {
        if (OBJECT_FILE.test(name)) rmSync(join(tokens, token, name));
      }
    }
    await world.start();
    admin = await world.admin();
    expect(await ceremony.facts(admin)).toMatchObject({ recordLost: true });
    await world.stop();
    const { code, said } = await codeOf(zeroize());
    expect([code, said]).toEqual([0, expect.stringContaining('no receipt')]);
    await world.start();
    admin = await world.admin();
    expect(await ceremony.facts(admin)).toMatchObject({ record: null, recordLost: false, zeroized: null, objects: 0 });
  });

  it('frees a unit whose record is torn: it has no name by which it could be removed', async () => {
    await ceremony.claim(admin);
    await world.stop();
    const tokens = join(world.unitDir, 'tokens');
    const files = readdirSync(tokens, { encoding: 'utf8', recursive: true }).filter((name) => OBJECT_FILE.test(name));
    const torn = files.filter((name) => cutBeforeName(join(tokens, name)));
    expect(torn.length).toBeGreaterThan(0);
    await world.start();
    admin = await world.admin();
    expect(await ceremony.facts(admin)).toMatchObject({ recordLost: true });
    await world.stop();
    expect((await codeOf(zeroize())).code).toBe(0);
    await world.start();
    admin = await world.admin();
    expect(await ceremony.facts(admin)).toMatchObject({ record: null, recordLost: false, objects: 0 });
  });

  it('frees a unit whose token is gone', async () => {
    await ceremony.claim(admin);
    await world.stop();
    renameSync(join(world.unitDir, 'tokens'), join(world.root, 'gone'));
    expect((await codeOf(zeroize())).code).toBe(0);
    await world.start();
    admin = await world.admin();
    expect((await admin.probe()).facts).toMatchObject({ record: null, recordLost: false, token: { problem: null } });
  });

  it('asks before it does anything', async () => {
    const serial = readFileSync(join(world.unitDir, 'serial'), 'utf8');
    const asking = spawn(process.execPath, [AGENT, 'zeroize', '--unit', world.unit, '--data-dir', world.root]);
    asking.stdin.end('no\n');
    const [code] = await once(asking, 'exit');
    expect(code).toBe(1);
    expect(readdirSync(world.unitDir)).not.toContain('zeroize.request');
    await eventually(async () => (await admin.probe()).facts.token.present, 'the agent still serves');
    expect(readFileSync(join(world.unitDir, 'serial'), 'utf8')).toBe(serial);
  });
});

const CKA_CLASS = 0n;
const CKA_OBJECT_ID = 0x12n;
const CKO_DATA = 0n;
const [BOOLEAN, NUMBER] = [1n, 2n];

/**
 * Cuts SoftHSM's file of a data object before its CKA_OBJECT_ID, as a write that was killed leaves it. The file is a
 * generation (8 bytes), then for each attribute, by its type: type and kind (8 bytes each) and the value, a byte string
 * with its length (8 bytes) before it. False for other objects.
 */
function cutBeforeName(file: string): boolean {
  const bytes = readFileSync(file);
  let isData = false;
  for (let at = 8; at < bytes.length; ) {
    const [type, kind] = [bytes.readBigUInt64BE(at), bytes.readBigUInt64BE(at + 8)];
    if (type === CKA_CLASS) isData = bytes.readBigUInt64BE(at + 16) === CKO_DATA;
    if (type === CKA_OBJECT_ID && isData) {
      truncateSync(file, at);
      return true;
    }
    const length = kind === BOOLEAN ? 1 : kind === NUMBER ? 8 : 8 + Number(bytes.readBigUInt64BE(at + 16));
    at += 16 + length;
  }
  return false;
}
