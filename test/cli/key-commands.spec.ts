import type { CliContext } from '../../src/cli/context.js';
import { run as runHere, wantsJson } from '../../src/cli/main.js';
import { send } from '../../src/cli/transport.js';
import { type HowToRun, kp, ownDirectory, type Ran } from './kp.js';
import { type Answer, collection, refusal, StandInKeys } from './stand-in-keys.js';

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const VERSION = '3bb363fc-b1f9-4237-b37b-2c9e07784e3c';
const KEY = { id: ID, name: 'root', type: 'application/vnd.ibm.kms.key+json', state: 1, extractable: false };
const POLICY = {
  createdBy: 'a',
  creationDate: '2026-01-01T00:00:00Z',
  updatedBy: 'b',
  lastUpdateDate: '2026-01-02T00:00:00Z',
};
const ROTATION = { ...POLICY, rotation: { enabled: true, interval_month: 3 } };
const DUAL = { ...POLICY, dualAuthDelete: { enabled: true } };
const MATERIAL = Buffer.alloc(32, 7).toString('base64');
const SEALED = Buffer.alloc(512, 1).toString('base64');
const SEALED_NONCE = Buffer.alloc(28, 2).toString('base64');
const IV = Buffer.alloc(12, 3).toString('base64');

let server: StandInKeys;
let home: Awaited<ReturnType<typeof ownDirectory>>;
beforeEach(async () => {
  server = await new StandInKeys().start();
  home = await ownDirectory();
});
afterEach(async () => {
  await server.stop();
  await home.drop();
});

const run = (args: readonly string[], how: HowToRun = {}) =>
  kp(args, { ...how, cwd: home.path, env: { ...server.env, ...how.env } });

/** The same in this process: the many rows below need not wait for as many to start. */
async function ask(argv: readonly string[], env: Record<string, string>, typed?: string): Promise<Ran> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const context: CliContext = {
    env: { ...server.env, ...env },
    argv,
    json: wantsJson(argv),
    out: (line) => stdout.push(`${line}\n`),
    err: (line) => stderr.push(`${line}\n`),
    terminal: typed === undefined ? null : { ask: async () => typed, askHidden: async () => '' },
    draw: null,
    linesOf: () => Promise.reject(new Error('nothing is to be read')),
    request: (request) => send(request, {}),
    now: () => new Date(),
    wait: () => Promise.resolve(),
  };
  return { code: await runHere(context), stdout: stdout.join(''), stderr: stderr.join('') };
}

const words = (line: string) => line.split(' ');
const keyBody = (resource: object) => ({
  metadata: { collectionType: KEY.type, collectionTotal: 1 },
  resources: [{ type: KEY.type, ...resource }],
});
const policyBody = (resource: object) => ({
  metadata: { collectionType: 'application/vnd.ibm.kms.policy+json', collectionTotal: 1 },
  resources: [resource],
});
const keyPolicyBody = (resource: object) => policyBody({ type: 'application/vnd.ibm.kms.policy+json', ...resource });
const ok = (body?: unknown, status = 200): Answer => ({ status, body });

interface Case {
  readonly line: string;
  readonly env?: Record<string, string>;
  readonly call: string;
  readonly answer: Answer;
  readonly query?: Record<string, string>;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly table: string;
  readonly json: unknown;
}

