import { type KeyObject, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { fingerprintOf, spkiOf } from '../src/admins/public-key.js';
import { type CommandPayload, parseCommand, signCommand, verifySigners } from '../src/admins/signed-command.js';
import type { ErrorCode } from '../src/shared/errors.js';
import { Admins, adminKey, assertOk, codeOf } from './admin.js';
import { type Answer, World } from './world.js';

/** What the server and the units refuse, by which code, and what it leaves behind: nothing, the counter included. */
let world: World;
let admins: Admins;
let theirs: Admins;
let unit: string;
let sibling: string;
let stranger: KeyObject;
let deputy: KeyObject;
beforeAll(async () => {
  world = await World.withInstance(2);
  admins = new Admins(world);
  [unit = '', sibling = ''] = (await world.units()).map(({ id }) => id);
  for (const one of [unit, sibling]) assertOk(await admins.claim(one));
  const other = await world.api('POST', '/api/v1/instances', { name: 'OTHER' });
  theirs = new Admins(world, other.body.id);
  stranger = adminKey();
  deputy = adminKey();
  expect(await sent({})).toBe('ok'); // so that there is a counter that was used
}, 120_000);
afterAll(() => world.end());

const RANDOM = { bytes: 32 };
const record = async () => (await admins.facts(unit)).record;
const payload = (change: Partial<CommandPayload> = {}) => admins.payload('mk.random', RANDOM, [unit], change);
const sent = async (change: Partial<CommandPayload>, keys = [admins.key]) =>
  codeIn(await admins.send(signCommand(await payload(change), keys)));
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

/** The code of the answer, or of its first unit. */
function codeIn(answer: Answer): string {
  return answer.status === 200 ? (answer.body.units[0].error?.code ?? 'ok') : codeOf(answer);
}

/** The payload's one unit, with something changed. */
async function unitWith(change: object): Promise<Partial<CommandPayload>> {
  const { units } = await payload();
  return { units: [{ ...(units[0] as CommandPayload['units'][number]), ...change }] };
}

async function unchanged(act: () => Promise<void>): Promise<void> {
  const before = await record();
  await act();
  expect(await record()).toEqual(before);
}

describe('a command is refused, and no counter is used up, when it', () => {
  const CASES: readonly (readonly [string, ErrorCode, () => Promise<Partial<CommandPayload>>])[] = [
    ['carries a counter that was used', 'COMMAND_REPLAYED', async () => unitWith({ counter: 1 })],
    ['skips a counter', 'COMMAND_REPLAYED', async () => unitWith({ counter: ((await record())?.counter ?? 0) + 2 })],
    ['carries the largest counter', 'COMMAND_REPLAYED', async () => unitWith({ counter: Number.MAX_SAFE_INTEGER })],
    ['names another serial', 'COMMAND_TARGET', async () => unitWith({ serial: '0'.repeat(16) })],
    ['is of another epoch', 'COMMAND_TARGET', async () => unitWith({ epoch: 'f'.repeat(32) })],
    ['names a unit that is nowhere', 'UNIT_NOT_FOUND', async () => unitWith({ id: randomUUID() })],
    ['names a unit of another instance', 'UNIT_NOT_FOUND', async () => unitWith({ id: await theirUnit() })],
    ['names another instance', 'UNIT_NOT_FOUND', async () => ({ instance: theirs.instance })],
    ['names an instance that is nowhere', 'INSTANCE_NOT_FOUND', async () => ({ instance: randomUUID() })],
    ['names what is no id for an instance', 'INSTANCE_NOT_FOUND', async () => ({ instance: "x'; --" })],
    ['has expired', 'COMMAND_EXPIRED', async () => ({ issuedAt: ago(11), expiresAt: ago(2) })],
    ['was signed in the future', 'COMMAND_EXPIRED', async () => ({ issuedAt: ago(-2), expiresAt: ago(-5) })],
  ];
  it.each(CASES)('%s: %s', async (_what, code, change) => {
    await unchanged(async () => expect(await sent(await change())).toBe(code));
  });

  it.each([
    ['control characters in the serial', () => unitWith({ serial: 'a\u0000b' })],
    ['a lifetime of eleven minutes', async () => ({ issuedAt: ago(6), expiresAt: ago(-5) })],
  ])('has %s: COMMAND_MALFORMED', async (_what, change) => {
    const bytes = Buffer.from(JSON.stringify(await payload(await change()))).toString('base64url');
    const { signatures } = JSON.parse(signCommand(await payload(), [admins.key]));
    await unchanged(async () => {
      expect(codeIn(await admins.send(JSON.stringify({ payload: bytes, signatures })))).toBe('COMMAND_MALFORMED');
    });
  });

  it('is signed by nobody of the unit, alone or beside an administrator: SIGNATURE_INVALID', async () => {
    await unchanged(async () => {
      expect(await sent({}, [stranger])).toBe('SIGNATURE_INVALID');
      expect(await sent({}, [admins.key, stranger])).toBe('SIGNATURE_INVALID');
    });
  });

  it('is of the administrator of another instance: SIGNATURE_INVALID there', async () => {
    const unitOfTheirs = await theirUnit();
    await theirs.reach([unitOfTheirs]);
    assertOk(await theirs.claim(unitOfTheirs));
    const before = await theirs.facts(unitOfTheirs);
    const document = await theirs.document('mk.random', RANDOM, [unitOfTheirs], [admins.key]);
    expect(codeIn(await admins.send(document))).toBe('SIGNATURE_INVALID');
    expect((await theirs.facts(unitOfTheirs)).record).toEqual(before.record);
  });

  it('comes with others that differ in plan, op or units: COMMAND_MALFORMED', async () => {
    const one = await admins.document('mk.random', RANDOM, [unit]);
    const { plan } = parseCommand(one).payload;
    const others = [
      await admins.document('mk.random', RANDOM, [sibling]),
      signCommand(await admins.payload('mk.importer', {}, [sibling], { plan }), [admins.key]),
      signCommand(await admins.payload('mk.random', RANDOM, [unit], { plan }), [admins.key]),
    ];
    await unchanged(async () => {
      for (const other of others) expect(codeIn(await admins.send(one, other))).toBe('COMMAND_MALFORMED');
    });
  });
});

describe('two administrators, of whom one is enough', () => {
  beforeAll(async () => {
    expect((await admins.addAdmin('DEPUTY', deputy, [unit]))[unit]?.code).toBe('ok');
  });

  it('may sign together, and each alone', async () => {
    for (const keys of [[admins.key, deputy], [deputy, admins.key], [deputy]]) expect(await sent({}, keys)).toBe('ok');
  });

  it.each([0, 1])('a bad signature, number %i of the two, refuses the whole', async (bad) => {
    const document = JSON.parse(signCommand(await payload(), [admins.key, deputy]));
    const bytes = Buffer.from(document.signatures[bad].signature, 'base64url');
    bytes[7] = (bytes[7] ?? 0) ^ 1;
    document.signatures[bad].signature = bytes.toString('base64url');
    await unchanged(async () => expect(codeIn(await admins.send(JSON.stringify(document)))).toBe('SIGNATURE_INVALID'));
  });

  it('the same signature twice is malformed', async () => {
    const document = JSON.parse(signCommand(await payload(), [admins.key]));
    document.signatures.push(document.signatures[0]);
    await unchanged(async () => expect(codeIn(await admins.send(JSON.stringify(document)))).toBe('COMMAND_MALFORMED'));
  });
});

describe('one byte of a document changed', () => {
  const flips = (length: number) => fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 255 }));
  const flipped = (document: string, [at, by]: readonly [number, number]) => {
    const bytes = Buffer.from(document);
    bytes[at] = (bytes[at] ?? 0) ^ by;
    return bytes.toString('latin1');
  };

  it('5,000 times: never verifies', async () => {
    const document = signCommand(await payload(), [admins.key]);
    const enrolled = [{ name: 'ADMIN', kid: fingerprintOf(admins.key), spki: spkiOf(admins.key) }];
    expect(verifySigners(parseCommand(document), enrolled, 1)).toEqual(['ADMIN']);
    const verifies = (text: string) => {
      try {
        return verifySigners(parseCommand(text), enrolled, 1).length > 0;
      } catch (cause) {
        expect((cause as { code?: string }).code).toMatch(/^(COMMAND_MALFORMED|SIGNATURE_INVALID)$/);
        return false;
      }
    };
    const never = fc.property(flips(document.length), (flip) => !verifies(flipped(document, flip)));
    fc.assert(never, { numRuns: 5000 });
  });

  it('50 times over HTTP: never obeyed; signed anew, under a plan of its own, the command is', async () => {
    await unchanged(async () => {
      const document = signCommand(await payload(), [admins.key]);
      const never = fc.asyncProperty(flips(document.length), async (flip) => {
        expect(codeIn(await admins.send(flipped(document, flip)))).toMatch(
          /^(COMMAND_MALFORMED|SIGNATURE_INVALID|COMMAND_TARGET|UNIT_NOT_FOUND|INSTANCE_NOT_FOUND|PLAN_REUSED)$/,
        );
      });
      await fc.assert(never, { numRuns: 50 });
    });
    expect(await sent({})).toBe('ok');
  });
});

async function theirUnit(): Promise<string> {
  return (await world.api('GET', `/api/v1/instances/${theirs.instance}`)).body.crypto_units[0].id;
}
