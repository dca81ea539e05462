import { randomUUID } from 'node:crypto';
import { REASONS } from '../../src/dialects/key-protect/errors.js';
import type { Operation } from '../../src/dialects/key-protect/operation.js';
import { OPERATIONS } from '../../src/dialects/key-protect/operations.js';
import { KEY_ACTS, type KeyAct, type KeyState } from '../../src/keys/key-state.js';
import { type ErrorCode, HTTP_STATUS } from '../../src/shared/errors.js';
import type { Permission } from '../../src/shared/permissions.js';
import { PERMISSIONS, ROLES, type Role } from '../../src/shared/permissions.js';
import { linesOfRequests } from '../audit/lines-of-requests.js';
import { type Callers, callersOf } from '../callers.js';
import { KeyProtectWorld, keyCollection, policyCollection, type Sending } from './key-protect-world.js';
import { type KeyInState, KeysInStates, KINDS, type Kind, STATES } from './keys-in-states.js';

/** Every operation, by every role, on keys of every kind and state, as the tables have it; and every method that is none. */
const CALLERS = [...ROLES, 'no key'] as const;
type Caller = (typeof CALLERS)[number];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const NOT_THERE = 'x-not-there';

let w: KeyProtectWorld;
let keys: KeysInStates;
let callers: Callers;
beforeAll(async () => {
  w = await KeyProtectWorld.start({
    KEYSTEAD_LIMIT_KEYS: '0',
    KEYSTEAD_LIMIT_FAILED_ATTEMPTS: '0',
    KEYSTEAD_TIMER_ENABLE_MS: '1',
    KEYSTEAD_TIMER_RESTORE_MS: '1',
    KEYSTEAD_TIMER_PURGE_MS: '1',
    KEYSTEAD_TIMER_SYNC_MS: '1',
    KEYSTEAD_TIMER_ROTATE_MS: '1',
    KEYSTEAD_TIMER_DUE_KEYS_MS: '200',
  });
  callers = await callersOf(w.world);
  keys = new KeysInStates(w, callers.Manager);
  await w.send('POST', '/api/v2/import_token', { body: { maxAllowedRetrievals: 500 } });
}, 180_000);
afterAll(() => w?.end(), 30_000);
afterEach(() => expect(w.proxy.violations).toEqual([]));

/** What an operation needs to succeed, and which act of the state table it is. */
interface Row {
  readonly act?: KeyAct;
  readonly rootOnly?: true;
  /** On keys that need two people to be deleted. */
  readonly dual?: true;
  /** It leaves the key in another state. */
  readonly spends?: true;
  readonly body?: (key: KeyInState) => unknown;
  readonly query?: string;
  readonly params?: (key: KeyInState, caller: Caller) => Readonly<Record<string, string>>;
  readonly before?: (params: Readonly<Record<string, string>>) => Promise<unknown>;
}

