import { randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { Admins } from './admin.js';
import { type Callers, callersOf } from './callers.js';
import { fuzz } from './fuzz.js';
import { codeIn, everything, type Got, send, sendRaw, wrongWithRefusal } from './hostile.js';
import { methodOf, type Names, ROUTES, type Route, servedNames } from './routes.js';
import { World } from './world.js';

/** Requests that nobody sends by mistake. Each is refused as documented, and leaves everything as it was. */
let world: World;
let callers: Callers;
let names: Names;
let before: object;
beforeAll(async () => {
  world = await World.withInstance(2);
  const units = (await world.units()).map(({ id }) => id);
  names = await servedNames(new Admins(world), units);
  callers = await callersOf(world);
  before = await everything(world);
}, 120_000);
afterAll(() => world.end());

type Rows = readonly (readonly [string, Route])[];
const ROWS: Rows = Object.entries(ROUTES);
const GUARDED = ROWS.filter(([, { permission }]) => permission !== null);
const WITH_BODY = ROWS.filter(([, { body }]) => body !== undefined);
const WRITING = ROWS.filter(([route]) => !/^(GET|ALL) /.test(route));
const WITH_ID = ROWS.filter(([route]) => route.includes(':id'));

const ask = (route: string, body: string | Buffer | undefined, change: { path?: string; headers?: object } = {}) => {
  const { path, headers } = ROUTES[route] as Route;
  const own = { ...headers?.(names), ...callers.Manager, ...change.headers } as Record<string, string>;
  return send(world, { method: methodOf(route), path: change.path ?? path(names), headers: own, body });
};
const head = (route: string, ...lines: string[]) => {
  const { path, headers } = ROUTES[route] as Route;
  const own = Object.entries({ host: 'keystead', ...callers.Manager, ...headers?.(names) });
  const all = [...own.map(([name, value]) => `${name}: ${value}`), ...lines];
  return `${methodOf(route)} ${path(names)} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n`;
};

/** All of them refused; what was not comes out with its number. */
async function allRefused(asked: readonly (readonly [string, Promise<Got>])[]): Promise<void> {
  const answers = await Promise.all(asked.map(async ([what, got]) => [what, wrongWithRefusal(await got)] as const));
  expect(answers.filter(([, wrong]) => wrong !== null)).toEqual([]);
}

const words = (text: string): string[] => text.split(/\s+/);

/** A legal body with one thing wrong, by what is wrong. */
function spoiled(legal: object): [string, string | Buffer][] {
  const text = JSON.stringify(legal);
  const inside = text.slice(1);
  const values = [null, 0, -1, 1e300, 'not this!', '', '\u0000', '*'.repeat(70_000), [], [[]], {}, { $gt: '' }];
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

afterEach(async () => {
  const was = before;
  before = await everything(world);
  expect(before).toEqual(was);
});

describe('bodies', () => {
  it.each(WITH_BODY)('of %s with anything wrong in them are refused', async (route, { body }) => {
    await allRefused(spoiled(body?.(names) ?? {}).map(([what, text]) => [what, ask(route, text)]));
  });

  const TYPES = words(`application/json application/json;charset=utf-16 application/vnd.ibm.kms.key+json text/xml
    multipart/form-data application/x-www-form-urlencoded ;;; a/b/c ${'x'.repeat(10_000)}`);
  it.each(WRITING)('of %s under any Content-Type, and with any Content-Encoding, are refused', async (route) => {
    const types = ['', ...TYPES].map(
      (type) => [type.slice(0, 30), ask(route, '{"unknown":', { headers: { 'content-type': type } })] as const,
    );
    const encodings = ['gzip', 'br', 'identity', 'x'].map(
      (coding) => [coding, ask(route, gzipSync('{}'), { headers: { 'content-encoding': coding } })] as const,
    );
    await allRefused([...types, ...encodings]);
  });

  it.each(WRITING)(
    'of %s that are longer than 1 MiB: 413 as soon as that is known, with nothing read',
    async (route) => {
      const announced = await sendRaw(world, head(route, `content-length: ${(1 << 20) + 1}`));
      expect([announced.status, codeIn(announced)]).toEqual([413, 'BODY_TOO_LARGE']);
      const chunk = `20000\r\n${' '.repeat(0x20000)}\r\n`;
      const streamed = await sendRaw(world, head(route, 'transfer-encoding: chunked') + chunk.repeat(9));
      expect([streamed.status, codeIn(streamed)]).toEqual([413, 'BODY_TOO_LARGE']);
    },
  );

  it.each(ROWS.filter(([route]) => route.startsWith('GET ')))(
    'with %s are not looked at',
    async (route, { status }) => {
      for (const body of ['{', '\0', '{"__proto__":1}']) expect((await ask(route, body)).status).toBe(status);
    },
  );
});

describe('without a key', () => {
  it.each(GUARDED)('%s is 401, whatever else is wrong', async (route, { path }) => {
    const bodies = ['', '{', 'null', '{"unknown":1}', '\0'];
    const asked = bodies.map((body) => send(world, { method: methodOf(route), path: path(names), body }));
    const nonsense = path(names).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'nonsense');
    asked.push(send(world, { method: methodOf(route), path: nonsense, body: '{' }));
    for (const authorization of [
      'Basic a2V5OmtleQ==',
      'Bearer',
      'Bearer ',
      `Bearer ${'k'.repeat(10_000)}`,
      "' OR 1=1",
    ]) {
      asked.push(send(world, { method: methodOf(route), path: path(names), headers: { authorization } }));
    }
    for (const got of await Promise.all(asked)) expect([got.status, wrongWithRefusal(got)]).toEqual([401, null]);
  });
});

describe('paths, methods and headers', () => {
  const IDS = words(`x 0 %00 %2e%2e .. %2e%2e%2f%2e%2e%2fetc%2fpasswd % %zz %c0%ae * :id null __proto__ constructor
    '%20OR%201=1-- ${'a'.repeat(511)} ${'a'.repeat(20_000)} %F0%9F%94%91 00000000-0000-0000-0000-000000000000
    ${randomUUID()} ${randomUUID()}%00 {${randomUUID()}}`);
  it.each(WITH_ID)('%s with an id that is none, or of nothing', async (route, { path, body }) => {
    const real = /[0-9a-f]{8}-[0-9a-f-]{27}/;
    const text = body && JSON.stringify(body(names));
    await allRefused(IDS.map((id) => [id.slice(0, 40), ask(route, text, { path: path(names).replace(real, id) })]));
  });

  const nonce = 'n'.repeat(32);
  const QUERIES = {
    'GET /api/v1/cryptounits/:id/facts':
      words(`more=1 nonce= nonce=short nonce=${'n'.repeat(86)} nonce=${'n'.repeat(87)}
      nonce=%00 nonce[]=x nonce=${nonce}&nonce=${nonce} nonce=${nonce}&more=1 nonce=${'%2b'.repeat(32)}`),
    'GET /api/v1/audit': words(`limit=0 limit=-1 limit=1.5 limit=1e9 limit=1001 limit=NaN limit= limit=1&limit=2 more=1
      before=0 before=1e300 before=9007199254740993 limit=%27 __proto__=1 limit[$gt]=1`),
    'GET /health': words('failcode=199 failcode=600 warncode=x more=1 failcode=200&failcode=200'),
  };
  it.each(Object.entries(QUERIES).flatMap(([route, queries]) => queries.map((query) => [route, query] as const)))(
    '%s?%s is refused',
    async (route, query) => {
      const [path] = (ROUTES[route] as Route).path(names).split('?');
      const got = await ask(route, undefined, { path: `${path}?${query}` });
      expect([got.status, wrongWithRefusal(got)]).toEqual([400, null]);
    },
  );

  it('a method that a path has not is refused', async () => {
    const known = new Set(ROWS.map(([route, { path }]) => `${methodOf(route)} ${path(names).split('?')[0]}`));
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'TRACE', 'LOCK'];
    const paths = new Set(ROWS.map(([, { path }]) => path(names).split('?')[0] ?? ''));
    const pairs = [...paths].flatMap((path) => methods.map((method) => ({ method, path })));
    const strange = pairs.filter(({ method, path }) => !known.has(`${method} ${path}`));
    await allRefused(
      strange.map((one) => [`${one.method} ${one.path}`, send(world, { ...one, headers: callers.Manager, body: '{' })]),
    );
  });

  const PATHS =
    words(`/ // /api /api/v1 /api/v1/ /api/v1/instances/ //api/v1/instances /api//v1/instances /API/V1/INSTANCES
    /api/v1/instances;x /api/v1/instances%00 /api/v1/instances%2f /api/v1/./instances /api/v1/x/../instances
    /%2e%2e/%2e%2e/etc/passwd /api/v1/../../proc/self/environ /api/v2 /api/v3/keys /% /livez%0d%0aSet-Cookie:x=1
    /${'a'.repeat(100_000)} /${'a/'.repeat(20_000)} * http://elsewhere/api/v1/instances/x`);
  it.each(PATHS.map((path) => [path.slice(0, 60), path]))('there is nothing at %s', async (_shown, path) => {
    const got = await send(world, { method: 'GET', path, headers: callers.Manager });
    expect(wrongWithRefusal(got)).toBeNull();
  });

  it.each([
    ['two lengths', ['content-length: 2', 'content-length: 3']],
    ['a length and chunks', ['content-length: 2', 'transfer-encoding: chunked']],
    ['a length that is none', ['content-length: -1']],
    ['a coding of its own', ['transfer-encoding: gzip']],
    ['two instances', ['instance-id: x', `instance-id: ${randomUUID()}`]],
    ['a header without a name', [': x']],
    ['a folded header', ['x-a: b', ' c']],
    ['a NUL in a header', ['x-a: b\0c']],
    ['an expectation of its own', ['expect: the unexpected']],
    ['headers without end', [`x-a: ${'a'.repeat(140_000)}`]],
  ])('a request with %s is refused', async (_what, lines) => {
    const route = 'GET /api/v1/cryptounits';
    const { path } = ROUTES[route] as Route;
    const key = `authorization: ${callers.Manager['authorization']}`;
    const all = [`GET ${path(names)} HTTP/1.1`, 'host: keystead', key, 'connection: close', ...lines];
    expect(wrongWithRefusal(await sendRaw(world, `${all.join('\r\n')}\r\n\r\n`))).toBeNull();
  });

  it.each([
    'hello',
    'GET',
    'GET / HTTP/9.9',
    'PRI * HTTP/2.0\r\n\r\nSM',
    '\x16\x03\x01\x02\x00',
    'GET /livez HTTP/1.1\r\nConnection: close',
  ])('what is no request of HTTP/1.1, such as %j, is refused', async (text) =>
    expect(wrongWithRefusal(await sendRaw(world, `${text}\r\n\r\n`))).toBeNull(),
  );
});

describe('anything at all', () => {
  it('3,000 requests over all routes and callers: no fault, no end of a process, and the server serves on', async () => {
    await fuzz(world, names, callers, 3000);
    before = await everything(world);
  }, 240_000);
});
