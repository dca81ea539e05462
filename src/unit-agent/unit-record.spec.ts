import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { encodeRecord, namedObjects, readRecord, recordFacts, type UnitRecord } from './unit-record.js';

const hex = () => randomBytes(16).toString('hex');
const spki = () => randomBytes(40).toString('base64');
const key = randomBytes(32);
const hmac = (_id: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest();

const record: UnitRecord = {
  v: 1,
  seq: 3,
  unit: randomUUID(),
  serial: 'f00d',
  instance: randomUUID(),
  epoch: hex(),
  counter: 2,
  threshold: 1,
  admins: [{ name: 'Ada', spki: spki(), certificate: hex() }],
  kmsUser: { name: 'kms', spki: spki() },
  mk: {
    mkId: hex(),
    setId: hex(),
    name: 'mk',
    algorithm: 'AES-256',
    t: 2,
    n: 3,
    mkvp: hex(),
    createdAt: '2026-01-01T00:00:00.000Z',
    importedAt: '2026-01-01T00:00:00.000Z',
    checkBlob: randomBytes(40).toString('base64'),
    checkAnswer: hex() + hex(),
    wrapId: hex(),
    macId: hex(),
  },
  receiptKey: { id: hex(), spki: spki() },
  unitMac: hex(),
  plans: [{ plan: randomUUID(), digest: hex() + hex(), op: 'user.add', counter: 2, receipt: null }],
};

describe('the unit record', () => {
  it('comes back as it was written, and verifies', () => {
    const read = readRecord(encodeRecord(record, hmac));
    expect(read.record).toEqual(record);
    expect(read.verifies(hmac)).toBe(true);
  });

  it('does not verify under another key', () => {
    const other = (_id: Buffer, data: Buffer) => createHmac('sha256', randomBytes(32)).update(data).digest();
    expect(readRecord(encodeRecord(record, hmac)).verifies(other)).toBe(false);
  });

  it('with any bit changed is not whole or does not verify', () => {
    const bytes = encodeRecord(record, hmac);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        let verifies = false;
        try {
          verifies = readRecord(changed).verifies(hmac);
        } catch {
          // not whole: as good
        }
        expect(verifies).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(['', 'a', '[]'])('that is cut short, empty or of other bytes (%j) is not whole', (text) => {
    expect(() => readRecord(Buffer.from(text))).toThrow('not a whole unit record');
  });

  it('has one form: the same fields in another order are refused', () => {
    const { v, ...rest } = record;
    const shuffled = { ...rest, v } as UnitRecord;
    expect(encodeRecord(shuffled, hmac)).toEqual(encodeRecord(record, hmac));
  });

  it('names every key and certificate that exists', () => {
    const { unitMac, receiptKey, admins, mk } = record;
    expect(namedObjects(record).sort()).toEqual(
      [unitMac, receiptKey.id, admins[0]?.certificate, mk?.wrapId, mk?.macId].sort(),
    );
  });

  it('tells administrators no object id, check blob or answer', () => {
    const facts = JSON.stringify(recordFacts(record));
    const { checkBlob = '', checkAnswer = '', wrapId = '', macId = '' } = record.mk ?? {};
    for (const hidden of [checkBlob, checkAnswer, wrapId, macId, record.unitMac]) expect(facts).not.toContain(hidden);
  });
});
