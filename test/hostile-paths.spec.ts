import { randomUUID } from 'node:crypto';
import { send, sendRaw, wrongWithRefusal } from './hostile.js';
import { allRefused, HostileWorld, ID, ROWS, words } from './hostile-world.js';
import { methodOf, ROUTES, type Route } from './routes.js';

/** Requests without credentials, and paths, methods and headers that nobody sends by mistake: refused as documented. */
let hostile: HostileWorld;
beforeAll(async () => {
  hostile = await HostileWorld.start();
}, 120_000);
afterAll(() => hostile.world.end());
afterEach(() => hostile.expectUnchanged());

const GUARDED = ROWS.filter(([, { permission }]) => permission !== null);
const WITH_ID = ROWS.filter(([route]) => route.includes(':id'));

describe('without a key', () => {
  it.each(GUARDED)('%s is 401, whatever else is wrong', async (route, { path }) => {
    const bodies = ['', '{', 'null', '{"unknown":1}', '\0'];
    const asked = bodies.map((body) =>
      send(hostile.world, { method: methodOf(route), path: path(hostile.names), body }),
    );
    const nonsense = path(hostile.names).replace(ID, 'nonsense');
    asked.push(send(hostile.world, { method: methodOf(route), path: nonsense, body: '{' }));
    for (const authorization of [
      'Basic a2V5OmtleQ==',
      'Bearer',
      'Bearer ',
      `Bearer ${'k'.repeat(10_000)}`,
      "' OR 1=1",
    ]) {
      asked.push(
        send(hostile.world, { method: methodOf(route), path: path(hostile.names), headers: { authorization } }),
      );
    }
    for (const got of await Promise.all(asked)) expect([got.status, wrongWithRefusal(got)]).toEqual([401, null]);
  });
});

describe('paths, methods and headers', () => {
  const IDS = words(`x 0 %00 %2e%2e .. %2e%2e%2f%2e%2e%2fetc%2fpasswd % %zz %c0%ae * :id null __proto__ constructor
    '%20OR%201=1-- ${'a'.repeat(511)} ${'a'.repeat(20_000)} %F0%9F%94%91 00000000-0000-0000-0000-000000000000
    ${randomUUID()} ${randomUUID()}%00 {${randomUUID()}}`);
  it.each(WITH_ID)('%s with an id that is none, or of nothing', async (route, { path, body }) => {
    const text = body && JSON.stringify(body(hostile.names));
    await allRefused(
      IDS.map((id) => [id.slice(0, 40), hostile.ask(route, text, { path: path(hostile.names).replace(ID, id) })]),
    );
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
      const [path] = (ROUTES[route] as Route).path(hostile.names).split('?');
      const got = await hostile.ask(route, undefined, { path: `${path}?${query}` });
      expect([got.status, wrongWithRefusal(got)]).toEqual([400, null]);
    },
  );

  it('a method that a path has not is refused', async () => {
    const known = new Set(ROWS.map(([route, { path }]) => `${methodOf(route)} ${path(hostile.names).split('?')[0]}`));
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'TRACE', 'LOCK'];
    const paths = new Set(ROWS.map(([, { path }]) => path(hostile.names).split('?')[0] ?? ''));
    const pairs = [...paths].flatMap((path) => methods.map((method) => ({ method, path })));
    const strange = pairs.filter(({ method, path }) => !known.has(`${method} ${path}`));
    await allRefused(
      strange.map((one) => [
        `${one.method} ${one.path}`,
        send(hostile.world, { ...one, headers: hostile.callers.Manager, body: '{' }),
      ]),
    );
  });

  const PATHS =
    words(`// /api /api/v1 /api/v1/ /api/v1/instances/ //api/v1/instances /api//v1/instances /API/V1/INSTANCES
    /api/v1/instances;x /api/v1/instances%00 /api/v1/instances%2f /api/v1/./instances /api/v1/x/../instances
    /%2e%2e/%2e%2e/etc/passwd /api/v1/../../proc/self/environ /api/v3/keys /% /livez%0d%0aSet-Cookie:x=1
    /${'a'.repeat(100_000)} /${'a/'.repeat(20_000)} * http://elsewhere/api/v1/instances/x`);
  it.each(PATHS.map((path) => [path.slice(0, 60), path]))('there is nothing at %s', async (_shown, path) => {
    const got = await send(hostile.world, { method: 'GET', path, headers: hostile.callers.Manager });
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
    const key = `authorization: ${hostile.callers.Manager['authorization']}`;
    const all = [`GET ${path(hostile.names)} HTTP/1.1`, 'host: keystead', key, 'connection: close', ...lines];
    expect(wrongWithRefusal(await sendRaw(hostile.world, `${all.join('\r\n')}\r\n\r\n`))).toBeNull();
  });

  it.each([
    'hello',
    'GET',
    'GET / HTTP/9.9',
    'PRI * HTTP/2.0\r\n\r\nSM',
    '\x16\x03\x01\x02\x00',
    'GET /livez HTTP/1.1\r\nConnection: close',
  ])('what is no request of HTTP/1.1, such as %j, is refused', async (text) =>
    expect(wrongWithRefusal(await sendRaw(hostile.world, `${text}\r\n\r\n`))).toBeNull(),
  );
});
