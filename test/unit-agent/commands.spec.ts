import { randomBytes, randomUUID } from 'node:crypto';
import type { Receipt } from '../../src/admins/receipt.js';
import { type CommandPayload, signCommand } from '../../src/admins/signed-command.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import { AgentWorld, rsaKey } from './agent-world.js';
import { Ceremony, payloadFor, publicPem } from './ceremony.js';

const world = new AgentWorld();
const ceremony = new Ceremony(world);
let admin: AdminClient;
beforeAll(async () => {
  await world.start();
  admin = await world.admin();
});
afterAll(() => world.end());

const counter = async () => (await ceremony.facts(admin)).record?.counter;
const refused = (code: string) => expect.objectContaining({ code });
const addAdmin = (name: string, key = rsaKey()) => ({ type: 'admin', name, certificate: publicPem(key) });

describe('a reserved unit', () => {
  it('takes no signed command', async () => {
    const payload = payloadFor(
      {
        ...(await ceremony.facts(admin)),
        record: {
          instance: world.instance,
          epoch: randomBytes(16).toString('hex'),
          counter: 0,
          threshold: 1,
          admins: [],
          kmsUser: null,
          masterKey: null,
        },
      },
      'mk.importer',
      {},
    );
    await expect(admin.command(signCommand(payload, [ceremony.adminKey]))).rejects.toEqual(refused('UNIT_STATE'));
  });

  it('of another instance is not claimed', async () => {
    const claim = { plan: randomUUID(), instance: randomUUID(), certificate: publicPem(ceremony.adminKey) };
    await expect(admin.claim(claim)).rejects.toEqual(refused('COMMAND_TARGET'));
  });

  it('lets one of two simultaneous claims win', async () => {
    const rival = new Ceremony(world);
    const outcomes = await Promise.allSettled([ceremony.claim(admin), rival.claim(await world.admin())]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((outcomes[1] as PromiseRejectedResult).reason).toEqual(refused('UNIT_STATE'));
    expect(world.lines.filter(({ event }) => event === 'claimed')).toHaveLength(1);
  });

  it('claimed again by the same administrator answers and changes nothing', async () => {
    const before = await ceremony.facts(admin);
    expect(await ceremony.claim(admin)).toMatchObject({ op: 'claim', outcome: 'ok', epoch: before.record?.epoch });
    expect(await ceremony.facts(admin)).toMatchObject({ record: before.record, objects: before.objects });
  });

  it('the log names the receipt key that the facts show', async () => {
    const { receiptKey } = await ceremony.facts(admin);
    expect(world.lines.find(({ event }) => event === 'claimed')?.['unitKey']).toBe(receiptKey?.fingerprint);
  });
});

describe('a command that is not good', () => {
  const cases: readonly (readonly [string, string, (good: CommandPayload) => Partial<CommandPayload>])[] = [
    ['for another unit', 'COMMAND_TARGET', ({ units }) => ({ units: units.map((u) => ({ ...u, id: randomUUID() })) })],
    ['for another instance', 'COMMAND_TARGET', () => ({ instance: randomUUID() })],
    ['for another serial', 'COMMAND_TARGET', ({ units }) => ({ units: units.map((u) => ({ ...u, serial: 'x' })) })],
    [
      'for another epoch',
      'COMMAND_TARGET',
      ({ units }) => ({ units: units.map((u) => ({ ...u, epoch: '0'.repeat(32) })) }),
    ],
    ['that expired', 'COMMAND_EXPIRED', () => ({ issuedAt: ago(10), expiresAt: ago(2) })],
    ['from the future', 'COMMAND_EXPIRED', () => ({ issuedAt: ago(-2), expiresAt: ago(-4) })],
    [
      'with the counter before',
      'COMMAND_REPLAYED',
      ({ units }) => ({ units: units.map((u) => ({ ...u, counter: u.counter + 1 })) }),
    ],
  ];
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

  it.each(cases)('%s is refused with %s, and the counter stays', async (_what, code, change) => {
    const before = await counter();
    const good = payloadFor(await ceremony.facts(admin), 'mk.random', { bytes: 32 });
    const document = signCommand({ ...good, ...change(good) }, [ceremony.adminKey]);
    await expect(admin.command(document)).rejects.toEqual(refused(code));
    expect(await counter()).toBe(before);
  });

  it('signed by a stranger, alone or beside an administrator, is refused, and the counter stays', async () => {
    const before = await counter();
    const payload = payloadFor(await ceremony.facts(admin), 'mk.random', { bytes: 32 });
    for (const signers of [[rsaKey()], [ceremony.adminKey, rsaKey()]]) {
      await expect(admin.command(signCommand(payload, signers))).rejects.toEqual(refused('SIGNATURE_INVALID'));
    }
    expect(await counter()).toBe(before);
  });

  it.each(['', '{}', '{"payload":"","signatures":[]}', 'x'.repeat(1000)])('of form %.20j is refused', async (text) => {
    await expect(admin.command(text)).rejects.toEqual(refused('COMMAND_MALFORMED'));
  });
});

describe('a command that is good', () => {
  it('sent 50 times at once has one effect and 50 equal answers', async () => {
    const before = (await counter()) ?? -1;
    const document = await ceremony.document(admin, 'user.add', addAdmin('fifty'));
    const answers = await Promise.all(Array.from({ length: 50 }, () => admin.command(document)));
    expect(new Set(answers.map(({ receipt }) => receipt)).size).toBe(1);
    expect(await counter()).toBe(before + 1);
  });

  it('replayed 1000 times after its plan is forgotten is refused each time', async () => {
    const document = await ceremony.document(admin, 'user.remove', { name: 'fifty' });
    expect(await ceremony.read(admin, (await admin.command(document)).receipt)).toMatchObject({ outcome: 'ok' });
    for (let i = 0; i < 8; i += 1) await ceremony.command(admin, 'mk.random', { bytes: 32 });
    const before = await counter();
    for (let i = 0; i < 1000; i += 1) {
      await expect(admin.command(document)).rejects.toEqual(refused('COMMAND_REPLAYED'));
    }
    expect(await counter()).toBe(before);
  });

  it('under the plan of another command is refused', async () => {
    const first = payloadFor(await ceremony.facts(admin), 'mk.random', { bytes: 32 });
    await admin.command(signCommand(first, [ceremony.adminKey]));
    const second = { ...payloadFor(await ceremony.facts(admin), 'mk.importer', {}), plan: first.plan };
    const document = signCommand(second, [ceremony.adminKey]);
    await expect(admin.command(document)).rejects.toEqual(refused('PLAN_REUSED'));
  });

  it('and refused by the unit consumes the counter, and the receipt says so; again, the same receipt', async () => {
    const before = (await counter()) ?? -1;
    const document = await ceremony.document(admin, 'user.remove', { name: 'nobody' });
    const { receipt } = await admin.command(document);
    const read = await ceremony.read(admin, receipt);
    expect(read).toMatchObject({ outcome: 'refused', error: { code: 'USER_NOT_FOUND' }, counter: before + 1 });
    expect(await counter()).toBe(before + 1);
    expect((await admin.command(document)).receipt).toBe(receipt);
  });
});

describe('users', () => {
  const refusals = (receipt: Receipt) => [receipt.outcome, receipt.error?.code];

  it('the last administrator cannot be removed', async () => {
    const name = (await ceremony.facts(admin)).record?.admins[0]?.name;
    expect(refusals(await ceremony.command(admin, 'user.remove', { name }))).toEqual(['refused', 'LAST_ADMIN']);
  });

  it('an enrolled key, or name, cannot be added twice', async () => {
    const key = rsaKey();
    expect(refusals(await ceremony.command(admin, 'user.add', addAdmin('eve', key)))).toEqual(['ok', undefined]);
    const before = (await ceremony.facts(admin)).objects;
    for (const args of [addAdmin('mallory', key), addAdmin('eve'), addAdmin('ada', ceremony.adminKey)]) {
      expect(refusals(await ceremony.command(admin, 'user.add', args))).toEqual(['refused', 'USER_EXISTS']);
    }
    const kmsUser = { type: 'kmsCryptoUser', name: 'kms', publicKey: publicPem(key) };
    expect(refusals(await ceremony.command(admin, 'user.add', kmsUser))).toEqual(['refused', 'USER_EXISTS']);
    expect((await ceremony.facts(admin)).objects).toBe(before);
  });

  it('an administrator who was removed signs for nothing any more', async () => {
    const key = rsaKey();
    await ceremony.command(admin, 'user.add', addAdmin('gone', key));
    await ceremony.command(admin, 'user.remove', { name: 'gone' });
    const document = await ceremony.document(admin, 'mk.random', { bytes: 32 }, key);
    await expect(admin.command(document)).rejects.toEqual(refused('SIGNATURE_INVALID'));
  });

  it('a key that is not RSA of 2048 bits is no administrator and no kmsCryptoUser', async () => {
    for (const args of [
      { type: 'admin', name: 'weak', certificate: 'no key' },
      {
        type: 'kmsCryptoUser',
        name: 'weak',
        publicKey: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      },
    ]) {
      expect(refusals(await ceremony.command(admin, 'user.add', args))).toEqual(['refused', 'BAD_REQUEST']);
    }
  });
});

describe('facts', () => {
  it('asked with a nonce are signed by the unit, with the nonce in them', async () => {
    const nonce = randomBytes(32).toString('base64url');
    const { facts, receipt } = await admin.facts({ nonce });
    const read = await ceremony.read(admin, receipt ?? '');
    expect(read).toMatchObject({ op: 'facts', nonce, plan: null, outcome: 'ok' });
    const { model, manufacturer, firmware } = facts.token;
    expect(read.facts).toEqual({ ...facts.record, token: { model, manufacturer, firmware }, capabilities: null });
  });

  it.each(['short', 'not base64url!'])('asked with the nonce %j are refused', async (nonce) => {
    await expect(admin.facts({ nonce })).rejects.toEqual(refused('BAD_REQUEST'));
  });
});
