/**
 * What has to be on the machine before npm can do its part: the right Node, SoftHSM2, and a compiler for pkcs11js.
 * Every check is quiet when nothing is to do. What is missing is installed with the machine's own package manager
 * when that is possible without asking for a password; otherwise the sentence says which command to run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { capture, SetupError, say, which } from './terminal.mjs';

/** Where systems put SoftHSM2; the same places as in src/pkcs11/find-module.ts (test/docs.spec.ts compares them). */
export const SOFTHSM_PATHS = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
  '/usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so',
];

const SOFTHSM_PACKAGES = { 'apt-get': ['softhsm2'], dnf: ['softhsm'], brew: ['softhsm'] };
const COMPILER_PACKAGES = { 'apt-get': ['g++', 'make', 'python3'], dnf: ['gcc-c++', 'make', 'python3'] };

/** Each is in a package of its own name. */
const TEST_PROGRAMS = ['curl', 'jq', 'openssl'];

/** Throws unless this Node is in the range of package.json's engines. */
export function needNode(root, version = process.versions.node) {
  const range = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node;
  if (inRange(version, range)) return;
  throw new SetupError(
    `Node ${version} is not supported; install one of ${range} (https://nodejs.org) and run this again.`,
  );
}

/** Whether a version is in a range of the two forms that package.json uses: ^a.b.c and >=a.b.c, joined by ||. */
export function inRange(version, range) {
  const has = version.split('-')[0].split('.').map(Number);
  return range.split('||').some((part) => {
    const [, form, ...digits] = /^(\^|>=)(\d+)\.(\d+)\.(\d+)$/.exec(part.trim()) ?? [];
    if (form === undefined) throw new SetupError(`package.json: cannot read the Node range ${part}`);
    const wants = digits.map(Number);
    if (form === '^' && has[0] !== wants[0]) return false;
    const differs = has.findIndex((digit, place) => digit !== wants[place]);
    return differs === -1 || has[differs] > wants[differs];
  });
}

/** The SoftHSM2 module, or undefined. KEYSTEAD_SOFTHSM_MODULE wins and must then exist. */
export function findSoftHsm() {
  const named = process.env.KEYSTEAD_SOFTHSM_MODULE;
  if (!named) return SOFTHSM_PATHS.find((path) => existsSync(path));
  if (existsSync(named)) return named;
  throw new SetupError(`KEYSTEAD_SOFTHSM_MODULE names ${named}, which does not exist; correct or unset it.`);
}

/** Makes sure that SoftHSM2 is there. */
export function needSoftHsm() {
  if (findSoftHsm()) return;
  install('SoftHSM2', SOFTHSM_PACKAGES);
  if (findSoftHsm()) return;
  throw new SetupError(
    'SoftHSM2 was installed but not found; set KEYSTEAD_SOFTHSM_MODULE to the path of libsofthsm2.so.',
  );
}

/** Makes sure that a native module can be built: a C++ compiler, make and python3 (for node-gyp). */
export function needCompiler() {
  const missing = [
    ['a C++ compiler', ['c++', 'g++', 'clang++']],
    ['make', ['make']],
    ['python3', ['python3']],
  ].filter(([, programs]) => !programs.some((program) => which(program)));
  if (missing.length === 0) return;
  const what = missing.map(([name]) => name).join(', ');
  if (process.platform === 'darwin') throw new SetupError(`pkcs11js needs ${what}; run: xcode-select --install`);
  install(what, COMPILER_PACKAGES);
}

/** Makes sure that the programs are there which the procedures that tests execute as written call. */
export function needTestPrograms() {
  const missing = TEST_PROGRAMS.filter((program) => !which(program));
  if (missing.length === 0) return;
  install(missing.join(', '), { 'apt-get': missing, dnf: missing, brew: missing });
}

/**
 * The directory to give node-gyp as nodedir, when Node's headers of exactly this version lie beside its binary:
 * then nothing has to be fetched from nodejs.org to build pkcs11js.
 */
export function nodeHeaders(executable = process.execPath) {
  const prefix = dirname(dirname(executable));
  const header = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return numbers.join('.') === process.versions.node ? prefix : undefined;
}

function install(what, packages) {
  const manager = Object.keys(packages).find((name) => which(name));
  if (!manager) throw new SetupError(`${what} is missing, and there is no apt-get, dnf or brew to install it with.`);
  const command = [manager, 'install', ...(manager === 'brew' ? [] : ['-y']), ...packages[manager]];
  const prefix = asAdministrator(manager);
  if (!prefix) throw new SetupError(`${what} is missing; install it with: sudo ${command.join(' ')}`);
  const run = (args) => capture([...prefix, ...args][0], [...prefix, ...args].slice(1), { env: quietEnvironment() });

  say(`installing ${what}: ${[...prefix, ...command].join(' ')}`);
  let done = run(command);
  if (!done.ok && manager === 'apt-get') {
    // A new machine has no package lists yet, and old lists name files that are gone.
    const update = run(['apt-get', 'update']);
    done = update.ok ? run(command) : update;
  }
  if (done.ok) return;
  throw new SetupError(`${what} could not be installed; try: sudo ${command.join(' ')}\n${done.output.trimEnd()}`);
}

/** What to put before a package manager's command; undefined when it would ask for a password. */
function asAdministrator(manager) {
  if (manager === 'brew' || process.getuid() === 0) return [];
  return which('sudo') && capture('sudo', ['-n', 'true']).ok ? ['sudo', '-n'] : undefined;
}

function quietEnvironment() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive', HOMEBREW_NO_AUTO_UPDATE: '1' };
}
