import { randomBytes } from 'node:crypto';
import { Admins } from '../admin.js';
import { serves } from '../units.js';
import { type Got, KeyProtectWorld, keyCollection } from './key-protect-world.js';

/** What unwrap says to everything that wrap did not make for this key and AAD: always the same, to the byte. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const AAD = ['a', 'b'];
/** Headers that differ between any two answers. */
const OF_THE_ANSWER = ['date', 'correlation-id', 'x-request-id'];

interface Envelope {
  readonly ciphertext: string;
  readonly iv: string;
  readonly version: string;
  readonly handle: string;
}

let w: KeyProtectWorld;
let root: string;
let ciphertext: string;
let envelope: Envelope;
let iv: Buffer;
let sealed: Buffer;
let refusal: string;
beforeAll(async () => {
  w = await KeyProtectWorld.start();
  root = (await w.create({ name: 'root' })).id;
  ciphertext = await wrapUnder(root);
  envelope = JSON.parse(Buffer.from(ciphertext, 'base64').toString());
  [iv, sealed] = [Buffer.from(envelope.iv, 'base64'), Buffer.from(envelope.ciphertext, 'base64')];
  const refused = await unwrap(forged({ ciphertext: flipped(sealed).toString('base64') }));
  expect([refused.status, refused.body.resources[0].reasons[0].code]).toEqual([422, 'UNPROCESSABLE_CIPHERTEXT_ERR']);
  refusal = seen(refused);
}, 180_000);
afterAll(() => w?.end(), 30_000);
afterEach(async () => {
  expect(w.proxy.violations).toEqual([]);
  expect((await unwrap(ciphertext)).body.plaintext).toBe('AAAA'); // which nothing that was refused changed
});

const forged = (change: Partial<Envelope>) => base64Of(JSON.stringify({ ...envelope, ...change }));
const base64Of = (text: string) => Buffer.from(text).toString('base64');
const withTag = (tag: Buffer) => Buffer.concat([sealed.subarray(0, -TAG_BYTES), tag]).toString('base64');

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(0) ^ 1, 0);
  return copy;
}

async function wrapUnder(key: string, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await w.send('POST', `/api/v2/keys/${key}/actions/wrap`, {
    body: { plaintext: 'AAAA', aad: AAD },
    headers,
  });
  return body.ciphertext;
}

function unwrap(text: string, { key = root, aad = AAD }: { key?: string; aad?: readonly string[] } = {}): Promise<Got> {
  return w.send('POST', `/api/v2/keys/${key}/actions/unwrap`, { body: { ciphertext: text, aad } });
}

/** Everything of an answer that a client could tell apart from another one. */
function seen({ status, headers, text }: Got): string {
  return JSON.stringify([status, [...headers].filter(([name]) => !OF_THE_ANSWER.includes(name)), text]);
}

/** A key of another instance of the same server, and the header that names the instance. */
async function keyOfAnotherInstance(): Promise<{ key: string; headers: Record<string, string> }> {
  const { world } = w;
  const made = await world.kp('instance', 'create', 'OTHER', '--crypto-units', '2', '-o', 'json');
  const { id } = JSON.parse(made.stdout);
  const { body: units } = await world.api('GET', '/api/v1/cryptounits', undefined, { 'instance-id': id });
  const ids: string[] = units.map((unit: { id: string }) => unit.id);
  const admins = new Admins(world, id);
  await admins.reach(ids);
  await admins.initialise(ids);
  await Promise.all(ids.map((unit) => serves(world, unit, 20_000)));
  const headers = { 'bluemix-instance': id };
  const body = keyCollection({ name: 'of the other instance', extractable: false });
  const created = await w.send('POST', '/api/v2/keys', { body, headers });
  return { key: created.body.resources[0].id, headers };
}

