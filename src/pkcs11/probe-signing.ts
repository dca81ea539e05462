import { constants, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { sha256 } from '../shared/bytes.js';
import { Secret } from '../shared/secret.js';
import { WRAPPED_KEY } from './known-answers.js';
import { Kwp } from './kwp.js';
import type { ProbeBench } from './probe-bench.js';
import type { Session } from './session-pool.js';
import { type SigningPlan, signingPlan } from './signing.js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';
import { SigningKeys } from './signing-keys.js';
import { probeKek } from './templates.js';

const MESSAGE = Buffer.from('keystead/probe/v1');

/** The kinds of private keys that are tried, each with every scheme of its own, which OpenSSL then verifies. */
const TRIALS = {
  RSA: {
    algorithm: 'RSA-2048',
    make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    by: [
      { name: 'RSASSA_PSS_SHA_256', padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
      { name: 'RSASSA_PKCS1_V1_5_SHA_256', padding: constants.RSA_PKCS1_PADDING },
    ],
  },
  'EC-P256': {
    algorithm: 'EC-P256',
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    by: [{ name: 'ECDSA_SHA_256' }],
  },
  'EC-P384': {
    algorithm: 'EC-P384',
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    by: [{ name: 'ECDSA_SHA_256' }],
  },
} as const satisfies Record<string, { algorithm: PrivateKeyAlgorithm; make: () => object; by: readonly object[] }>;
export type PrivateKeyKind = keyof typeof TRIALS;

/** The kinds of private keys that the token takes in, keeps wrapped, and signs with. */
export function signingKinds(bench: ProbeBench): PrivateKeyKind[] {
  const kinds = Object.keys(TRIALS) as PrivateKeyKind[];
  return kinds.filter((kind) => bench.does((session) => signsAs(bench, session, kind)));
}

function signsAs(bench: ProbeBench, session: Session, kind: PrivateKeyKind): boolean {
  const { algorithm, make, by } = TRIALS[kind];
  const { privateKey } = make();
  using pkcs8 = new Secret(privateKey.export({ type: 'pkcs8', format: 'der' }));
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const kek = bench.place(WRAPPED_KEY.kek, probeKek());
  const keys = new SigningKeys(bench.token, { of: () => kek }, new Kwp(bench.token));
  try {
    const wrapped = keys.wrap(WRAPPED_KEY.kek, algorithm, { pkcs8, publicKey });
    const key = keys.privateHalf(WRAPPED_KEY.kek, { algorithm, publicKey, wrapped });
    return by.every(({ name, ...options }) => {
      const signature = signNow(session, key, signingPlan(algorithm, name, sha256(MESSAGE)));
      return verify('sha256', MESSAGE, { key: privateKey, ...options }, signature);
    });
  } finally {
    keys.forget();
  }
}

function signNow({ lib, handle }: Session, key: Handle, { mechanism, data, bytes, toOutside }: SigningPlan): Buffer {
  lib.C_SignInit(handle, mechanism, key);
  return toOutside(lib.C_Sign(handle, data, Buffer.alloc(bytes)));
}
