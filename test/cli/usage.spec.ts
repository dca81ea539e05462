import type { Command } from 'commander';
import type { CliContext } from '../../src/cli/context.js';
import { buildProgram } from '../../src/cli/main.js';
import { kp, ownDirectory } from './kp.js';

const program = buildProgram({ env: {}, argv: [], json: false } as unknown as CliContext);
const every = (command: Command, path: readonly string[]): (readonly string[])[] => [
  path,
  ...command.commands.flatMap((child) => every(child, [...path, child.name()])),
];
const COMMANDS = every(program, []);
const EXAMPLE = /\n {2}\$ .*kp /;

function helpOf(path: readonly string[]): string {
  let command: Command | undefined = program;
  for (const name of path) command = command?.commands.find((child) => child.name() === name);
  const written: string[] = [];
  command?.configureOutput({ writeOut: (text) => written.push(text) }).outputHelp();
  return written.join('');
}

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const AUTH = '[{"ADMIN":"a.key"}]';
const SHARES = '["a.ks#pass:123456","b.ks#pass:123456"]';
const generate = ['crypto-unit', 'mk', 'generate', '--auth', AUTH];

test('there are all the commands of the documents', () => {
  const there = COMMANDS.map((path) => path.join(' '));
  const wanted =
    `instance create, instance list, instance show, instance delete, crypto-units, crypto-units diff, crypto-unit show,
    crypto-unit maintenance, crypto-unit replace, crypto-unit sig-key generate, crypto-unit claim,
    crypto-unit master-key generate, crypto-unit master-key import, crypto-unit master-key list,
    crypto-unit master-key verify, crypto-unit master-key reshare, crypto-unit master-keys, crypto-unit user add,
    crypto-unit threshold set, crypto-unit master-key random, crypto-unit master-key importer,
    command show, command sign, command submit, crypto-unit user remove, crypto-unit users, crypto-unit zeroize, operation show, audit list, completion,
    key create, key create-key-with-policy-overrides, key show, key update, key rotate, key restore, key wrap,
    key unwrap, key rewrap, key versions, key delete, key purge, key disable, key enable, key schedule-delete,
    key cancel-delete, key sync, key policies, key policy-update rotation, key policy-update dual-auth-delete,
    key alias-create, key alias-delete, keys, key-rings, key-ring create, key-ring delete, registrations,
    import-token create, import-token show, import-token key-encrypt, import-token nonce-encrypt, instance policies,
    instance policy-update allowed-network, instance policy-update dual-auth-delete, instance policy-update rotation,
    instance policy-update allowed-ip, instance policy-update key-create-import-access, instance policy-update metrics,
    api-key create, api-key list, api-key revoke`.split(/,\s+/);
  expect(there).toEqual(expect.arrayContaining(wanted));
});

test('the help of every command holds an example', async () => {
  for (const path of COMMANDS)
    expect({ path, help: helpOf(path) }).toMatchObject({ help: expect.stringMatching(EXAMPLE) });
  const { code, stdout, stderr } = await kp(['key', 'policy-update', 'rotation', '--help']);
  expect([code, stdout, stderr]).toEqual([0, helpOf(['key', 'policy-update', 'rotation']), '']);
});

