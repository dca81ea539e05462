import { createHash, createPublicKey } from 'node:crypto';
import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { GetPublicKey } from '../../keys/get-public-key.query.js';
import type { Digest } from '../../keys/key-digests.js';
import { SignDigest, VerifyDigest } from '../../keys/sign-digest.command.js';
import type { SigningAlgorithm } from '../../unit-agent/protocol.js';
import { Admission } from './admission.guard.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { HuaweiRefusal } from './refusals.js';
import * as op from './signing-operations.js';
import { flagText } from './wire.js';

/** Signatures with imported private keys, made and verified inside the token. */
@Controller()
@UseGuards(Admission)
export class SigningController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.SIGN)
  async sign(@AskedFor() { caller, place, body }: Asked<typeof op.SIGN>) {
    const target = { ...place, key: body.key_id };
    const { keyId, signature } = await this.gate.ask(caller, new SignDigest(caller, target, digestOf(body)));
    return { key_id: keyId, signature: signature.toString('base64') };
  }

  @Serve(op.VERIFY)
  async verify(@AskedFor() { caller, place, body }: Asked<typeof op.VERIFY>) {
    const target = { ...place, key: body.key_id };
    const input = { ...digestOf(body), signature: body.signature };
    const { keyId, valid } = await this.gate.ask(caller, new VerifyDigest(caller, target, input));
    return { key_id: keyId, signature_valid: flagText(valid) };
  }

  @Serve(op.PUBLIC_KEY)
  async publicKey(@AskedFor() { caller, place, body }: Asked<typeof op.PUBLIC_KEY>) {
    const target = { ...place, key: body.key_id };
    const { keyId, publicKey } = await this.gate.ask(caller, new GetPublicKey(caller, target));
    const pem = createPublicKey({ key: publicKey, format: 'der', type: 'spki' }).export({
      type: 'spki',
      format: 'pem',
    });
    return { key_id: keyId, public_key: pem };
  }
}

interface Message {
  readonly message: Buffer;
  readonly message_type: 'DIGEST' | 'RAW';
  readonly signing_algorithm: SigningAlgorithm;
}

/** The digest to sign: of the message, or the message itself, which then has the length of the algorithm's hash. */
function digestOf({ message, message_type, signing_algorithm: algorithm }: Message): Digest {
  const bits = Number(algorithm.slice(-3));
  if (message_type === 'RAW') return { algorithm, digest: createHash(`sha${bits}`).update(message).digest() };
  if (message.length * 8 !== bits) throw new HuaweiRefusal('KMS.0308', `message: a digest of ${bits / 8} bytes`);
  return { algorithm, digest: message };
}
