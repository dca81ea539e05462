import { createPublicKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { encryptOaep } from '../../src/pkcs11/rsa-oaep.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import type { Device, TestToken } from './devices.js';
import { realEnv } from './real-env.js';

/** One master key on every token of this spec, as on the units of an instance. */
export const [wrap, mac, wrapId] = [randomBytes(32), randomBytes(32), randomBytes(16)];

/** A unit with the master key on it. */
export class MasteredUnit {
  readonly made: TestToken;
  unit: UnitToken;

  private constructor(device: Device) {
    this.made = device.make();
    this.unit = UnitToken.open(this.made.wanted);
  }

  static async make(device: Device): Promise<MasteredUnit> {
    const it = new MasteredUnit(device);
    const importer = await it.unit.generateImporter();
    const publicKey = createPublicKey({ key: importer.publicKey, format: 'der', type: 'spki' });
    it.unit.importMasterKey(importer, 'mk-wrap', wrapId, encryptOaep(publicKey, importer.oaepHash, wrap));
    it.unit.importMasterKey(importer, 'mk-mac', randomBytes(16), encryptOaep(publicKey, importer.oaepHash, mac));
    importer.destroy();
    return it;
  }

  /** SoftHSM finds its tokens by the environment, at C_Initialize. */
  open(): void {
    realEnv.SOFTHSM2_CONF = join(this.made.unitDir, 'softhsm2.conf');
    this.unit = UnitToken.open(this.made.wanted);
  }

  end(): void {
    this.unit.close();
    this.made.remove();
  }
}
