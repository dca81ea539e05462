import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { GetPublicKey } from '../../keys/get-public-key.query.js';
import { SignDigest, VerifyDigest } from '../../keys/sign-digest.command.js';
import { needs } from '../../shared/errors.js';
import type { SigningAlgorithm } from '../../unit-agent/protocol.js';
import { keyAt } from './life-operations.js';
import { type Asked, operation } from './operation.js';
import { Base64, KeyOrAlias } from './parameters.js';
import { AlibabaError } from './refusals.js';

const MOST_DIGEST = 64;
const MOST_SIGNATURE = 512;
const ALGORITHMS = {
  RSA_PSS_SHA_256: 'RSASSA_PSS_SHA_256',
  RSA_PKCS1_SHA_256: 'RSASSA_PKCS1_V1_5_SHA_256',
  ECDSA_SHA_256: 'ECDSA_SHA_256',
} as const satisfies Record<string, SigningAlgorithm>;

const Algorithm = z
  .enum(Object.keys(ALGORITHMS) as (keyof typeof ALGORITHMS)[], Object.keys(ALGORITHMS).join(', '))
  .transform((name) => ALGORITHMS[name]);
const Signing = { KeyId: KeyOrAlias, KeyVersionId: z.string(), Algorithm, Digest: Base64(MOST_DIGEST) };

export const GET_PUBLIC_KEY = operation({
  name: 'GetPublicKey',
  request: GetPublicKey,
  parameters: z.object({ KeyId: KeyOrAlias, KeyVersionId: z.string() }),
  async serve(asked) {
    await assertVersion(asked);
    const { by, given, ask, at } = asked;
    const { keyId, versionId, publicKey } = await ask(new GetPublicKey(by, at(given.KeyId)));
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
    return { KeyId: keyId, KeyVersionId: versionId, PublicKey: key.export({ format: 'pem', type: 'spki' }) };
  },
});

export const ASYMMETRIC_SIGN = operation({
  name: 'AsymmetricSign',
  request: SignDigest,
  parameters: z.object(Signing),
  dryRun: true,
  async serve(asked) {
    await assertVersion(asked);
    const { by, given, ask, at } = asked;
    const input = { algorithm: given.Algorithm, digest: given.Digest };
    const { keyId, versionId, signature } = await ask(new SignDigest(by, at(given.KeyId), input));
    return { KeyId: keyId, KeyVersionId: versionId, Value: signature.toString('base64') };
  },
});

export const ASYMMETRIC_VERIFY = operation({
  name: 'AsymmetricVerify',
  request: VerifyDigest,
  parameters: z.object({ ...Signing, Value: Base64(MOST_SIGNATURE) }),
  dryRun: true,
  async serve(asked) {
    await assertVersion(asked);
    const { by, given, ask, at } = asked;
    const input = { algorithm: given.Algorithm, digest: given.Digest, signature: given.Value };
    const { keyId, versionId, valid } = await ask(new VerifyDigest(by, at(given.KeyId), input));
    return { KeyId: keyId, KeyVersionId: versionId, Value: valid };
  },
});

/** An asymmetric key has one version, and the client has to name it. UnsupportedOperation for a key that does not sign. */
async function assertVersion(asked: Asked<{ readonly KeyId: string; readonly KeyVersionId: string }>): Promise<void> {
  const { usage, version } = await keyAt(asked, asked.given.KeyId);
  needs(usage === 'SIGN_VERIFY', 'KEY_USAGE', 'the key encrypts, and does not sign');
  if (asked.given.KeyVersionId.toLowerCase() !== version?.id) throw new AlibabaError('Forbidden.KeyVersionNotFound');
}
