import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import { join } from 'node:path';
import { coveredBytes, GENESIS, linkHash } from '../../src/audit/audit-chain.js';
import { follow } from '../../src/crypto-units/follow-log.js';
import { readCheckpoint } from '../../src/unit-agent/checkpoint.js';
import { type AdminClient, AgentConnection, CryptoClient } from '../../src/unit-agent/client.js';
import { encodeFrame, FrameReader } from '../../src/unit-agent/frames.js';
import { type AuditMark, OPCODES } from '../../src/unit-agent/protocol.js';
import { AgentWorld } from '../unit-agent/agent-world.js';
import { Ceremony } from '../unit-agent/ceremony.js';

/** What a unit signs of the audit log: only what follows on the last checkpoint that it signed. */
const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
let crypto: CryptoClient;
const connect = async () => {
  await world.start();
  admin = await world.admin();
};
beforeAll(async () => {
  await connect();
  await ceremony.initialise(admin);
  crypto = await world.crypto(ceremony.kmsUser);
});
afterAll(() => world.end());

const UNKNOWN_OPCODE = 200;
const START: AuditMark = { size: 0, root: GENESIS.toString('hex') };
const refused = (code: string) => expect.objectContaining({ code });
const memory = () => join(world.unitDir, 'audit-checkpoint');

/** Lines `from.size + 1` to `to` of a log, and the place after them. */
function stretch(from: AuditMark, to: number, by = 'spec'): { lines: Buffer[]; mark: AuditMark } {
  const lines: Buffer[] = [];
  let root: Buffer = Buffer.from(from.root, 'hex');
  for (let seq = from.size + 1; seq <= to; seq += 1) {
    const rest = { outcome: 'success', by, instanceId: null, unitId: null, target: null, detail: null } as const;
    const request = { correlationId: null, requestPath: null };
    const covered = coveredBytes({ seq: String(seq), at: new Date(seq), act: 'test', ...rest, ...request });
    lines.push(covered);
    root = linkHash(covered, root);
  }
  return { lines, mark: { size: to, root: root.toString('hex') } };
}

async function receiptKey(): Promise<Buffer> {
  return Buffer.from((await ceremony.facts(admin)).receiptKey?.spki ?? '', 'base64');
}

/** Signs up to line `to` after `from`; what the unit says it signed. */
async function advance(from: AuditMark, to: number): Promise<AuditMark> {
  const { lines, mark } = stretch(from, to);
  const { size, root, unit } = readCheckpoint(await crypto.signCheckpoint(from, lines), await receiptKey());
  expect([size, root, unit]).toEqual([mark.size, mark.root, world.unit]);
  return mark;
}

let last: AuditMark;

it('a unit without a checkpoint shows none, and begins where it is told', async () => {
  expect((await ceremony.facts(admin)).audit).toBeNull();
  last = await advance(stretch(START, 40).mark, 50);
  expect((await ceremony.facts(admin)).audit).toEqual(last);
});

it('the next checkpoint follows on the last one, and the same again is signed again', async () => {
  last = await advance(last, 1_000);
  last = await advance(last, 1_000);
});