/** One row for each way to call a command: what is asked of the server, and what both forms of output are. */
const CASES: readonly Case[] = [
  {
    line: 'key create root',
    call: 'POST /api/v2/keys',
    answer: ok(collection(KEY), 201),
    body: keyBody({ name: 'root', extractable: false }),
    table: `OK\nKey ID                                 Key Name\n${ID}   root`,
    json: KEY,
  },
  {
    line: 'key create root -k env:K -a one -a two,three -D text --tags x,y --expires 2031-12-31 --key-ring backups',
    env: { K: MATERIAL },
    call: 'POST /api/v2/keys',
    answer: ok(collection(KEY), 201),
    headers: { 'x-kms-key-ring': 'backups' },
    body: keyBody({
      name: 'root',
      extractable: false,
      description: 'text',
      tags: ['x', 'y'],
      aliases: ['one', 'two', 'three'],
      expirationDate: '2031-12-31T00:00:00.000Z',
      payload: MATERIAL,
    }),
    table: `OK\nKey ID                                 Key Name\n${ID}   root`,
    json: KEY,
  },
  {
    line: `key create root -k ${SEALED} -n ${SEALED_NONCE} -v ${IV}`,
    call: 'POST /api/v2/keys',
    answer: ok(collection(KEY), 201),
    body: keyBody({
      name: 'root',
      extractable: false,
      payload: SEALED,
      encryptedNonce: SEALED_NONCE,
      iv: IV,
      encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    }),
    table: `OK\nKey ID                                 Key Name\n${ID}   root`,
    json: KEY,
  },
  {
    line: 'key create-key-with-policy-overrides root -m 3 -d',
    call: 'POST /api/v2/keys_with_policy_overrides',
    answer: ok(collection(KEY), 201),
    body: keyBody({
      name: 'root',
      extractable: false,
      rotation: { enabled: true, interval_month: 3 },
      dualAuthDelete: { enabled: true },
    }),
    table: `OK\nKey ID                                 Key Name\n${ID}   root`,
    json: KEY,
  },
  {
    line: 'keys -c -b -creationDate,id -f state=1 -l exact:root --key-states Active,suspended -n 2 -s 4 -t root-key --key-ring r1',
    call: 'GET /api/v2/keys',
    answer: ok(collection({ ...KEY, crn: 'crn:v1' })),
    headers: { 'x-kms-key-ring': 'r1' },
    query: {
      limit: '2',
      offset: '4',
      state: '1,2',
      extractable: 'false',
      search: 'exact:root',
      sort: '-creationDate,id',
      filter: 'state=1',
    },
    table: `Key ID                                 Key Name   CRN\n${ID}   root       crn:v1`,
    json: [{ ...KEY, crn: 'crn:v1' }],
  },
  {
    line: 'keys',
    call: 'GET /api/v2/keys',
    answer: ok({ metadata: {} }),
    query: { limit: '200', offset: '0' },
    table: 'Key ID   Key Name',
    json: [],
  },
  {
    line: 'key wrap my-alias -p env:K -a a,b',
    env: { K: MATERIAL },
    call: 'POST /api/v2/keys/my-alias/actions/wrap',
    answer: ok({ ciphertext: 'Y2lwaGVy', keyVersion: { id: VERSION } }),
    body: { plaintext: MATERIAL, aad: ['a', 'b'] },
    table: 'Ciphertext   Y2lwaGVy',
    json: { Ciphertext: 'Y2lwaGVy' },
  },
  {
    line: `key wrap ${ID}`,
    call: `POST /api/v2/keys/${ID}/actions/wrap`,
    answer: ok({ plaintext: MATERIAL, ciphertext: 'Y2lwaGVy' }),
    body: {},
    table: `Plaintext    ${MATERIAL}\nCiphertext   Y2lwaGVy`,
    json: { Plaintext: MATERIAL, Ciphertext: 'Y2lwaGVy' },
  },
  {
    line: `key unwrap ${ID} Y2lwaGVy -a a,b`,
    call: `POST /api/v2/keys/${ID}/actions/unwrap`,
    answer: ok({ plaintext: MATERIAL, keyVersion: { id: ID } }),
    body: { ciphertext: 'Y2lwaGVy', aad: ['a', 'b'] },
    table: `Plaintext   ${MATERIAL}`,
    json: { Plaintext: MATERIAL, 'Rewrapped Plaintext': '' },
  },
  {
    line: `key unwrap ${ID} -c Y2lwaGVy`,
    call: `POST /api/v2/keys/${ID}/actions/unwrap`,
    answer: ok({ plaintext: MATERIAL, ciphertext: 'bmV3', rewrappedKeyVersion: { id: VERSION } }),
    body: { ciphertext: 'Y2lwaGVy' },
    table: `Plaintext             ${MATERIAL}\nRewrapped Plaintext   bmV3`,
    json: { Plaintext: MATERIAL, 'Rewrapped Plaintext': 'bmV3' },
  },
  {
    line: `key rewrap ${ID} Y2lwaGVy`,
    call: `POST /api/v2/keys/${ID}/actions/rewrap`,
    answer: ok({ ciphertext: 'bmV3' }),
    body: { ciphertext: 'Y2lwaGVy' },
    table: 'Ciphertext   bmV3',
    json: { Ciphertext: 'bmV3' },
  },
  ...(
    [
      ['disable', 'disable'],
      ['enable', 'enable'],
      ['schedule-delete', 'setKeyForDeletion'],
      ['cancel-delete', 'unsetKeyForDeletion'],
      ['sync', 'sync'],
      ['rotate', 'rotate'],
    ] as const
  ).map(([name, action]) => ({
    line: `key ${name} ${ID} --key-ring r1`,
    call: `POST /api/v2/keys/${ID}/actions/${action}`,
    answer: ok(undefined, 204),
    headers: { 'x-kms-key-ring': 'r1', 'content-length': '0' },
    table: 'OK',
    json: { id: ID },
  })),
  {
    line: `key rotate ${ID} -k ${SEALED} -n ${SEALED_NONCE} -v ${IV} --hash sha1`,
    call: `POST /api/v2/keys/${ID}/actions/rotate`,
    answer: ok(undefined, 204),
    body: { payload: SEALED, encryptedNonce: SEALED_NONCE, iv: IV, encryptionAlgorithm: 'RSAES_OAEP_SHA_1' },
    table: 'OK',
    json: { id: ID },
  },
  {
    line: 'key delete my-alias -f',
    call: 'DELETE /api/v2/keys/my-alias',
    answer: ok(collection({ ...KEY, state: 5 })),
    query: { force: 'true' },
    headers: { prefer: 'return=representation' },
    table: `OK\nDeleted Key\n${ID}`,
    json: { id: ID },
  },
  {
    line: `key delete ${ID}`,
    call: `DELETE /api/v2/keys/${ID}`,
    answer: ok(undefined, 204),
    table: `OK\nDeleted Key\n${ID}`,
    json: { id: ID },
  },
  {
    line: `key purge ${ID} --yes`,
    call: `DELETE /api/v2/keys/${ID}/purge`,
    answer: ok(collection(KEY)),
    table: `OK\nPurged Key\n${ID}`,
    json: { id: ID },
  },
  {
    line: `key restore ${ID}`,
    call: `POST /api/v2/keys/${ID}/restore`,
    answer: ok(collection(KEY), 201),
    headers: { 'content-length': '0' },
    table: `OK\nKey ID                                 Key Name\n${ID}   root`,
    json: KEY,
  },
  {
    line: `key update ${ID} -r new --key-ring old`,
    call: `PATCH /api/v2/keys/${ID}`,
    answer: ok(collection({ ...KEY, keyRingID: 'new' })),
    headers: { 'x-kms-key-ring': 'old' },
    body: { keyRingID: 'new' },
    table: `OK\nKey ID                                 Key Name   Key Ring ID\n${ID}   root       new`,
    json: { ...KEY, keyRingID: 'new' },
  },
  {
    line: `key versions ${ID} -n 12 -s 1 -t -a`,
    call: `GET /api/v2/keys/${ID}/versions`,
    answer: ok({ metadata: { totalCount: 2 }, resources: [{ id: VERSION, creationDate: 'then' }] }),
    query: { limit: '12', offset: '1', totalCount: 'true', allKeyStates: 'true' },
    table: `TotalCount: 2\nKey Version ID                         Creation Date\n${VERSION}   then`,
    json: { metadata: { totalCount: 2 }, resources: [{ id: VERSION, creationDate: 'then' }] },
  },
  {
    line: `key policies ${ID}`,
    call: `GET /api/v2/keys/${ID}/policies`,
    answer: ok(collection(ROTATION, DUAL)),
    table: `${policyText('Rotation', 'Interval        3')}\n\n${policyText('Dual Auth Delete')}`,
    json: [ROTATION, DUAL],
  },
  {
    line: `key policies ${ID} -d`,
    call: `GET /api/v2/keys/${ID}/policies`,
    answer: ok(collection()),
    query: { policy: 'dualAuthDelete' },
    table: 'The key has no policy.',
    json: [],
  },
  {
    line: `key policy-update rotation ${ID} -m 3 -e`,
    call: `PUT /api/v2/keys/${ID}/policies`,
    answer: ok(collection(ROTATION)),
    query: { policy: 'rotation' },
    body: keyPolicyBody({ rotation: { enabled: true, interval_month: 3 } }),
    table: policyText('Rotation', 'Interval        3'),
    json: [ROTATION],
  },
  {
    line: `key policy-update rotation ${ID} --disable`,
    call: `PUT /api/v2/keys/${ID}/policies`,
    answer: ok(collection(ROTATION)),
    query: { policy: 'rotation' },
    body: keyPolicyBody({ rotation: { enabled: false } }),
    table: policyText('Rotation', 'Interval        3'),
    json: [ROTATION],
  },
  {
    line: `key policy-update dual-auth-delete ${ID} -e`,
    call: `PUT /api/v2/keys/${ID}/policies`,
    answer: ok(collection(DUAL)),
    query: { policy: 'dualAuthDelete' },
    body: keyPolicyBody({ dualAuthDelete: { enabled: true } }),
    table: policyText('Dual Auth Delete'),
    json: [DUAL],
  },
  ...['my-alias', '-a my-alias'].map((alias) => ({
    line: `key alias-create ${ID} ${alias}`,
    call: `POST /api/v2/keys/${ID}/aliases/my-alias`,
    answer: ok(collection({ keyId: ID, alias: 'my-alias' }), 201),
    headers: { 'content-length': '0' },
    table: `OK\nKey ID                                 Key Alias\n${ID}   my-alias`,
    json: { keyId: ID, alias: 'my-alias' },
  })),
  {
    line: `key alias-delete ${ID} -a my-alias`,
    call: `DELETE /api/v2/keys/${ID}/aliases/my-alias`,
    answer: ok(undefined, 204),
    table: 'OK',
    json: { id: ID, alias: 'my-alias' },
  },
  {
    line: 'key-rings',
    call: 'GET /api/v2/key_rings',
    answer: ok(collection({ id: 'default' }, { id: 'r1', creationDate: 'then', createdBy: 'me' })),
    query: { limit: '5000' },
    table: 'Key Ring ID   Creation Date   Created By\ndefault\nr1            then            me',
    json: [{ id: 'default' }, { id: 'r1', creationDate: 'then', createdBy: 'me' }],
  },
  {
    line: 'key-ring create Backups-1',
    call: 'POST /api/v2/key_rings/Backups-1',
    answer: ok(undefined, 201),
    table: 'OK',
    json: { id: 'Backups-1' },
  },
  {
    line: 'key-ring delete Backups-1 --force',
    call: 'DELETE /api/v2/key_rings/Backups-1',
    answer: ok(undefined, 204),
    query: { force: 'true' },
    table: 'OK',
    json: { id: 'Backups-1' },
  },
  {
    line: 'registrations -c crn:v1:*::bucket:a',
    call: 'GET /api/v2/keys/registrations',
    answer: ok({ metadata: {}, resources: [{ keyId: ID, resourceCrn: 'crn:v1', preventKeyDeletion: true }] }),
    query: { limit: '5000', urlEncodedResourceCRNQuery: 'crn:v1:*::bucket:a' },
    table: `Key ID                                 Resource CRN   Prevents Deletion   Creation Date\n${ID}   crn:v1         yes`,
    json: [{ keyId: ID, resourceCrn: 'crn:v1', preventKeyDeletion: true }],
  },
  {
    line: 'registrations -k my-alias',
    call: 'GET /api/v2/keys/my-alias/registrations',
    answer: ok({ metadata: {} }),
    query: { limit: '5000' },
    table: 'Key ID   Resource CRN   Prevents Deletion   Creation Date',
    json: [],
  },
  {
    line: 'import-token create -e 300 -m 3',
    call: 'POST /api/v2/import_token',
    answer: ok(token()),
    body: { expiration: 300, maxAllowedRetrievals: 3 },
    table:
      'Created                Expires                Max Retrievals   Remaining Retrievals\n' +
      '2020-05-04T19:12:07Z   2020-05-04T19:17:07Z   3                3',
    json: token(),
  },
  ...(
    [
      ['dual-auth-delete -e', 'dualAuthDelete', { enabled: true }],
      ['dual-auth-delete -d', 'dualAuthDelete', { enabled: false }],
      ['metrics --enable', 'metrics', { enabled: true }],
      ['rotation -e -m 3', 'rotation', { enabled: true, attributes: { interval_month: 3 } }],
      [
        'allowed-network -e -t private-only',
        'allowedNetwork',
        { enabled: true, attributes: { allowed_network: 'private-only' } },
      ],
      [
        'allowed-ip -e --ips 192.0.2.0/24,2001:db8::/32',
        'allowedIP',
        { enabled: true, attributes: { allowed_ip: ['192.0.2.0/24', '2001:db8::/32'] } },
      ],
      [
        'key-create-import-access -e --enforce-token true --import-root-key false',
        'keyCreateImportAccess',
        { enabled: true, attributes: { import_root_key: false, enforce_token: true } },
      ],
    ] as const
  ).map(([line, type, data]) => ({
    line: `instance policy-update ${line}`,
    call: 'PUT /api/v2/instance/policies',
    answer: ok(undefined, 204),
    query: { policy: type },
    body: policyBody({ policy_type: type, policy_data: data }),
    table: 'OK',
    json: { policy_type: type, policy_data: data },
  })),
];

