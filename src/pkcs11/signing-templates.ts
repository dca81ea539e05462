import type { KeyObject } from 'node:crypto';
import pkcs11js, { type Attribute, type Template } from 'pkcs11js';
import type { PrivateKeyAlgorithm } from './signing-algorithms.js';
import { inSession, P256_PARAMETERS, privateHalf, publicHalf, secret, value } from './templates.js';

/** DER of the object identifier of P-384, secp384r1 1.3.132.0.34 (RFC 5480 section 2.1.1.1). */
const P384_PARAMETERS = Buffer.from('06052b81040022', 'hex');

/** A private key of a client's on its way under mk-wrap: extractable for that, and no use of its own. */
export function privateKeyToWrap(algorithm: PrivateKeyAlgorithm): Template {
  return privateHalf(typeOf(algorithm), [], inSession('private-key'), true);
}

/** A private key as it is used, unwrapped: it signs and never leaves. */
export function privateKeyToSign(algorithm: PrivateKeyAlgorithm): Template {
  return privateHalf(typeOf(algorithm), ['sign'], inSession('private-key'));
}

/** The public half of an RSA, P-256 or P-384 pair: it verifies only. */
export function publicKeyToVerify(key: KeyObject): Template {
  const shape = inSession('public-key');
  if (key.asymmetricKeyType === 'rsa') {
    const { n, e } = key.export({ format: 'jwk' });
    const numbers = [
      { type: pkcs11js.CKA_MODULUS, value: bytesOf(n) },
      { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: bytesOf(e) },
    ];
    return publicHalf(pkcs11js.CKK_RSA, ['verify'], shape, ...numbers);
  }
  const isP384 = key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
  const point = pointOf(key);
  const curve = [
    { type: pkcs11js.CKA_EC_PARAMS, value: isP384 ? P384_PARAMETERS : P256_PARAMETERS },
    { type: pkcs11js.CKA_EC_POINT, value: Buffer.concat([Buffer.of(0x04, point.length), point]) }, // a DER OCTET STRING
  ];
  return publicHalf(pkcs11js.CKK_EC, ['verify'], shape, ...curve);
}

/** CKA_NSS_DB of NSS's pkcs11n.h, which stands for the point of an EC private key there. */
export function nssPoint(key: KeyObject): Attribute {
  return { type: 0xd5a0db00, value: pointOf(key) };
}

/** Uncompressed (SEC 1 section 2.3.3). */
function pointOf(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), bytesOf(x), bytesOf(y)]);
}

function bytesOf(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

/** A key of one use under which a private key comes into the token. */
export function transportKey(bytes: Buffer): Template {
  return secret(pkcs11js.CKK_AES, ['unwrap'], inSession('transport-key'), value(bytes));
}

function typeOf(algorithm: PrivateKeyAlgorithm): number {
  return algorithm.startsWith('RSA') ? pkcs11js.CKK_RSA : pkcs11js.CKK_EC;
}
