// Provisions the unit directory in argv; a spec kills it somewhere on the way. SOFTHSM2_CONF comes with the environment.
import { provisionSoftHsm } from '../../dist/pkcs11/provision-softhsm.js';
import { Secret } from '../../dist/shared/secret.js';

const [unitDir, module, pin] = process.argv.slice(2);
process.stdout.write('begin\n');
const { serial } = provisionSoftHsm({ unitDir, module, label: 'unit-1', pin: new Secret(Buffer.from(pin)) });
process.stdout.write(`${serial}\n`);