function policyText(type: string, ...more: string[]): string {
  return [
    'Created By      a',
    'Creation Date   2026-01-01T00:00:00Z',
    'Last Updated    2026-01-02T00:00:00Z',
    'Updated By      b',
    `Policy Type     ${type}`,
    ...more,
    'Enabled         true',
  ].join('\n');
}

function token() {
  return {
    creationDate: '2020-05-04T19:12:07Z',
    expirationDate: '2020-05-04T19:17:07Z',
    maxAllowedRetrievals: 3,
    remainingRetrievals: 3,
  };
}

test.each(CASES)('kp $line', async ({ line, env = {}, call, answer, query = {}, body, headers = {}, table, json }) => {
  server.answers[call] = answer;
  const shown = await ask(words(line), env);
  expect(shown).toEqual({ code: 0, stdout: `${table}\n`, stderr: '' });
  expect(server.last).toEqual({ call, query, body });
  expect(server.seen.at(-1)?.headers).toMatchObject({ ...headers, 'bluemix-instance': server.instance });
  const printed = await ask([...words(line), '-o', 'json'], env);
  expect({ ...printed, stdout: JSON.parse(printed.stdout) }).toEqual({ code: 0, stdout: json, stderr: '' });
});

test('an import token is always shown as JSON, with its nonce and its public key alone', async () => {
  server.answers['GET /api/v2/import_token'] = ok({ ...token(), payload: 'cGVt', nonce: IV });
  for (const more of [[], ['-o', 'json']]) {
    const { code, stdout } = await run(['import-token', 'show', ...more]);
    expect([code, JSON.parse(stdout)]).toEqual([0, { nonce: IV, payload: 'cGVt' }]);
  }
});

