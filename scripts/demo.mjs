/**
 * `npm run demo`: the whole initialisation of a Dedicated instance, with real processes and nothing left behind.
 * A server on a free loopback port, its data in a temporary directory, three crypto units on SoftHSM2 tokens; every
 * command is run by bin/kp and shown as typed.
 *   --record FILE        also writes what was shown to FILE (docs/demo.txt: then `npm run docs`)
 *   KEYSTEAD_DEMO_KEEP=1 keeps the directory and says where it is
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DemoServer, withoutOurs } from './server.mjs';
import { ROOT, setUp } from './setup.mjs';
import { CommandFailed, Shell } from './shell.mjs';
import { runScript, SetupError, say } from './terminal.mjs';

const AUTH = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASSPHRASE"}]'`;
const ALL_SHARES = `'["alice.share#env:ALICE", "bob.share#env:BOB", "carol.share#env:CAROL"]'`;
const TWO_SHARES = `'["alice.share#env:ALICE", "carol.share#env:CAROL"]'`;

await runScript(async () => {
  const record = recordFile(process.argv.slice(2));
  setUp();
  const began = Date.now();
  // macOS: its temporary directory is too deep for the sockets of the agents
  const directory = mkdtempSync(
    join(realpathSync(process.platform === 'darwin' ? '/tmp' : tmpdir()), 'keystead-demo-'),
  );
  const work = join(directory, 'work');
  mkdirSync(work, { mode: 0o700 });
  const shell = new Shell(work, { ...withoutOurs(process.env), KP_HOME: join(directory, 'kp') });
  let server;
  const cleanUp = () => tidy(server, directory);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => cleanUp().finally(() => process.exit(130)));
  }

  let failure;
  try {
    server = await DemoServer.launch(directory);
    await server.untilAlive();
    await initialise(shell, server);
  } catch (cause) {
    failure = cause;
    process.stdout.write(`\n${describe(cause, server)}\n`);
  }
  await cleanUp();
  if (failure) return 1;
  const seconds = Math.round((Date.now() - began) / 1000);
  shell.title(
    `Done in ${seconds} s; the server is stopped${process.env.KEYSTEAD_DEMO_KEEP === '1' ? '' : ' and its directory removed'}.`,
  );
  if (record) writeFileSync(record, shell.transcript);
  return 0;
});

async function initialise(shell, server) {
  shell.title('A server on this machine; its first API key lies in its data directory');
  shell.export('KP_TARGET_ADDR', server.url);
  shell.export('KP_API_KEY_FILE', join(server.dataDir, 'bootstrap-api-key'));
  await ready(shell, server, 503);

  shell.title('1. An instance with three crypto units');
  await shell.run('kp instance create DEMO --crypto-units 3');
  const [{ id }] = await shell.ask('kp instance list -o json');
  shell.export('KP_INSTANCE_ID', id);
  await shell.run('kp crypto-units');

  shell.title('2. The administrator: a signature key made here, claimed on every unit');
  shell.export('ADMIN_PASSPHRASE', 'a long walk by the sea');
  await shell.run('kp crypto-unit sig-key generate --file admin.key --passphrase env:ADMIN_PASSPHRASE --algo RSA-2048');
  const claimed = await shell.run('kp crypto-unit claim --credential admin.key');
  compareReceiptKeys(shell, server, claimed);

  shell.title('3. The master key: made here, split among three people, any two of whom can load it');
  shell.export('ALICE', 'seven grey herons');
  shell.export('BOB', 'the kettle is on');
  shell.export('CAROL', 'no ship before noon');
  await shell.run(
    `kp crypto-unit mk generate --keyshare-files ${ALL_SHARES} --keyshare-minimum 2 --algo AES-256 --key-name DEMO ${AUTH}`,
  );
  await shell.run(`kp crypto-unit mk verify --keyshare-files ${ALL_SHARES}`);
  await shell.run(`kp crypto-unit mk import --keyshare-files ${TWO_SHARES} ${AUTH}`);

  shell.title('4. Permission for the key service, and a second administrator');
  await shell.run(`kp crypto-unit user add --type kmsCryptoUser ${AUTH}`);
  shell.export('DEPUTY_PASSPHRASE', 'a lamp in the window');
  await shell.run(
    'kp crypto-unit sig-key generate --file deputy.key --passphrase env:DEPUTY_PASSPHRASE --algo RSA-2048',
  );
  await shell.run(`kp crypto-unit user add --type admin --name DEPUTY --credential deputy.key ${AUTH}`);
  await shell.run('kp crypto-unit users');
  await shell.run('kp crypto-unit mk list');
  await shell.run('kp crypto-units');
  await everyUnitIs(shell, 'kms-initialized', 3);
  await ready(shell, server, 200);

  shell.title('5. A root key, and a data key wrapped under it');
  const key = find(/^(\S+) +backups$/m, await shell.run('kp key create backups'));
  const plaintext = Buffer.from('a data key of 32 bytes, for you!').toString('base64');
  shell.export('DATA_KEY', plaintext);
  const wrapped = await shell.run(`kp key wrap ${key} --plaintext env:DATA_KEY --aad tenant-7`);
  const ciphertext = find(/^Ciphertext +(\S+)$/m, wrapped);
  const unwrapped = await shell.run(`kp key unwrap ${key} --ciphertext ${ciphertext} --aad tenant-7`);
  const opened = find(/^Plaintext +(\S+)$/m, unwrapped);
  if (opened !== plaintext) throw new Error(`unwrap gave ${opened}, not the ${plaintext} that was wrapped`);
  shell.note('The unwrapped data key is the one that was wrapped.');

  shell.title('6. What was done, by whom');
  await shell.run('kp audit list');
}

/** Does what the output of claim asks for: the agents' log must show the receipt keys that kp was shown. */
function compareReceiptKeys(shell, server, claimed) {
  const shown = [...claimed.matchAll(/^Receipt key of \S+: ([0-9a-f]{64})$/gm)].map(([, key]) => key);
  const logged = server.logLines().filter((line) => /"event":"claimed"/.test(line));
  if (shown.length !== 3 || !shown.every((key) => logged.some((line) => line.includes(key)))) {
    throw new Error(`the agents' log does not show the receipt keys ${shown.join(', ')}`);
  }
  shell.note("The log of each unit's agent shows the same receipt key.");
}

