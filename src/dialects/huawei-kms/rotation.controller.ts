import { Controller, UseGuards } from '@nestjs/common';
import { Gate } from '../../access/gate.js';
import { GetKeyMetadata } from '../../keys/get-key.query.js';
import { isAsymmetric } from '../../keys/key-kinds.js';
import type { KeyView } from '../../keys/key-view.js';
import { ListVersions } from '../../keys/list-versions.query.js';
import { SetKeyRotation } from '../../keys/set-key-rotation.command.js';
import { Admission } from './admission.guard.js';
import * as op from './key-operations.js';
import { presentKey } from './mapping.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import { HuaweiRefusal, type KmsCode } from './refusals.js';
import { millisecondsText } from './wire.js';

const DEFAULT_DAYS = 365;
const DAYS_A_MONTH = 30;

type OfKey = Pick<Asked, 'caller' | 'place'> & { readonly body: { readonly key_id: string } };

/** Rotation of generated keys by days. */
@Controller()
@UseGuards(Admission)
export class RotationController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.ENABLE_ROTATION)
  enable(@AskedFor() asked: Asked<typeof op.ENABLE_ROTATION>) {
    return this.#set(asked, { enabled: true }, false, 'KMS.2901');
  }

  @Serve(op.DISABLE_ROTATION)
  disable(@AskedFor() asked: Asked<typeof op.DISABLE_ROTATION>) {
    return this.#set(asked, { enabled: false }, true, 'KMS.0313');
  }

  @Serve(op.UPDATE_ROTATION)
  update(@AskedFor() asked: Asked<typeof op.UPDATE_ROTATION>) {
    return this.#set(asked, { enabled: true, days: asked.body.rotation_interval }, true, 'KMS.0313');
  }

  @Serve(op.ROTATION_STATUS)
  async status(@AskedFor() asked: Asked<typeof op.ROTATION_STATUS>) {
    const { caller, place, body } = asked;
    const { rotation, rotatedAt } = await this.#rotatable(asked);
    const page = { limit: 1, allKeyStates: true };
    const { total } = await this.gate.ask(caller, new ListVersions(caller, { ...place, key: body.key_id }, page));
    return {
      key_rotation_enabled: rotation?.enabled ?? false,
      rotation_interval:
        rotation === null ? DEFAULT_DAYS : (rotation.intervalDays ?? rotation.intervalMonth * DAYS_A_MONTH),
      last_rotation_time: millisecondsText(rotatedAt),
      number_of_rotations: total - 1,
    };
  }

  async #set(
    asked: OfKey,
    input: { enabled: boolean; days?: number },
    mustBe: boolean,
    otherwise: KmsCode,
  ): Promise<object> {
    const { rotation } = await this.#rotatable(asked);
    if ((rotation?.enabled ?? false) !== mustBe) throw new HuaweiRefusal(otherwise);
    const target = { ...asked.place, key: asked.body.key_id };
    await this.gate.ask(asked.caller, new SetKeyRotation(asked.caller, target, input));
    return {};
  }

  async #rotatable({ caller, place, body }: OfKey): Promise<KeyView> {
    const target = { ...place, key: body.key_id };
    const key = presentKey(await this.gate.ask(caller, new GetKeyMetadata(caller, target)));
    if (isAsymmetric(key.algorithm)) throw new HuaweiRefusal('KMS.0324');
    if (key.external) throw new HuaweiRefusal('KMS.0312');
    return key;
  }
}
