import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeUnits } from './providers.js';

const token = (serial: string, zone: string) => ({ module: '/m.so', serial, zone, pinFile: '/pin' });

describe('the SoftHSM provider', () => {
  it('gives each unit a zone of its own', async () => {
    const units = await takeUnits(3, [], { softHsmModule: '/s.so', unitsFile: undefined });
    expect(units.map((unit) => unit.zone)).toEqual(['zone-1', 'zone-2', 'zone-3']);
  });

  it('says what to install when SoftHSM2 is absent', async () => {
    await expect(takeUnits(2, [], { softHsmModule: undefined, unitsFile: undefined })).rejects.toMatchObject({
      code: 'NO_UNIT_AVAILABLE',
      message: expect.stringContaining('install softhsm2'),
    });
  });
});

describe('the generic provider', () => {
  let dir: string;
  const settings = () => ({ softHsmModule: undefined, unitsFile: join(dir, 'units.json') });
  const write = (content: unknown) => writeFile(join(dir, 'units.json'), JSON.stringify(content));
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'keystead-providers-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('spreads the units over zones', async () => {
    await write({ units: [token('1', 'a'), token('2', 'a'), token('3', 'b')] });
    const units = await takeUnits(2, [], settings());
    expect(units.map((unit) => unit.serial)).toEqual(['1', '3']);
  });

  it('gives no token twice', async () => {
    await write({ units: [token('1', 'a'), token('2', 'b'), token('3', 'c')] });
    const first = await takeUnits(2, [], settings());
    await expect(takeUnits(2, first, settings())).rejects.toMatchObject({ code: 'NO_UNIT_AVAILABLE' });
  });

  it('refuses a file that names neither serial nor label', async () => {
    await write({ units: [{ module: '/m.so', zone: 'a', pinFile: '/pin' }] });
    await expect(takeUnits(2, [], settings())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
