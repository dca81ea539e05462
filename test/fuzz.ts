import fc from 'fast-check';
import { spkiOf } from '../src/admins/public-key.js';
import { type CommandPayload, signCommand } from '../src/admins/signed-command.js';
import { Admins, adminKey, codeOf, MasterKey, publicPem } from './admin.js';
import { CALLERS, type Caller, type Callers } from './callers.js';
import { codeIn, type Got, type Sent, send, wrongWithRefusal } from './hostile.js';
import { methodOf, type Names, ROUTES, type Route, WRAP } from './routes.js';
import { patience } from './units.js';
import type { World } from './world.js';

/**
 * Requests made from what each route wants, with anything changed in them: path, query, headers, body. Those that would
 * rightly change the units are left out (a new instance, maintenance); keys may be made.
 */

const STRANGER = adminKey();
const LONGEST_MS = 2_000;
/** Sends the whole database, and takes as long as that is big: asked now and then, and waited for. */
const WHOLE = 'POST /api/v1/backups';
const WHOLE_ONCE_IN = 2_000;

/** Payloads of commands, right in every respect but that their signer is nobody. */
async function strangersPayloads(admins: Admins, unit: string): Promise<CommandPayload[]> {
  const admin = { type: 'admin', name: 'X', certificate: publicPem(STRANGER) };
  const importer = { publicKey: spkiOf(STRANGER).toString('base64'), oaep: 'SHA-1' };
  return Promise.all([
    admins.payload('mk.random', { bytes: 32 }, [unit]),
    admins.payload('user.add', admin, [unit]),
    admins.payload('user.add', await admins.kmsUserArgs(), [unit]),
    admins.payload('mk.import', new MasterKey().args(admins.instance, { [unit]: importer }), [unit]),
    admins.payload('zeroize', { force: false }, [unit]),
  ]);
}

/** The payload, with changes or without, under a plan of its own and a signature that is the stranger's, or of other bytes. */
function documentOf(payload: CommandPayload, changes: readonly Change[], plan: string): string {
  const signed = JSON.parse(signCommand({ ...payload, plan }, [STRANGER]));
  const bytes = Buffer.from(JSON.stringify(changes.reduce<unknown>(changed, { ...payload, plan })) ?? '');
  return JSON.stringify({ ...signed, payload: bytes.toString('base64url') });
}

/** What wrap gave, with changes inside. */
function envelopeOf(ciphertext: string, changes: readonly Change[]): string {
  const inside: unknown = JSON.parse(Buffer.from(ciphertext, 'base64').toString());
  return Buffer.from(JSON.stringify(changes.reduce(changed, inside)) ?? '').toString('base64');
}

const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, { weight, arbitrary });

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    2,
    3,
    1e300,
    '',
    '2',
    'a\u0000b',
    '\ud7ff',
    [],
    {},
    [[]],
    'x'.repeat(5_000),
  ),
  fc.string({ unit: 'binary' }),
  fc.uuid(),
  fc.base64String(),
  fc.jsonValue({ maxDepth: 4 }),
);

/** What the change is applied to: a place that is reached by taking, at each level, the member of this number. */
interface Change {
  readonly place: readonly number[];
  readonly kind: 'replace' | 'remove' | 'add' | 'double';
  readonly value: unknown;
}
const change: fc.Arbitrary<Change> = fc.record({
  place: fc.array(fc.nat(5), { maxLength: 4 }),
  kind: fc.constantFrom('replace', 'remove', 'add', 'double'),
  value: odd,
});

function changed(value: unknown, { place, kind, value: other }: Change): unknown {
  const [first, ...rest] = place;
  if (first === undefined || typeof value !== 'object' || value === null) return kind === 'replace' ? other : value;
  const entries: [string, unknown][] = Object.entries(value);
  const at = entries.length === 0 ? 0 : first % entries.length;
  const [name = 'x', member] = entries[at] ?? [];
  if (rest.length > 0) entries[at] = [name, changed(member, { place: rest, kind, value: other })];
  else if (kind === 'remove') entries.splice(at, 1);
  else if (kind === 'add') entries.push([typeof other === 'string' ? other : 'unknown', other]);
  else entries[at] = [name, kind === 'double' ? [member, member] : other];
  return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

/** Nothing that a Manager may rightly ask for and that would change the units of the world. */
function harmless(route: string, body: unknown, { instanceName }: Names): unknown {
  if (typeof body !== 'object' || body === null) return body;
  if (route === 'POST /api/v1/instances' && 'name' in body) return { ...body, name: instanceName };
  if (route.endsWith('/maintenance') && 'on' in body) return { ...body, on: body.on === true ? 'on' : body.on };
  return body;
}

const latin1 = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) => String.fromCharCode(code)) }); // biome-ignore format: one line
const headers = fc.dictionary(
  fc.constantFrom(
    'content-type',
    'instance-id',
    'bluemix-instance',
    'crypto-unit-id',
    'correlation-id',
    'accept',
    'x-request-id',
  ),
  fc.oneof(latin1, fc.uuid(), fc.constantFrom('', 'application/json', '*/*')),
  { maxKeys: 3 },
);
const segment = fc.oneof(fc.uuid(), fc.constantFrom('..', '%2e%2e', '%00', '%', 'claim', '__proto__'), fc.webSegment());
const query = fc.webQueryParameters().map((text) => text.replaceAll(' ', '%20'));