test('the material of a standard key is asked for, and shown, with -o json alone', async () => {
  const standard = { ...KEY, extractable: true, keyRingID: 'default', aliases: ['one', 'two'] };
  server.answers[`GET /api/v2/keys/${ID}`] = ok(collection({ ...standard, payload: MATERIAL }));
  server.answers[`GET /api/v2/keys/${ID}/metadata`] = ok(collection(standard));
  expect(JSON.parse((await run(['key', 'show', ID, '-o', 'json'])).stdout)).toEqual({ ...standard, payload: MATERIAL });
  const { stdout } = await run(['key', 'show', ID]);
  expect(server.last.call).toBe(`GET /api/v2/keys/${ID}/metadata`);
  expect(stdout).toContain(
    'Key Type          standard key\nState             active\n'.replace(/ {10}/g, '          '),
  );
  expect(stdout).toMatch(/^Aliases +one, two$/m);
  expect(stdout).toMatch(/^Expiration Date +Key does not expire$/m);
  await run(['key', 'show', ID, '--metadata', '-o', 'json']);
  expect(server.last.call).toBe(`GET /api/v2/keys/${ID}/metadata`);
});

test('instance policies are listed whole, or those that are asked for', async () => {
  const rotation = {
    ...POLICY,
    policy_type: 'rotation',
    policy_data: { enabled: true, attributes: { interval_month: 3 } },
  };
  const network = {
    ...POLICY,
    lastUpdated: '2026-01-02T00:00:00Z',
    policy_type: 'allowedNetwork',
    policy_data: { enabled: false, attributes: { allowed_network: 'public-and-private' } },
  };
  const metrics = { policy_type: 'metrics', policy_data: { enabled: true } };
  server.answers['GET /api/v2/instance/policies'] = ok(collection(rotation, network, metrics));
  const policies = async (...flags: string[]) =>
    JSON.parse((await run(['instance', 'policies', ...flags, '-o', 'json'])).stdout);
  expect(await policies()).toEqual([rotation, network, metrics]);
  expect(server.last.query).toEqual({});
  expect(await policies('-r')).toEqual([rotation]);
  expect(server.last.query).toEqual({ policy: 'rotation' });
  expect(await policies('-a', '-m')).toEqual([network, metrics]);
  expect((await run(['instance', 'policies', '-a'])).stdout).toBe(
    [
      'Created By        a',
      'Creation Date     2026-01-01T00:00:00Z',
      'Last Updated      2026-01-02T00:00:00Z',
      'Updated By        b',
      'Policy Type       allowedNetwork',
      'Enabled           false',
      'Network Allowed   public-and-private\n',
    ].join('\n'),
  );
});