test('the version is that of the package', async () => {
  expect(await kp(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test.each([
  ['no command', []],
  ['an unknown command', ['wrap']],
  ['an unknown option', ['crypto-units', '--all']],
  ['a surplus word', ['crypto-units', 'all']],
  ['a format that does not exist', ['crypto-units', '-o', 'yaml']],
  ['4 crypto units', ['instance', 'create', 'x', '--crypto-units', '4']],
  ['no name', ['instance', 'create']],
  ['both --auth and --cu', ['crypto-unit', 'zeroize', '--id', ID, '--auth', AUTH, '--cu', '[]']],
  ['nobody to sign', ['crypto-unit', 'zeroize', '--id', ID]],
  ['an id that is none', ['crypto-unit', 'zeroize', '--id', 'x', '--auth', AUTH]],
  ['a threshold of 0', ['crypto-unit', 'threshold', 'set', '0', '--auth', AUTH]],
  ['a threshold of 17', ['crypto-unit', 'threshold', 'set', '17', '--auth', AUTH]],
  ['a threshold that nobody signs', ['crypto-unit', 'threshold', 'set', '2']],
  ['both --plan and --sign-only', ['crypto-unit', 'threshold', 'set', '2', '--plan', '--sign-only', 'x.json']],
  ['a request for random bytes that is sent', ['crypto-unit', 'mk', 'random', '--auth', AUTH]],
  ['a command file that nobody signs', ['command', 'sign', 'x.json']],
  ['no command file', ['command', 'submit']],
  ['another user type', ['crypto-unit', 'user', 'add', '--type', 'root', '--auth', AUTH]],
  [
    'a kmsCryptoUser with a name',
    ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--name', 'x', '--auth', AUTH],
  ],
  ['an admin without a name', ['crypto-unit', 'user', 'add', '--type', 'admin', '--credential', 'x', '--auth', AUTH]],
  ['an admin without a credential', ['crypto-unit', 'user', 'add', '--type', 'admin', '--name', 'x', '--auth', AUTH]],
  ['another algorithm of a signature key', ['crypto-unit', 'sig-key', 'generate', '--file', 'x', '--algo', 'RSA-4096']],
  [
    'another algorithm of a master key',
    [...generate, '--keyshare-files', SHARES, '--key-name', 'x', '--algo', 'AES-128'],
  ],
  ['a key name of 9 characters', [...generate, '--keyshare-files', SHARES, '--key-name', 'nine-char']],
  ['an empty key name', [...generate, '--keyshare-files', SHARES, '--key-name', '']],
  ['one keyshare', [...generate, '--keyshare-files', '["a.ks#pass:123456"]', '--key-name', 'x']],
  ['a minimum of 1', [...generate, '--keyshare-files', SHARES, '--key-name', 'x', '--keyshare-minimum', '1']],
  [
    'a minimum above the number',
    [...generate, '--keyshare-files', SHARES, '--key-name', 'x', '--keyshare-minimum', '3'],
  ],
  [
    'a passphrase of 5 characters',
    [...generate, '--keyshare-files', '["a.ks#pass:12345","b.ks#pass:123456"]', '--key-name', 'x'],
  ],
  [
    'a passphrase of 256 characters',
    [
      ...generate,
      '--keyshare-files',
      JSON.stringify([`a.ks#pass:${'x'.repeat(256)}`, 'b.ks#pass:123456']),
      '--key-name',
      'x',
    ],
  ],
  [
    'a keyshare without passphrase',
    [...generate, '--keyshare-files', '["a.ks#","b.ks#pass:123456"]', '--key-name', 'x'],
  ],
  ['keyshares that are not JSON', [...generate, '--keyshare-files', 'a.ks b.ks', '--key-name', 'x']],
  ['neither --on nor --off', ['crypto-unit', 'maintenance', ID]],
  ['both --on and --off', ['crypto-unit', 'maintenance', ID, '--on', '--off']],
  ['ciphertext that is not base64', ['key', 'unwrap', ID, '-c', '???']],
  ['ciphertext twice', ['key', 'unwrap', ID, 'AQID', '-c', 'AQID']],
  ['no ciphertext', ['key', 'unwrap', ID]],
  ['a key that is neither id nor alias', ['key', 'show', 'a/b']],
  ['key material of 20 bytes', ['key', 'create', 'root', '-k', Buffer.alloc(20).toString('base64')]],
  ['an encrypted nonce without a key', ['key', 'create', 'root', '-n', Buffer.alloc(28).toString('base64')]],
  ['a standard key by import token', ['key', 'create', 'root', '-s', '-k', 'AQID', '-n', 'AQID', '-v', 'AQID']],
  ['a rotation without months', ['key', 'create-key-with-policy-overrides', 'root', '-r']],
  ['13 months', ['key', 'policy-update', 'rotation', ID, '-m', '13']],
  ['a rotation policy that says nothing', ['key', 'policy-update', 'rotation', ID]],
  ['a policy on and off', ['key', 'policy-update', 'rotation', ID, '-e', '-d']],
  ['dual authorization that is not enabled', ['key', 'policy-update', 'dual-auth-delete', ID]],
  ['no alias', ['key', 'alias-create', ID]],
  ['an alias with a blank', ['key', 'alias-create', ID, 'a b']],
  ['an expiry that is no date', ['key', 'create', 'root', '--expires', 'soon']],
  ['a state that is none', ['keys', '--key-states', 'active,gone']],
  ['5001 keys', ['keys', '-n', '5001']],
  ['a type of key that is none', ['keys', '-t', 'leaf-key']],
  ['a key ring of 1 character', ['key-ring', 'create', 'x']],
  ['an import token for 299 seconds', ['import-token', 'create', '-e', '299']],
  ['an import token for 501 retrievals', ['import-token', 'create', '-m', '501']],
  ['an instance policy neither on nor off', ['instance', 'policy-update', 'metrics']],
  ['instance rotation without months', ['instance', 'policy-update', 'rotation', '-e']],
  ['a disabled policy with more beside it', ['instance', 'policy-update', 'rotation', '-d', '-m', '3']],
  ['a network of another type', ['instance', 'policy-update', 'allowed-network', '-e', '-t', 'public-only']],
  ['an API key without a role', ['api-key', 'create', 'x']],
  ['a role that is none', ['api-key', 'create', 'x', '--role', 'Root']],
  ['a scope that is none', ['api-key', 'create', 'x', '--role', 'Reader', '--scope', 'everywhere']],
  ['a shell that is unknown', ['completion', 'csh']],
])('%s is a usage error: exit code 2, one sentence, and nothing is contacted', async (_what, args) => {
  const home = await ownDirectory();
  try {
    const env = { KP_API_KEY: 'key', KP_TARGET_ADDR: 'http://127.0.0.1:9' };
    const ran = await kp(args, { cwd: home.path, env });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    if (args.length > 0) expect(ran.stderr).toMatch(/^(Warning: .*\n)*FAILED\n.+\n(Next: .+\n)?$/);
  } finally {
    await home.drop();
  }
});

test('with -o json an error is one JSON object on stderr, also when the words are wrong', async () => {
  for (const args of [
    ['crypto-units', '--all', '-o', 'json'],
    ['crypto-units', '-o', 'json'],
  ]) {
    const { stdout, stderr } = await kp(args, { env: {} });
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toEqual({
      error: { code: expect.any(String), message: expect.any(String), next: expect.any(String) },
    });
  }
});

test('a server that is not there is said in a sentence, exit code 1; no API key is exit code 4', async () => {
  const env = { KP_API_KEY: 'key', KP_TARGET_ADDR: 'http://127.0.0.1:9' };
  const ran = await kp(['instance', 'list'], { env });
  const sentence = /^FAILED\nno answer from http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/;
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(sentence) });
  expect(await kp(['instance', 'list'])).toMatchObject({ code: 4 });
});
