import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HowToRun, kp, ownDirectory } from './kp.js';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
/** What `kp import-token show` gives. */
const PAYLOAD = Buffer.from(PEM).toString('base64');
const NONCE = '8zJE9pKVdXVe/nLb';

let home: Awaited<ReturnType<typeof ownDirectory>>;
let key: Buffer;
const at = (name: string) => join(home.path, name);
beforeEach(async () => {
  home = await ownDirectory();
  writeFileSync(at('private.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(at('PublicKey.pem'), PEM);
  execFileSync('openssl', ['rand', '-out', 'PlainTextKey.bin', '32'], { cwd: home.path });
  key = readFileSync(at('PlainTextKey.bin'));
  writeFileSync(at('key.b64'), `${key.toString('base64')}\n`);
});
afterEach(() => home.drop());

/** Nothing may be contacted: there is neither a server nor an API key. */
const run = (command: string, args: readonly string[], how: HowToRun = {}) =>
  kp(['import-token', command, ...args], {
    ...how,
    cwd: home.path,
    env: { KP_TARGET_ADDR: 'http://127.0.0.1:9', ...how.env },
  });

const openOaep = (sealed: string, md: string) =>
  execFileSync(
    'openssl',
    [
      'pkeyutl',
      '-decrypt',
      '-inkey',
      at('private.pem'),
      '-pkeyopt',
      'rsa_padding_mode:oaep',
      '-pkeyopt',
      `rsa_oaep_md:${md}`,
    ],
    { input: Buffer.from(sealed, 'base64') },
  );

describe('key-encrypt', () => {
  it.each([
    [[], 'sha256'],
    [['-a', 'SHA256'], 'sha256'],
    [['--hash', 'SHA1'], 'sha1'],
  ])('with %j gives what openssl opens with %s', async (flags, md) => {
    const { code, stdout, stderr } = await run('key-encrypt', ['-k', 'raw:PlainTextKey.bin', '-p', PAYLOAD, ...flags]);
    expect([code, stderr]).toEqual([0, '']);
    const [head, sealed = '', ...rest] = stdout.split('\n');
    expect([head, rest]).toEqual(['Encrypted Key', ['']]);
    expect(sealed).toHaveLength(684);
    expect(openOaep(sealed, md)).toEqual(key);
  });

  it('takes the key and the public key from wherever they are', async () => {
    const base64 = key.toString('base64');
    const keys: readonly (readonly [string, HowToRun])[] = [
      ['@PlainTextKey.bin', {}],
      ['@key.b64', {}],
      ['env:KEY_MATERIAL', { env: { KEY_MATERIAL: base64 } }],
      ['stdin', { stdin: `${base64}\n` }],
      ['fd:3', { fd3: base64 }],
      [base64, {}],
    ];
    writeFileSync(at('payload.b64'), PAYLOAD);
    for (const [source, how] of keys) {
      for (const pubkey of [PAYLOAD, PEM, '@PublicKey.pem', '@payload.b64']) {
        const ran = await run('key-encrypt', ['-k', source, '-p', pubkey, '-o', 'json'], how);
        expect({ source, code: ran.code }).toEqual({ source, code: 0 });
        expect(openOaep(JSON.parse(ran.stdout).encryptedKey, 'sha256')).toEqual(key);
        expect(ran.stderr.includes('Warning: key material on the command line')).toBe(source === base64);
      }
    }
  }, 60_000);
});

describe('nonce-encrypt', () => {
  it('gives 28 bytes, which openssl opens in counter mode, and an IV of 12 bytes', async () => {
    const ran = await run('nonce-encrypt', ['-k', 'raw:PlainTextKey.bin', '-n', NONCE, '--output', 'json']);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const { encryptedNonce, iv, ...more } = JSON.parse(ran.stdout);
    expect([encryptedNonce.length, iv.length, more]).toEqual([40, 16, {}]);
    const counter = `${Buffer.from(iv, 'base64').toString('hex')}00000002`; // SP 800-38D, 7.1: the first block of text
    const args = ['enc', '-d', '-aes-256-ctr', '-K', key.toString('hex'), '-iv', counter];
    const opened = execFileSync('openssl', args, { input: Buffer.from(encryptedNonce, 'base64').subarray(0, 12) });
    expect(opened.toString('base64')).toBe(NONCE);
  });

  it("prints IBM's columns, and takes the nonce from a file too", async () => {
    writeFileSync(at('nonce'), NONCE);
    const { code, stdout } = await run('nonce-encrypt', ['-k', '@key.b64', '-n', '@nonce']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Encrypted Nonce {28}IV\n\S{40} {3}\S{16}\n$/)]);
  });

  it('with --cbc says that this is for another service', async () => {
    const { code, stdout, stderr } = await run('nonce-encrypt', ['-k', '@key.b64', '-n', NONCE, '-c', '-o', 'json']);
    expect([code, JSON.parse(stdout).iv.length, JSON.parse(stderr)]).toEqual([
      0,
      24,
      { warning: { message: expect.stringContaining('leave out --cbc') } },
    ]);
  });
});

test.each([
  ['a key of 20 bytes', ['-k', Buffer.alloc(20).toString('base64'), '-n', NONCE], '16, 24 or 32 bytes; it has 20'],
  ['a nonce of 11 bytes', ['-k', '@key.b64', '-n', Buffer.alloc(11).toString('base64')], '12 bytes; it has 11'],
  ['a nonce that is not base64', ['-k', '@key.b64', '-n', '???'], 'in base64'],
  ['no key', ['-n', NONCE], "'-k, --key <key>' not specified"],
])('%s is a usage error', async (_what, args, says) => {
  const ran = await run('nonce-encrypt', args);
  expect([ran.code, ran.stdout, ran.stderr]).toEqual([2, '', expect.stringContaining(says)]);
});

test('a public key that is none is refused, exit code 1', async () => {
  const ran = await run('key-encrypt', ['-k', '@key.b64', '-p', '@private.pem']);
  expect([ran.code, ran.stdout, ran.stderr]).toEqual([1, '', expect.stringContaining('not that of an import token')]);
});
