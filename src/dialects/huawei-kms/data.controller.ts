import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { DecryptData } from '../../keys/decrypt-data.command.js';
import { EncryptData, GenerateDataKey } from '../../keys/encrypt-data.command.js';
import { Random } from '../../keys/random.query.js';
import { equalBytes, sha256 } from '../../shared/bytes.js';
import { Admission } from './admission.guard.js';
import { packed, unpacked } from './ciphertext.js';
import { contextOf } from './data.schemas.js';
import * as op from './data-operations.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { HuaweiRefusal } from './refusals.js';
import { hexText } from './wire.js';

/** What a ciphertext of this dialect is bound to, and opens in no other one. */
const DIALECT = 'huawei-kms';
const DIGEST_BYTES = 32;

/** Data and data keys: encrypted, decrypted, made. */
@Controller()
@UseGuards(Admission)
export class DataController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.ENCRYPT)
  async encrypt(@AskedFor() { caller, place, body }: Asked<typeof op.ENCRYPT>) {
    const target = { ...place, key: body.key_id };
    const plaintext = Buffer.from(body.plain_text);
    const input = { plaintext, dialect: DIALECT, context: contextOf('data', body) };
    const made = await this.gate.ask(caller, new EncryptData(caller, target, input));
    return { key_id: made.keyId, cipher_text: packed(made).toString('base64') };
  }

  @Serve(op.DECRYPT)
  async decrypt(@AskedFor() { caller, place, body }: Asked<typeof op.DECRYPT>) {
    const { keyId, versionId, sealed } = unpacked(body.cipher_text);
    const target = { ...place, key: body.key_id || keyId };
    const input = { sealed, versionId, dialect: DIALECT, context: contextOf('data', body) };
    const { plaintext, ...made } = await this.gate.ask(caller, new DecryptData(caller, target, input));
    const answer = {
      key_id: made.keyId,
      plain_text: plaintext.toString('utf8'),
      plain_text_base64: plaintext.toString('base64'),
    };
    plaintext.fill(0);
    return answer;
  }

  @Serve(op.CREATE_DATA_KEY)
  async createDataKey(@AskedFor() { caller, place, body }: Asked<typeof op.CREATE_DATA_KEY>) {
    const input = { bytes: body.bytes, dialect: DIALECT, context: contextOf('data-key', body) };
    const request = new GenerateDataKey(caller, { ...place, key: body.key_id }, input);
    const { plaintext, ...made } = await this.gate.ask(caller, request);
    const answer = { key_id: made.keyId, plain_text: hexText(plaintext), cipher_text: hexText(packed(made)) };
    plaintext.fill(0);
    return answer;
  }

  @Serve(op.CREATE_DATA_KEY_WITHOUT_PLAINTEXT)
  async createSealed(@AskedFor() { caller, place, body }: Asked<typeof op.CREATE_DATA_KEY_WITHOUT_PLAINTEXT>) {
    const context = contextOf('data-key', body);
    const input = { bytes: body.bytes, dialect: DIALECT, context, withoutPlaintext: true };
    const made = await this.gate.ask(caller, new GenerateDataKey(caller, { ...place, key: body.key_id }, input));
    return { key_id: made.keyId, cipher_text: hexText(packed(made)) };
  }

  @Serve(op.ENCRYPT_DATA_KEY)
  async encryptDataKey(@AskedFor() { caller, place, body }: Asked<typeof op.ENCRYPT_DATA_KEY>) {
    const plaintext = body.plain_text.subarray(0, -DIGEST_BYTES);
    const digest = body.plain_text.subarray(-DIGEST_BYTES);
    if ((body.datakey_plain_length ?? plaintext.length) !== plaintext.length) throw new HuaweiRefusal('KMS.2104');
    if (!equalBytes(sha256(plaintext), digest)) throw new HuaweiRefusal('KMS.2103');
    const input = { plaintext, dialect: DIALECT, context: contextOf('data-key', body), dataKey: true };
    const made = await this.gate.ask(caller, new EncryptData(caller, { ...place, key: body.key_id }, input));
    return { key_id: made.keyId, cipher_text: hexText(packed(made)), datakey_length: String(plaintext.length) };
  }

  @Serve(op.DECRYPT_DATA_KEY)
  async decryptDataKey(@AskedFor() { caller, place, body }: Asked<typeof op.DECRYPT_DATA_KEY>) {
    const { versionId, sealed } = unpacked(body.cipher_text);
    const target = { ...place, key: body.key_id };
    const input = { sealed, versionId, dialect: DIALECT, context: contextOf('data-key', body), dataKey: true };
    const { plaintext } = await this.gate.ask(caller, new DecryptData(caller, target, input));
    const answer = {
      data_key: hexText(plaintext),
      datakey_length: String(plaintext.length),
      datakey_dgst: hexText(sha256(plaintext)),
    };
    plaintext.fill(0);
    if ((body.datakey_cipher_length ?? plaintext.length) !== plaintext.length) throw new HuaweiRefusal('KMS.2204');
    return answer;
  }

  @Serve(op.RANDOM)
  async random(@AskedFor() { caller, place, body }: Asked<typeof op.RANDOM>) {
    const bytes = await this.gate.ask(caller, new Random(caller, place, body.random_data_length / 8));
    return { random_data: hexText(bytes) };
  }
}