function find(pattern, text) {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`expected ${pattern} in: ${text}`);
  return found;
}

async function everyUnitIs(shell, state, count) {
  const units = await shell.ask('kp crypto-units -o json');
  if (units.length === count && units.every((unit) => unit.state === state)) return;
  throw new Error(`not every crypto unit is ${state}: ${JSON.stringify(units)}`);
}

/** Shows /readyz and waits until it answers with the status. */
async function ready(shell, server, status) {
  const deadline = Date.now() + 10_000;
  let answer = await server.get('/readyz');
  while (answer.status !== status && Date.now() < deadline) {
    await new Promise((wake) => setTimeout(wake, 100));
    answer = await server.get('/readyz');
  }
  shell.note(`GET /readyz → ${answer.status} ${answer.text}`);
  if (answer.status !== status) throw new Error(`/readyz should answer ${status}`);
}

function describe(cause, server) {
  const what =
    cause instanceof CommandFailed ? `${cause.message}; it printed:\n${cause.output}` : (cause.stack ?? cause);
  return `The demo failed: ${what}\n${server ? `\nThe end of the server's log:\n${server.logTail()}` : ''}`;
}

async function tidy(server, directory) {
  try {
    await server?.stop();
  } finally {
    if (process.env.KEYSTEAD_DEMO_KEEP === '1') say(`kept ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

function recordFile(args) {
  if (args.length === 0) return undefined;
  if (args.length === 2 && args[0] === '--record') return resolve(ROOT, args[1]);
  throw new SetupError('usage: npm run demo [-- --record FILE]');
}
