/**
 * Makes a clone ready to run: Node version, SoftHSM2, npm packages, the native module, the build.
 * Every step looks first and is quiet when nothing is to do, so the other scripts call this every time.
 * `node scripts/setup.mjs` runs it alone. Only Node's built-in modules are used: there may be no packages yet.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needCompiler, needNode, needSoftHsm, nodeHeaders } from './system.mjs';
import { capture, runScript, SetupError, say } from './terminal.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUNDLE = join('scripts', 'bundle.mjs');

/** Everything a program from dist needs. */
export function setUp() {
  needNode(ROOT);
  needSoftHsm();
  needPackages();
  needPkcs11js();
  needBuild();
}

/** `npm ci`, unless node_modules holds what package-lock.json says. */
export function needPackages() {
  if (packagesMatchLock()) return;
  needCompiler(); // pkcs11js is built during npm ci
  say('installing the npm packages: npm ci');
  const done = npm(['ci']);
  if (!done.ok) throw new SetupError(`npm ci failed; what it said:\n${done.output.trimEnd()}`);
}

/**
 * npm writes node_modules/.package-lock.json last, so an interrupted installation has none. Packages of other
 * platforms are in the lock and not in node_modules; a package that is in both must have the same version and contents.
 */
function packagesMatchLock() {
  const hidden = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const wanted = Object.entries(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages);
  const present = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return wanted.every(([place, { version, integrity, optional }]) => {
    const found = present[place];
    if (place === '' || (found === undefined && optional)) return true;
    return found !== undefined && found.version === version && found.integrity === integrity;
  });
}

/** Checks that the native module loads; npm may have been told to skip install scripts, or Node was changed since. */
export function needPkcs11js() {
  if (pkcs11jsLoads().ok) return;
  needCompiler();
  say('building pkcs11js: npm rebuild pkcs11js');
  const built = npm(['rebuild', 'pkcs11js', '--ignore-scripts=false']);
  const loaded = pkcs11jsLoads();
  if (loaded.ok) return;
  const why = built.ok ? loaded.output : built.output;
  throw new SetupError(`pkcs11js does not load and could not be built; try: npm rebuild pkcs11js\n${why.trimEnd()}`);
}

function pkcs11jsLoads() {
  return capture(process.execPath, ['-e', "require('pkcs11js')"], { cwd: ROOT });
}

function npm(args) {
  const headers = nodeHeaders();
  // npm warns of the setting it does not know and hands it on to node-gyp, which does.
  const env = headers ? { ...process.env, npm_config_nodedir: headers } : process.env;
  return capture('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: ROOT, env });
}

/** Builds dist, unless it was built from exactly the sources that are there. */
export function needBuild() {
  const stamp = join(ROOT, 'dist', '.built-from');
  const sources = digestOfSources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  say('building: npm run build');
  const nest = join(ROOT, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  for (const step of [[nest, 'build'], [join(ROOT, BUNDLE)]]) {
    const done = capture(process.execPath, step, { cwd: ROOT });
    if (!done.ok) throw new SetupError(`the build failed:\n${done.output.trimEnd()}`);
  }
  writeFileSync(stamp, sources);
}

/** By contents and not by time: a checkout of another branch and a deleted file count too. */
function digestOfSources() {
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'nest-cli.json', 'package-lock.json', BUNDLE];
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => join('src', name));
  const hash = createHash('sha256');
  for (const name of [...settings, ...sources.sort()]) {
    hash.update(
      `${name}\n${createHash('sha256')
        .update(readFileSync(join(ROOT, name)))
        .digest('hex')}\n`,
    );
  }
  return hash.digest('hex');
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await runScript(setUp);