const NEW_KEY = keyCollection({ name: 'a key', extractable: false });
const ciphertext = ({ ciphertext }: KeyInState) => ({ ciphertext });
const newRing = () => ({ ring: `ring-${randomUUID()}` });
const ROWS: Readonly<Record<string, Row>> = {
  countKeys: {},
  listKeys: {},
  createKey: { body: () => NEW_KEY },
  createKeyWithPoliciesOverrides: { body: () => NEW_KEY },
  getKey: { act: 'read' },
  getKeyMetadata: { act: 'read' },
  patchKey: { act: 'move', body: () => ({ keyRingID: 'default' }) },
  deleteKey: { act: 'delete', spends: true },
  purgeKey: { act: 'purge', spends: true },
  restoreKey: { act: 'restore', spends: true },
  getKeyVersions: { act: 'list versions of', rootOnly: true },
  wrapKey: { act: 'wrap', rootOnly: true },
  unwrapKey: { act: 'unwrap', rootOnly: true, body: ciphertext },
  rewrapKey: { act: 'rewrap', rootOnly: true, body: ciphertext },
  rotateKey: { act: 'rotate', rootOnly: true },
  disableKey: { act: 'disable', rootOnly: true, spends: true },
  enableKey: { act: 'enable', rootOnly: true, spends: true },
  setKeyForDeletion: { act: 'set for deletion', dual: true },
  unsetKeyForDeletion: { act: 'unset for deletion', dual: true },
  syncAssociatedResources: { act: 'sync', rootOnly: true },
  putPolicy: { act: 'set policies of', body: () => policyCollection({ dualAuthDelete: { enabled: false } }) },
  getPolicy: { act: 'read policies of' },
  createKeyAlias: { act: 'add an alias to', params: (key, caller) => ({ alias: `${key.alias}-of-${caller}` }) },
  deleteKeyAlias: { act: 'remove an alias of', params: (key, caller) => ({ alias: `${key.alias}-${caller}` }) },
  createImportToken: { body: () => ({ maxAllowedRetrievals: 500 }) },
  getImportToken: {},
  putInstancePolicy: {
    body: () => policyCollection({ policy_type: 'metrics', policy_data: { enabled: false } }),
  },
  getInstancePolicy: {},
  getAllowedIPPort: {},
  listKeyRings: {},
  createKeyRing: { params: newRing },
  deleteKeyRing: {
    params: newRing,
    before: ({ ring }) => w.send('POST', `/api/v2/key_rings/${ring}`),
  },
  getRegistrationsAllKeys: {},
  getRegistrations: { act: 'read' },
};

type Expected = readonly [status: number, reason: string | undefined];

function refused(code: ErrorCode): Expected {
  const { reason, status = HTTP_STATUS[code] }: { reason: string; status?: number } = REASONS[code];
  return [status, status === 401 ? undefined : reason];
}

function isGranted({ request }: Operation, caller: Caller): boolean {
  return (PERMISSIONS[request.permission as Permission] as readonly Role[]).includes(caller as Role);
}

/** Authorisation first, then the kind of the key, then its state. */
function expected(
  operation: Operation,
  caller: Caller,
  kind: Kind,
  state: KeyState,
  act: KeyAct | undefined,
): Expected {
  if (!isGranted(operation, caller)) return refused(caller === 'no key' ? 'UNAUTHENTICATED' : 'FORBIDDEN');
  const { rootOnly } = ROWS[operation.id] as Row;
  if (rootOnly && kind === 'standard') return refused('KEY_NOT_ROOT');
  const states: readonly KeyState[] = act === undefined ? [state] : KEY_ACTS[act];
  if (!states.includes(state)) return refused(act === 'delete' ? 'KEY_DELETED' : 'KEY_STATE');
  return [[...operation.answers.keys()][0] as number, undefined];
}

async function answered(method: string, path: string, caller: Caller, sending: Sending = {}): Promise<Expected> {
  const headers = { ...callers[caller], prefer: 'return=representation' };
  const { status, body } = await w.send(method, path, { ...sending, headers });
  return [status, body?.resources?.[0]?.reasons?.[0]?.code];
}

function pathOf({ path }: Operation, params: Readonly<Record<string, string>>): string {
  return path.replace(/:(\w+)/g, (_whole, name: string) => params[name] ?? NOT_THERE);
}

const said = (asked: string, got: Expected, wanted: Expected): string[] =>
  got[0] === wanted[0] && got[1] === wanted[1] ? [] : [`${asked}: ${got.join(' ')}, not ${wanted.join(' ')}`];

const keyed = OPERATIONS.filter(({ path }) => path.includes('/:id'));

it('the table of this test has a row for every operation', () => {
  expect(Object.keys(ROWS).sort()).toEqual(OPERATIONS.map(({ id }) => id).sort());
});

