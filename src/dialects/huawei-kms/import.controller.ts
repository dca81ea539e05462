import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { DeleteKeyMaterial } from '../../keys/delete-key-material.command.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import { ImportKeyMaterial } from '../../keys/import-key-material.command.js';
import { GetImportParameters } from '../../keys/import-parameters.command.js';
import { isAsymmetric } from '../../keys/key-kinds.js';
import { conditionOf } from '../../keys/key-state.js';
import { Admission } from './admission.guard.js';
import { checked } from './body.js';
import * as op from './import-operations.js';
import { presentKey } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { HuaweiRefusal } from './refusals.js';

/** Key material from outside. */
@Controller()
@UseGuards(Admission)
export class ImportController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.IMPORT_PARAMETERS)
  async parameters(@AskedFor() { caller, place, body }: Asked<typeof op.IMPORT_PARAMETERS>) {
    const target = { ...place, key: body.key_id };
    const input = { algorithm: body.wrapping_algorithm };
    const given = await this.gate.ask(caller, new GetImportParameters(caller, target, input));
    return {
      key_id: body.key_id,
      import_token: given.importToken.toString('base64'),
      expiration_time: Math.floor(given.expiresAt.getTime() / 1000),
      public_key: given.publicKey.toString('base64'),
    };
  }

  /** What is wrong with the key is said before what is wrong with the material. */
  @Serve(op.IMPORT_MATERIAL)
  async import(@AskedFor() { caller, place, body }: Asked<typeof op.IMPORT_MATERIAL>) {
    const target = { ...place, key: body.key_id };
    const key = presentKey(await this.gate.ask(caller, new GetKeyMetadata(caller, target)));
    if (!key.external) throw new HuaweiRefusal('KMS.0309');
    if (conditionOf(key) !== 'pending-import') throw new HuaweiRefusal('KMS.0310');
    const material = checked(op.Material, body);
    const asymmetric = isAsymmetric(key.algorithm);
    if (asymmetric && material.encrypted_privatekey === undefined) throw new HuaweiRefusal('KMS.2608');
    const { expiration_time: seconds } = material;
    const input = {
      importToken: material.import_token,
      encryptedKeyMaterial: material.encrypted_key_material,
      encryptedPrivateKey: asymmetric ? material.encrypted_privatekey : undefined,
      expiresAt: asymmetric || seconds === undefined ? null : new Date(seconds * 1000),
      onlyPending: true,
    };
    await this.gate.ask(caller, new ImportKeyMaterial(caller, target, input));
    return {};
  }

  @Serve(op.DELETE_MATERIAL)
  async delete(@AskedFor() { caller, place, body }: Asked<typeof op.DELETE_MATERIAL>) {
    const target = { ...place, key: body.key_id };
    await this.gate.ask(caller, new DeleteKeyMaterial(caller, target, { onlyLive: true }));
    return {};
  }
}
