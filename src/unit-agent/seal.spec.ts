import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../shared/secret.js';
import { SealKey } from './seal.js';

describe('the seal key', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ks-seal-'));
  const path = join(dir, 'seal-key');
  const pin = () => new Secret(Buffer.from('correct horse'));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('is made once, with mode 0400, and is the same for whoever comes later', () => {
    const sealed = SealKey.open(path, true).seal(pin(), 'unit', 'serial');
    const before = readFileSync(path);
    expect(before).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o400);
    expect(SealKey.open(path, true).unseal(sealed, 'unit', 'serial').bytes.toString()).toBe('correct horse');
    expect(readFileSync(path)).toEqual(before);
  });

  it('opens a PIN for its own unit and serial only', () => {
    const key = SealKey.open(path, true);
    const sealed = key.seal(pin(), 'unit', 'serial');
    for (const [unit, serial] of [
      ['other', 'serial'],
      ['unit', ''],
      ['units', 'erial'],
    ] as const) {
      expect(() => key.unseal(sealed, unit, serial)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    }
  });

  it('that is gone is not made anew for a PIN that was sealed to it', () => {
    expect(() => SealKey.open(join(dir, 'gone'), false)).toThrow('put it back');
  });

  it('that others may read, or that is no key, is refused', () => {
    const open = join(dir, 'open');
    writeFileSync(open, Buffer.alloc(32));
    chmodSync(open, 0o444);
    const short = join(dir, 'short');
    writeFileSync(short, 'short', { mode: 0o400 });
    for (const file of [open, short]) expect(() => SealKey.open(file, true)).toThrow('32 bytes with mode 0400');
  });
});
