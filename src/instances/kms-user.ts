import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fingerprintOf } from '../admins/public-key.js';

/**
 * The KMS identity of an instance: the RSA-2048 key by which the service proves to a unit's agent that it is the
 * enrolled kmsCryptoUser. The private half is a 0600 file in the directory that all API processes share.
 */
export interface KmsUser {
  readonly name: string;
  readonly privateKey: KeyObject;
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
  readonly fingerprint: string;
}

const makeKeyPair = promisify(generateKeyPair);

/** The instance's KMS identity, made on first use. Of several processes that make it at once, one wins for all. */
export async function kmsUserOf(sharedDir: string, instanceId: string): Promise<KmsUser> {
  const file = join(sharedDir, 'instances', instanceId, 'kms-user.pem');
  const pem = (await readIfThere(file)) ?? (await make(file));
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  return {
    name: `${instanceId}-kp-user`,
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    fingerprint: fingerprintOf(publicKey),
  };
}

async function make(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const { privateKey } = await makeKeyPair('rsa', { modulusLength: 2048 });
  const draft = `${file}.${process.pid}.${Date.now()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await link(draft, file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause; // another process was first: its key is the key
  });
  await rm(draft);
  await chmod(file, 0o600);
  return readFile(file, 'utf8');
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}