interface Wild {
  readonly route: string;
  readonly sent: Sent;
}

function requests(
  names: Names,
  callers: Callers,
  by: fc.Arbitrary<Caller>,
  payloads: readonly CommandPayload[],
  ciphertext: string,
): fc.Arbitrary<Wild> {
  const legal = (route: string, [payload, changes, plan]: [CommandPayload, Change[], string]): object | undefined => {
    const body = ROUTES[route]?.body?.(names);
    if (route === 'POST /api/v1/operations') return { documents: [documentOf(payload, changes, plan)] };
    if (route.endsWith('/unwrap')) return { ciphertext: envelopeOf(ciphertext, changes) };
    return body && 'certificate' in body ? { ...body, certificate: publicPem(STRANGER) } : body;
  };
  const quick = Object.keys(ROUTES).filter((route) => route !== WHOLE);
  const route = fc.oneof(
    { weight: WHOLE_ONCE_IN, arbitrary: fc.constantFrom(...quick, ...quick.filter((one) => ROUTES[one]?.body)) },
    { weight: 1, arbitrary: fc.constant(WHOLE) },
  );
  const changes = fc.oneof(fc.constant<Change[]>([]), fc.array(change, { minLength: 1, maxLength: 3 }));
  const document = fc.tuple(fc.constantFrom(...payloads), changes, fc.uuid({ version: 4 }));
  return fc
    .record({
      route,
      caller: by,
      document,
      changes,
      raw: rarely(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
      ),
      cut: rarely(fc.nat(400)),
      own: fc.boolean(),
      headers: rarely(headers, 4),
      segment: rarely(segment, 2),
      query: rarely(query),
    })
    .map(({ route, caller, document, changes, raw, cut, own, ...more }) => {
      const { path, headers } = ROUTES[route] as Route;
      const body = harmless(route, changes.reduce<unknown>(changed, legal(route, document)), names);
      const text = raw ? Buffer.from(raw) : Buffer.from(JSON.stringify(body) ?? '');
      const [place = '', asked = ''] = path(names).split('?');
      const elsewhere = more.segment === null ? place : place.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, more.segment);
      const sent = {
        method: methodOf(route),
        path: `${elsewhere}?${more.query ?? asked}`,
        headers: { ...more.headers, ...(own && headers?.(names)), ...callers[caller] },
        body: text.subarray(0, cut ?? text.length),
      };
      return { route, sent };
    });
}

/** What is wrong with an answer to a request that may be right or wrong; null when nothing is. */
function wrongWith({ route }: Wild, got: Got): string | null {
  if (got.status >= 200 && got.status < 300) return null;
  if (got.status === 503 && route.includes('/api/v2') && codeIn(got) === 'NO_HEALTHY_UPSTREAM') return null;
  return wrongWithRefusal(got);
}

const ANYBODY = fc.oneof({ weight: 3, arbitrary: fc.constant<Caller>('Manager') }, fc.constantFrom(...CALLERS));

/**
 * Sends so many requests, of one caller or of all, each of which is answered as documented and in time; then everything
 * still stands and serves.
 */
export async function fuzz(
  { world, names, callers }: { readonly world: World; readonly names: Names; readonly callers: Callers },
  count: number,
  caller?: Caller,
): Promise<void> {
  const admins = new Admins(world);
  const units = (await world.units()).map(({ id }) => id);
  const standing = async () => ({
    server: world.serverPid,
    agents: units.map((id) => world.agentPid(id)),
    states: await world.states(),
    records: await Promise.all(units.map(async (id) => (await admins.facts(id)).record)),
    instances: (await world.api('GET', '/api/v1/instances')).body,
  });
  const { path, body, headers } = WRAP;
  const { ciphertext } = (await world.api('POST', path(names), body?.(names), headers?.(names))).body;

  const before = await standing();
  const payloads = await strangersPayloads(admins, names.unit);
  const by = caller === undefined ? ANYBODY : fc.constant(caller);
  const answered = fc.asyncProperty(requests(names, callers, by, payloads, ciphertext), async (wild) => {
    const began = performance.now();
    expect(wrongWith(wild, await send(world, wild.sent))).toBeNull();
    if (wild.route !== WHOLE) expect(performance.now() - began).toBeLessThan(patience(LONGEST_MS));
  });
  await fc.assert(answered, { numRuns: count });

  expect(await standing()).toEqual(before);
  expect(world.log).not.toContain('"event":"internal-error"');
  const opened = await world.api('POST', path(names).replace('wrap', 'unwrap'), { ciphertext }, headers?.(names));
  expect([codeOf(opened), opened.body.plaintext]).toEqual(['ok', Buffer.alloc(32).toString('base64')]);
}