test('a full page says that there may be more', async () => {
  server.answers['GET /api/v2/keys'] = ok(collection(KEY));
  expect((await run(['keys', '-n', '1', '-s', '5'])).stderr).toContain('-s 6');
});

test('key material on the command line is warned of, elsewhere it is not', async () => {
  server.answers['POST /api/v2/keys'] = ok(collection(KEY), 201);
  const bare = await run(['key', 'create', 'root', '-k', MATERIAL]);
  expect([bare.code, bare.stderr]).toEqual([0, expect.stringMatching(/^Warning: key material .*\n$/)]);
  const piped = await run(['key', 'create', 'root', '-k', 'stdin'], { stdin: `${MATERIAL}\n` });
  expect([piped.code, piped.stderr]).toEqual([0, '']);
  expect(server.last.body).toMatchObject({ resources: [{ payload: MATERIAL }] });
});

test("IBM's refusals are sentences with the command that helps, and exit codes", async () => {
  const call = `POST /api/v2/keys/${ID}/actions/wrap`;
  const wrap = (...more: string[]) => run(['key', 'wrap', ID, ...more]);
  server.answers[call] = refusal(409, 'KEY_ACTION_INVALID_STATE_ERR', 'Key is not in a valid state');
  expect(await wrap()).toEqual({
    code: 1,
    stdout: '',
    stderr: `FAILED\nKey is not in a valid state\nNext: kp key show ${ID} --metadata\n`,
  });
  expect(JSON.parse((await wrap('-o', 'json')).stderr)).toEqual({
    error: { code: 'KEY_STATE', message: 'Key is not in a valid state', next: `kp key show ${ID} --metadata` },
  });
  const upstream = 'no healthy upstream: no crypto units are in kms-initialized state at this time';
  server.answers[call] = ok(upstream, 503);
  expect(await wrap()).toMatchObject({ code: 1, stderr: `FAILED\n${upstream}\nNext: kp crypto-units\n` });
  server.answers[call] = refusal(400, 'INVALID_FIELD_ERR', 'The field `plaintext` must be: short');
  expect((await wrap()).code).toBe(2);
  server.answers[call] = ok(collection({ errorMsg: 'Unauthorized: The user does not have access to it' }), 401);
  expect(await wrap()).toMatchObject({ code: 4, stderr: expect.stringContaining('lacks a role') });
  server.answers[call] = ok({ unexpected: true });
  expect(await wrap()).toMatchObject({ code: 1, stderr: expect.stringContaining('in a way kp does not know') });
});

test('a purge is asked about, and without anybody to ask --yes is needed', async () => {
  server.answers['GET /api/v2/keys/my-alias/metadata'] = ok(collection(KEY));
  const ran = await run(['key', 'purge', 'my-alias']);
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('add --yes')]);
  const wrong = await ask(['key', 'purge', 'my-alias'], {}, 'my-alias');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('nothing was purged')]);
  expect(server.seen.map(({ call }) => call)).not.toContain('DELETE /api/v2/keys/my-alias/purge');
  server.answers['DELETE /api/v2/keys/my-alias/purge'] = ok(collection(KEY));
  expect(await ask(['key', 'purge', 'my-alias'], {}, ID)).toMatchObject({ code: 0, stdout: `OK\nPurged Key\n${ID}\n` });
});
