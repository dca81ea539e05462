/** What the PKCS#11 module can do by itself: from a C program, and from pkcs11js in one process. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findSoftHsm } from '../dist/pkcs11/find-module.js';

const PIN = 'bench-1234';

/** { c, node }: operations per second by name. */
export function measureToken(seconds) {
  const place = mkdtempSync(join(tmpdir(), 'keystead-bench-token-'));
  try {
    const env = makeToken(place);
    const program = join(place, 'token');
    execFileSync('cc', ['-O2', '-w', '-o', program, fileURLToPath(new URL('token.c', import.meta.url)), '-ldl']);
    const loop = fileURLToPath(new URL('token-loop.mjs', import.meta.url));
    const run = (file, words) => JSON.parse(execFileSync(file, words, { env, encoding: 'utf8' }));
    const words = [findSoftHsm(), PIN, String(seconds)];
    return { c: run(program, words), node: run(process.execPath, [loop, ...words]) };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function makeToken(place) {
  mkdirSync(join(place, 'tokens'), { mode: 0o700 });
  const conf = join(place, 'softhsm2.conf');
  writeFileSync(
    conf,
    `directories.tokendir = ${join(place, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const env = { ...process.env, SOFTHSM2_CONF: conf };
  const words = ['--init-token', '--free', '--label', 'bench', '--so-pin', 'bench-so-12', '--pin', PIN];
  execFileSync('softhsm2-util', words, { env, stdio: 'ignore' });
  return env;
}