test('another key, another AAD, a bit that was flipped and another instance get one answer, to the byte', async () => {
  const other = (await w.create({ name: 'other' })).id;
  const elsewhere = await keyOfAnotherInstance();
  const ofElsewhere = await wrapUnder(elsewhere.key, elsewhere.headers);
  const answers = await Promise.all([
    unwrap(ciphertext, { key: other }),
    unwrap(await wrapUnder(other)),
    unwrap(forged({ handle: other })),
    unwrap(forged({ handle: elsewhere.key })),
    unwrap(ofElsewhere),
    unwrap(ciphertext, { aad: ['b', 'a'] }),
    unwrap(ciphertext, { aad: ['ab'] }),
    unwrap(ciphertext, { aad: [] }),
    unwrap(forged({ iv: flipped(iv).toString('base64') })),
    unwrap(forged({ ciphertext: flipped(sealed).toString('base64') })),
    unwrap(forged({ ciphertext: withTag(flipped(sealed.subarray(-TAG_BYTES))) })),
  ]);
  expect(new Set(answers.map(seen))).toEqual(new Set([refusal]));
}, 60_000);

test.each([...Array.from({ length: TAG_BYTES }, (_, bytes) => bytes), TAG_BYTES + 1])(
  'a tag of %i bytes is refused in the same way',
  async (bytes) => {
    const tag = Buffer.concat([sealed.subarray(-TAG_BYTES), Buffer.alloc(1)]).subarray(0, bytes);
    expect(seen(await unwrap(forged({ ciphertext: withTag(tag) })))).toBe(refusal);
  },
);

test('an IV of 0 to 64 bytes that are not 12 is refused in the same way, be it cut, filled up or another one', async () => {
  const lengths = Array.from({ length: 65 }, (_, bytes) => bytes).filter((bytes) => bytes !== IV_BYTES);
  for (const bytes of lengths) {
    const filled = Buffer.concat([iv, Buffer.alloc(64)]).subarray(0, bytes);
    for (const wrong of [filled, randomBytes(bytes)]) {
      expect([bytes, seen(await unwrap(forged({ iv: wrong.toString('base64') })))]).toEqual([bytes, refusal]);
    }
  }
});

describe('base64 that is not the one of its bytes', () => {
  /** Other texts that a lenient decoder reads as the same bytes. */
  function others(text: string): [what: string, text: string][] {
    const padded = text.endsWith('=');
    return [
      ['in the alphabet for URLs', text.replaceAll('+', '-').replaceAll('/', '_')],
      ['without its padding', text.replace(/=+$/, '')],
      ['with more padding', `${text}=`],
      ['with a line end', `${text}\n`],
      ['with a blank', `${text.slice(0, 4)} ${text.slice(4)}`],
      ['with something after it', `${text}====AAAA`],
      ...(padded ? ([['with bits that mean nothing', withSpareBits(text)]] as [string, string][]) : []),
    ].filter(([, other]) => other !== text) as [string, string][];
  }

  /** The last character before the padding carries bits that no byte takes. */
  function withSpareBits(text: string): string {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    return text.replace(/(.)(=+)$/, (_all, last: string, padding: string) => {
      return (alphabet[alphabet.indexOf(last) + 1] ?? '') + padding;
    });
  }

  const sameBytes = (one: string, other: string) => Buffer.from(one, 'base64').equals(Buffer.from(other, 'base64'));

  test('is refused in the same way inside the ciphertext, and every kind of it was tried', async () => {
    const tried = new Set<string>();
    for (const member of ['iv', 'ciphertext'] as const) {
      for (const [what, other] of others(envelope[member])) {
        expect([what, seen(await unwrap(forged({ [member]: other })))]).toEqual([what, refusal]);
        if (sameBytes(other, envelope[member])) tried.add(what);
      }
    }
    expect(tried.size).toBeGreaterThanOrEqual(5);
  });

  test('is refused as the ciphertext itself', async () => {
    for (const [what, other] of others(ciphertext)) {
      const { status, body } = await unwrap(other);
      expect([what, status, body.plaintext]).toEqual([what, expect.any(Number), undefined]);
      expect([400, 422]).toContain(status);
    }
  });
});
