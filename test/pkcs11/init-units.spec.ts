import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnitsFile } from '../../src/instances/unit-descriptor.js';
import { MECHANISMS } from '../../src/pkcs11/mechanisms.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { Secret } from '../../src/shared/secret.js';
import { softHsmModule, temporaryDir } from './devices.js';
import { keepLoaded, realEnv } from './real-env.js';

const script = join(import.meta.dirname, '../../softhsm/init-units.sh');
let dir: string;
beforeEach(() => {
  dir = temporaryDir();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('softhsm/init-units.sh prints a units file whose tokens open with their PIN files', () => {
  keepLoaded(softHsmModule());
  const where = join(dir, 'with a blank');
  const { units } = UnitsFile.parse(
    JSON.parse(execFileSync(script, [where, '3'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()),
  );
  expect(units.map(({ label, zone }) => [label, zone])).toEqual([1, 2, 3].map((i) => [`keystead-${i}`, `zone-${i}`]));
  realEnv.SOFTHSM2_CONF = join(where, 'softhsm2.conf');
  for (const { module, serial = '', pinFile } of units) {
    expect(statSync(pinFile).mode & 0o777).toBe(0o600);
    const unit = UnitToken.open({ module, serial, pin: new Secret(readFileSync(pinFile)), recordStore: 'token' });
    expect(unit.info()).toMatchObject({ serial, userPinProblem: 'none' });
    unit.close();
  }
});

it('softhsm/init-units.sh overwrites nothing and says how it is used', () => {
  const run = (...args: string[]) => spawnSync(script, args, { encoding: 'utf8' });
  expect(run(dir, '1').status).toBe(0);
  expect(run(dir, '1')).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('give another DIRECTORY'),
  });
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('usage') });
  expect(run(dir, '0').status).toBe(1);
});

it('softhsm2.conf.tmpl allows the mechanisms that Keystead uses, and no other', () => {
  const template = readFileSync(join(import.meta.dirname, '../../softhsm/softhsm2.conf.tmpl'), 'utf8');
  expect(/^slots\.mechanisms = (.*)$/m.exec(template)?.[1]?.split(',')).toEqual(Object.keys(MECHANISMS));
});
