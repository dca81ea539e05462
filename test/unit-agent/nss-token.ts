import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNssSoftoken } from '../../src/pkcs11/find-module.js';
import { AgentWorld } from './agent-world.js';

/** NSS softoken and certutil are installed. */
export const nssInstalled = findNssSoftoken() !== undefined && spawnSync('certutil', ['-H']).error === undefined;

/** A unit on a token of NSS softoken, which its owner prepared: it takes no data objects, so the record is in a file. */
export function nssWorld(): AgentWorld {
  const world = new AgentWorld(undefined, {});
  const database = join(world.root, 'nss');
  const pinFile = join(world.root, 'pin');
  mkdirSync(database, { mode: 0o700 });
  writeFileSync(pinFile, `${randomBytes(12).toString('hex')}\n`, { mode: 0o600 });
  execFileSync('certutil', ['-N', '-d', `sql:${database}`, '-f', pinFile]);
  world.describe({
    provider: 'generic',
    module: findNssSoftoken(),
    parameters: `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=`,
    label: 'NSS Certificate DB',
    pinFile,
    recordStore: 'file',
  });
  return world;
}
