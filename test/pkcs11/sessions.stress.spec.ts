import { randomBytes } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { gcm, MECHANISMS } from '../../src/pkcs11/mechanisms.js';
import { ResidentKeys } from '../../src/pkcs11/resident-keys.js';
import { RootKeys } from '../../src/pkcs11/root-keys.js';
import { type Session, SessionPool } from '../../src/pkcs11/session-pool.js';
import * as templates from '../../src/pkcs11/templates.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { devices, type TestToken } from './devices.js';

const BUDGET = 4;

describe.each(devices)('the sessions of a token on $name', (device) => {
  let made: TestToken;
  let unit: UnitToken;
  let pool: SessionPool;
  let open: () => Session;
  const macId = randomBytes(16);

  beforeAll(() => {
    made = device.make();
    unit = UnitToken.open(made.wanted);
    unit.generateUnitMac(macId);
    open = () => {
      const { lib } = unit.token.atGuard('test', (guard) => guard);
      const handle = lib.C_OpenSession(unit.token.slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
      return { lib, handle };
    };
  });
  afterAll(() => {
    unit.close();
    made.remove();
  });
  beforeEach(() => {
    pool = new SessionPool(open, BUDGET);
  });

  const handleOf = (id: Buffer) => new ResidentKeys(unit.token).onToken(id);
  const hmacAsync = async ({ lib, handle }: Session, data: Buffer): Promise<Buffer> => {
    lib.C_SignInit(handle, { mechanism: MECHANISMS.CKM_SHA256_HMAC }, handleOf(macId));
    return lib.C_SignAsync(handle, data, Buffer.alloc(32));
  };
  /** Leaves an operation half open, as some errors of real modules do. */
  const halfOpen = ({ lib, handle }: Session): never => {
    lib.C_SignInit(handle, { mechanism: MECHANISMS.CKM_SHA256_HMAC }, handleOf(macId));
    throw new Error('planted');
  };

  it('answers each of 300 callers rightly, though every seventh fails with an operation half open', async () => {
    const expected = (i: number) => unit.hmac(macId, Buffer.from(`caller ${i}`));
    let most = 0;
    const callers = Array.from({ length: 300 }, (_, i) =>
      pool.lease('stress', async (session) => {
        most = Math.max(most, pool.opened);
        if (i % 7 === 0) halfOpen(session);
        return hmacAsync(session, Buffer.from(`caller ${i}`));
      }),
    );
    const answers = await Promise.allSettled(callers);
    for (const [i, answer] of answers.entries()) {
      expect(answer.status).toBe(i % 7 === 0 ? 'rejected' : 'fulfilled');
      if (answer.status === 'fulfilled') expect(answer.value.equals(expected(i))).toBe(true);
    }
    expect(most).toBeLessThanOrEqual(BUDGET);
    expect(pool.running).toBe(0);
  });

  it('synchronous work always finds a session while asynchronous work fills the rest', async () => {
    const callers = Array.from({ length: 40 }, (_, i) =>
      pool.lease('stress', (s) => hmacAsync(s, Buffer.from(`${i}`))),
    );
    for (let i = 0; i < 200; i += 1) {
      const random = pool.use('stress', ({ lib, handle }) => lib.C_GenerateRandom(handle, Buffer.alloc(16)));
      expect(random).toHaveLength(16);
      if (i % 20 === 0) expect(() => pool.use('stress', halfOpen)).toThrow('planted');
    }
    await Promise.all(callers);
    expect(pool.opened).toBeLessThanOrEqual(BUDGET);
  });

  it('a session that saw an error is closed, so a half-open operation never meets the next caller', () => {
    const first = pool.use('stress', (session) => session.handle);
    expect(() => pool.use('stress', halfOpen)).toThrow('planted');
    expect(pool.opened).toBe(0);
    const init = ({ lib, handle }: Session) =>
      lib.C_SignInit(handle, { mechanism: MECHANISMS.CKM_SHA256_HMAC }, handleOf(macId));
    expect(() => pool.use('stress', init)).not.toThrow();
    expect(first).toBeInstanceOf(Buffer);
  });

  it('serves callers in the order they came, and tells the next one when no session can be opened', async () => {
    let broken = false;
    const failing = new SessionPool(() => {
      if (broken) throw new Error('CKR_SESSION_COUNT:177');
      return open();
    }, 2);
    const order: number[] = [];
    const callers = [0, 1, 2].map((i) =>
      failing.lease('stress', async () => {
        order.push(i);
        await Promise.resolve();
        if (i === 0) {
          broken = true; // its own session is closed, and no other opens
          throw new Error('planted');
        }
      }),
    );
    const answers = await Promise.allSettled(callers);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(order).toEqual([0]);
    broken = false;
    await expect(failing.lease('stress', async () => 'served')).resolves.toBe('served');
  });

  it('a held session keeps its place until it is dropped, and a closed pool refuses those in line', async () => {
    const held = [await pool.hold('stress'), await pool.hold('stress'), await pool.hold('stress')];
    const waiting = pool.hold('stress');
    const next = held.pop();
    if (next) pool.drop(next);
    held.push(await waiting);
    const never = pool.lease('stress', async () => 'never');
    pool.close();
    await expect(never).rejects.toMatchObject({ code: 'UNIT_FAULT' });
    for (const { lib, handle } of held) lib.C_CloseSession(handle);
  });

  it('symmetric work goes on on this thread while key pairs are made on others', async () => {
    const pairs = [unit.generateImporter(), unit.generateImporter()];
    const data = Buffer.from('data');
    const expected = unit.hmac(macId, data);
    for (let i = 0; i < 2000; i += 1) expect(unit.hmac(macId, data).equals(expected)).toBe(true);
    for (const importer of await Promise.all(pairs)) importer.destroy();
  });

  it('keeps at most so many unwrapped root keys, the least recently used dropped, and opens a dropped one again', () => {
    const { token } = unit;
    const kek = token.make('placing a key', ({ lib, handle }) =>
      lib.C_GenerateKey(handle, { mechanism: MECHANISMS.CKM_AES_KEY_GEN }, [
        ...templates.probeKek(),
        templates.valueLength(32),
      ]),
    );
    const keys = new RootKeys(token, { of: () => kek }, 3);
    const id = randomBytes(16);
    const blobs = Array.from({ length: 5 }, () => keys.generate(id));
    const live = () =>
      token.pool.use('counting', ({ lib, handle }) => {
        lib.C_FindObjectsInit(handle, [
          { type: pkcs11js.CKA_LABEL, value: 'root-key' },
          { type: pkcs11js.CKA_TOKEN, value: false },
        ]);
        const found = lib.C_FindObjects(handle, 100).length;
        lib.C_FindObjectsFinal(handle);
        return found;
      });
    const before = live();
    const [first] = blobs;
    for (const blob of blobs) {
      keys.of(id, blob);
      if (first) keys.of(id, first);
    }
    expect(live()).toBe(before + 3);
    const made = token.sessionObjectsMade;
    for (const blob of blobs) keys.of(id, blob);
    expect(token.sessionObjectsMade - made).toBeGreaterThanOrEqual(2);
    const handle = keys.of(id, blobs[1] ?? Buffer.alloc(0));
    token.pool.use('using it', (session) => {
      session.lib.C_EncryptInit(session.handle, gcm(randomBytes(12), Buffer.from('aad')), handle);
      session.lib.C_Encrypt(session.handle, Buffer.from('x'), Buffer.alloc(64));
    });
    keys.forget();
    expect(live()).toBe(before);
  });
});