it.each([
  ['a shorter log', () => stretch(START, 900).mark],
  ['a log of another history', () => stretch(START, 1_000, 'somebody else').mark],
  ['a log that claims to begin later', () => stretch(last, 1_500).mark],
  ['an empty log', () => START],
] as const)('%s is refused as rolled back, and the unit keeps its own', async (_what, from) => {
  await expect(crypto.signCheckpoint(from(), [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
  expect((await ceremony.facts(admin)).audit).toEqual(last);
});

it.each([
  ['lines that leave one out', () => stretch(last, last.size + 3).lines.filter((_, at) => at !== 1)],
  ['lines in another order', () => stretch(last, last.size + 2).lines.toReversed()],
  ['something that is no line', () => [Buffer.from('keystead-receipt+jws')]],
  ['random bytes', () => [randomBytes(64)]],
] as const)('%s are not signed', async (_what, lines) => {
  await expect(crypto.signCheckpoint(last, lines())).rejects.toEqual(refused('BAD_REQUEST'));
  expect((await ceremony.facts(admin)).audit).toEqual(last);
});

describe('lines that the unit goes over without signing', () => {
  it('are followed by more of them, and the checkpoint follows on all', async () => {
    const middle = stretch(last, last.size + 300);
    await crypto.followLog(last, middle.lines);
    const further = stretch(middle.mark, middle.mark.size + 300);
    await crypto.followLog(middle.mark, further.lines);
    expect((await ceremony.facts(admin)).audit).toEqual(last); // nothing was signed yet
    last = await advance(further.mark, further.mark.size + 1);
    expect((await ceremony.facts(admin)).audit).toEqual(last);
  });

  it('must follow on what the unit signed, and must be the next', async () => {
    const { lines, mark } = stretch(last, last.size + 3);
    await expect(crypto.followLog(stretch(START, 900).mark, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
    await expect(crypto.followLog(mark, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
    await expect(crypto.followLog(last, lines.toReversed())).rejects.toEqual(refused('BAD_REQUEST'));
  });

  it('are of no other history: what was gone over is nothing to begin at when something else was signed', async () => {
    const { lines, mark } = stretch(last, last.size + 3, 'somebody else');
    await crypto.followLog(last, lines);
    last = await advance(last, last.size + 5);
    await expect(crypto.signCheckpoint(mark, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
  });

  it('are forgotten when the agent ends: the unit goes on from its checkpoint', async () => {
    const { lines, mark } = stretch(last, last.size + 3);
    await crypto.followLog(last, lines);
    await world.stop('SIGKILL');
    await connect();
    crypto = await world.crypto(ceremony.kmsUser);
    await expect(crypto.signCheckpoint(mark, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
    last = await advance(last, last.size + 3);
  });
});

describe('a server has a unit go over lines that are not the last', () => {
  const signed = async () => (await ceremony.facts(admin)).audit;

  it('without a signature, but for one in 50,000 lines', async () => {
    const before = last;
    const next = stretch(before, before.size + 250);
    await follow(crypto, before, next.lines, next.mark);
    expect(await signed()).toEqual(before);
    const edge = stretch(next.mark, 49_999).mark;
    await ceremony.command(admin, 'restore.accept', edge);
    last = edge;
    const over = stretch(edge, 50_001);
    await follow(crypto, edge, over.lines, over.mark);
    expect(await signed()).toEqual(over.mark);
    last = over.mark;
  });

  it('also where the agent is of an earlier version, which signs them', async () => {
    const proxy = createServer((client) => {
      const agent = connectTo(world.socket);
      const reader = new FrameReader();
      agent.pipe(client);
      client.on('data', (piece: Buffer) => {
        for (const { id, code, body } of reader.push(piece)) {
          agent.write(encodeFrame({ id, code: code === OPCODES.followLog ? UNKNOWN_OPCODE : code, body }));
        }
      });
      client.on('close', () => agent.destroy());
    });
    const path = join(world.root, 'earlier.sock');
    await new Promise<void>((listening) => proxy.listen(path, listening));
    const connection = await AgentConnection.connect(path, { deadlineMs: 10_000 });
    const earlier = await CryptoClient.open(connection, ceremony.kmsUser);
    const { lines, mark } = stretch(last, last.size + 250);
    await follow(earlier, last, lines, mark);
    expect(await signed()).toEqual(mark);
    last = mark;
    connection.close();
    await new Promise((closed) => proxy.close(closed));
  });
});

it('a size that is not a whole number, or a root of another length, is refused', async () => {
  for (const from of [
    { ...last, size: -1 },
    { ...last, size: 0.5 },
    { ...last, size: 2 ** 60 },
    { ...last, root: 'ab' },
  ]) {
    await expect(crypto.signCheckpoint(from, [])).rejects.toEqual(refused('BAD_REQUEST'));
  }
});

it('what was signed outlives a kill of the agent', async () => {
  await world.stop('SIGKILL');
  await connect();
  crypto = await world.crypto(ceremony.kmsUser);
  expect((await ceremony.facts(admin)).audit).toEqual(last);
  await expect(crypto.signCheckpoint(START, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
});

describe('the file that holds the last checkpoint', () => {
  it('is believed only as the unit signed it', async () => {
    const kept = readFileSync(memory());
    const bent = Buffer.from(kept);
    bent[bent.length - 10] = (bent.at(-10) ?? 0) ^ 1;
    writeFileSync(memory(), bent);
    expect((await ceremony.facts(admin)).audit).toBe('unreadable');
    await expect(crypto.signCheckpoint(last, [])).rejects.toEqual(refused('AUDIT_TAMPERED'));
    writeFileSync(memory(), kept);
    expect((await ceremony.facts(admin)).audit).toEqual(last);
  });

  it('cannot be another unit’s, nor a receipt of this one', async () => {
    const kept = readFileSync(memory());
    const [epoch = ''] = kept.toString().split(' ');
    const nonce = randomBytes(16).toString('base64url');
    writeFileSync(memory(), `${epoch} ${(await admin.facts({ nonce })).receipt}\n`);
    expect((await ceremony.facts(admin)).audit).toBe('unreadable');
    writeFileSync(memory(), kept);
  });
});

describe('restore.accept', () => {
  it('has the unit go on from the log that the administrators signed', async () => {
    const { mark } = stretch(START, 700, 'the restored one');
    const receipt = await ceremony.command(admin, 'restore.accept', mark);
    expect(receipt).toMatchObject({ outcome: 'ok', facts: { before: last } });
    expect(readCheckpoint(String(receipt.facts['checkpoint']), await receiptKey())).toMatchObject(mark);
    expect((await ceremony.facts(admin)).audit).toEqual(mark);
    await expect(crypto.signCheckpoint(last, [])).rejects.toEqual(refused('DATABASE_ROLLED_BACK'));
    last = await advance(mark, 705);
  });

  it('is refused without an administrator’s signature', async () => {
    const document = await ceremony.document(admin, 'restore.accept', START, ceremony.kmsUser);
    await expect(admin.command(document)).rejects.toEqual(refused('SIGNATURE_INVALID'));
    expect((await ceremony.facts(admin)).audit).toEqual(last);
  });

  it('also mends a checkpoint that cannot be read', async () => {
    writeFileSync(memory(), `${(await ceremony.facts(admin)).record?.epoch} x.y.z\n`);
    expect((await ceremony.facts(admin)).audit).toBe('unreadable');
    expect(await ceremony.command(admin, 'restore.accept', last)).toMatchObject({ facts: { before: 'unreadable' } });
    expect((await ceremony.facts(admin)).audit).toEqual(last);
  });
});

it('a new claim knows nothing of the checkpoints of an earlier one', async () => {
  await admin.command(await ceremony.document(admin, 'zeroize', { force: true }));
  await ceremony.initialise(admin);
  expect((await ceremony.facts(admin)).audit).toBeNull();
});
