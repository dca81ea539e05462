import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { fuzz } from './fuzz.js';
import { codeIn, sendRaw, wrongWithRefusal } from './hostile.js';
import { allRefused, HostileWorld, ROWS, words } from './hostile-world.js';

/** Bodies that nobody sends by mistake. Each is refused as documented, and leaves everything as it was. */
let hostile: HostileWorld;
beforeAll(async () => {
  hostile = await HostileWorld.start();
}, 120_000);
afterAll(() => hostile.world.end());
afterEach(() => hostile.expectUnchanged());

const WITH_BODY = ROWS.filter(([, { body }]) => body !== undefined);
/** A route that takes no body does not look at one. */
const WRITING = ROWS.filter(
  ([route, { body, status }]) => !/^(GET|ALL) /.test(route) && (body !== undefined || status >= 400),
);

/** A legal body with one thing wrong, by what is wrong. */
function spoiled(legal: object): [string, string | Buffer][] {
  const text = JSON.stringify(legal);
  const inside = text.slice(1);
  const values = [null, 0, -1, 1e300, '\u0007not this!', '', '\u0000', '*'.repeat(70_000), [], [[]], {}, { $gt: '' }];
  const wrongTypes = Object.keys(legal).flatMap((name) =>
    values.map((value): [string, string] => [
      `${name} = ${JSON.stringify(value).slice(0, 20)}`,
      JSON.stringify({ ...legal, [name]: value }),
    ]),
  );
  return [
    ...wrongTypes,
    ...['null', 'true', '0', '"x"', '[]', '[{}]', '{}{}', '{', text.slice(0, -1), `${text},`, 'undefined', 'NaN'].map(
      (body): [string, string] => [body.slice(0, 20), body],
    ),
    ['blanks only', ' \n\t'],
    ['a NUL', `${text}\0`],
    ['an unknown field', `{"unknown":1,${inside}`],
    ['__proto__', `{"__proto__":{"name":"x"},${inside}`],
    ['__proto__ in disguise', `{"\\u005f_proto__":{},${inside}`],
    ['constructor', `{"constructor":{"prototype":{"admin":true}},${inside}`],
    ['a member twice', `{${inside.slice(0, -1)},${inside}`],
    ['a deep unknown field', `{"unknown":${'['.repeat(15)}${']'.repeat(15)},${inside}`],
    ['depth without end', `{"unknown":${'['.repeat(200_000)}`],
    ['a number beyond all bounds', `{"unknown":1e999999999,${inside}`],
    ['a lone surrogate', `{"unknown":"\\ud800",${inside}`],
    ['a byte order mark', `\ufeff${text}`],
    ['UTF-16', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['Latin-1', Buffer.from(`{"unknown":"\xe9",${inside}`, 'latin1')],
    ['gzip', gzipSync(text)],
    ['random bytes', randomBytes(1000)],
    ['a form', new URLSearchParams({ name: 'x' }).toString()],
  ];
}

describe('bodies', () => {
  it.each(WITH_BODY)('of %s with anything wrong in them are refused', async (route, { body }) => {
    await allRefused(spoiled(body?.(hostile.names) ?? {}).map(([what, text]) => [what, hostile.ask(route, text)]));
  });

  const TYPES = words(`application/json application/json;charset=utf-16 application/vnd.ibm.kms.key+json text/xml
    multipart/form-data application/x-www-form-urlencoded ;;; a/b/c ${'x'.repeat(10_000)}`);
  it.each(WRITING)('of %s under any Content-Type, and with any Content-Encoding, are refused', async (route) => {
    const types = ['', ...TYPES].map(
      (type) => [type.slice(0, 30), hostile.ask(route, '{"unknown":', { headers: { 'content-type': type } })] as const,
    );
    const encodings = ['gzip', 'br', 'identity', 'x'].map(
      (coding) => [coding, hostile.ask(route, gzipSync('{}'), { headers: { 'content-encoding': coding } })] as const,
    );
    await allRefused([...types, ...encodings]);
  });

  it.each(WRITING)(
    'of %s that are longer than 1 MiB: 413 as soon as that is known, with nothing read',
    async (route) => {
      const announced = await sendRaw(hostile.world, hostile.head(route, `content-length: ${(1 << 20) + 1}`));
      expect([announced.status, codeIn(announced)]).toEqual([413, 'BODY_TOO_LARGE']);
      const chunk = `20000\r\n${' '.repeat(0x20000)}\r\n`;
      const streamed = await sendRaw(
        hostile.world,
        hostile.head(route, 'transfer-encoding: chunked') + chunk.repeat(9),
      );
      expect([streamed.status, codeIn(streamed)]).toEqual([413, 'BODY_TOO_LARGE']);
    },
  );

  it.each(ROWS.filter(([route]) => route.startsWith('GET ')))(
    'with %s are not looked at',
    async (route, { status }) => {
      for (const body of ['{', '\0', '{"__proto__":1}']) expect((await hostile.ask(route, body)).status).toBe(status);
    },
  );
});

describe('values that look right', () => {
  const pem = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
  const spki = ({ publicKey }: { publicKey: KeyObject }) =>
    publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const good = spki(pair);
  const CERTIFICATES: Readonly<Record<string, string>> = {
    'a private key': pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'a key of 1024 bits': spki(generateKeyPairSync('rsa', { modulusLength: 1024 })),
    'a key with exponent 3': spki(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })),
    'a key on a curve': spki(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    'two keys': good + good,
    'a key cut short': good.slice(0, 200),
    'a key that is no base64': pem('PUBLIC KEY', '****'),
    'no DER': pem('CERTIFICATE', Buffer.from('no DER').toString('base64')),
    'the wrong label': good.replaceAll('PUBLIC KEY', 'CERTIFICATE'),
    'a NUL before it': `\0${good}`,
    'a letter that is not ASCII before it': `é${good}`,
    'more than 16 KiB': `${' '.repeat(16_384)}${good}`,
  };
  it.each(Object.keys(CERTIFICATES))('a certificate that is %s is refused', async (what) => {
    const certificate = CERTIFICATES[what];
    const body = JSON.stringify({ plan: randomUUID(), certificate });
    const claim = await hostile.ask('POST /api/v1/cryptounits/:id/claim', body);
    const bare = await hostile.ask('POST /api/v1/cryptounits/claim', JSON.stringify({ certificate }));
    for (const got of [claim, bare]) expect([got.status, wrongWithRefusal(got)]).toEqual([400, null]);
  });
});

describe('anything at all', () => {
  it('3,000 requests over all routes and callers: no fault, no end of a process, and the server serves on', async () => {
    await fuzz(hostile, 3000);
    await hostile.accept(); // keys were made, and operations of a stranger refused
  }, 240_000);
});