describe('an operation on a key answers as the tables of roles and states say', () => {
  /** The path of an operation, the deprecated one too, and the acts that it is. */
  function formsOf({ method, path, id }: Operation): readonly (readonly [form: string, act: KeyAct | undefined])[] {
    const { act } = ROWS[id] as Row;
    const action = /\/:id\/(?:actions\/)?(\w+)$/.exec(path)?.[1];
    if (act === 'list versions of')
      return [
        [path, act],
        [`${path}?allKeyStates=true`, 'list versions in any state of'],
      ];
    if (method !== 'POST' || action === undefined || action === 'sync') return [[path, act]];
    return [
      [path, act],
      [`/api/v2/keys/:id?action=${action}`, act],
    ];
  }

  it.each(keyed.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
    '%s',
    async (_title, operation) => {
      const row = ROWS[operation.id] as Row;
      const deviations: string[] = [];
      for (const [form, act] of formsOf(operation)) {
        for (const [kind, state, caller] of cases()) {
          const key = await keys.one(kind, state, row.dual ?? false);
          const wanted = expected(operation, caller, kind, state, act);
          const path = pathOf({ ...operation, path: form }, { id: key.id, ...row.params?.(key, caller) });
          const body = row.body?.(key);
          const got = await answered(operation.method, path, caller, body === undefined ? {} : { body });
          deviations.push(...said(`${caller}, ${kind} key, state ${state}: ${operation.method} ${form}`, got, wanted));
          if (row.spends && got[0] < 300) keys.drop(key);
        }
      }
      expect(deviations).toEqual([]);
    },
    120_000,
  );

  function cases() {
    return KINDS.flatMap((kind) =>
      STATES[kind].flatMap((state) => CALLERS.map((caller) => [kind, state, caller] as const)),
    );
  }
});

it('an operation on no key answers as the table of roles says', async () => {
  const deviations: string[] = [];
  for (const operation of OPERATIONS.filter((one) => !keyed.includes(one))) {
    for (const caller of CALLERS) {
      const { params, before, body } = ROWS[operation.id] as Row;
      const given = params?.(undefined as never, caller) ?? {};
      await before?.(given);
      const sending = body === undefined ? {} : { body: body(undefined as never) };
      const got = await answered(operation.method, pathOf(operation, given), caller, sending);
      const wanted = expected(operation, caller, 'root', 1, undefined);
      const reason = operation.method === 'HEAD' ? undefined : wanted[1];
      deviations.push(...said(`${caller}: ${operation.method} ${operation.path}`, got, [wanted[0], reason]));
    }
  }
  expect(deviations).toEqual([]);
}, 180_000);

it('a method that a path does not have is answered 404, after authentication', async () => {
  const { id } = await keys.one('root', 1, false);
  const deviations: string[] = [];
  for (const path of new Set(OPERATIONS.map((operation) => operation.path))) {
    const filled = path.replace(/:id\b/, id).replace(/:\w+/g, NOT_THERE);
    const isServed = (method: string) => OPERATIONS.some((one) => one.method === method && fits(one.path, filled));
    for (const method of METHODS.filter((one) => !isServed(one))) {
      for (const caller of CALLERS) {
        const got = await answered(method, filled, caller);
        deviations.push(...said(`${caller}: ${method} ${path}`, got, expectedOfNone(method, path, caller)));
      }
    }
  }
  expect(deviations).toEqual([]);
}, 120_000);

/** As the guards of all tests above left it: refused and served, in every state, by every role. */
it('a request has one line in the audit log, whatever came of it, and every operation has lines', async () => {
  const { paths, several } = await linesOfRequests(w.world);
  expect(several).toEqual({});
  expect(paths).toEqual(expect.arrayContaining(OPERATIONS.map(({ method, path }) => `${method} ${path}`)));
});

const fits = (pattern: string, path: string) => new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}$`).test(path);

/** A HEAD is a GET to the router, which therefore asks for the role first; registrations are made by services. */
function expectedOfNone(method: string, path: string, caller: Caller): Expected {
  if (caller === 'no key') return [401, undefined];
  if (method === 'POST' && path.endsWith('/:id/registrations')) return [403, 'SERVICE_ONLY_ERR'];
  const [status, reason] = refused('NOT_FOUND');
  if (method !== 'HEAD') return [status, reason];
  const get = OPERATIONS.find((one) => one.method === 'GET' && one.path === path);
  return [get === undefined || isGranted(get, caller) ? status : 401, undefined];
}
