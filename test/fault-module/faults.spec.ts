import { patience } from '../units.js';
import type { Answer } from '../world.js';
import { type Case, CODES, OUT_OF_SIGHT, SAMPLE, SAMPLE_OF_OTHER_ACTS } from './cases.js';
import { FaultWorld } from './fault-world.js';
import { flipEach } from './flips.js';

/** A module that does wrong in one unit of three. cases.ts has the whole matrix; the long form runs all of it. */
const RECOVERY_MS = 3_000;
let w: FaultWorld;
beforeAll(async () => {
  w = await FaultWorld.start();
}, 300_000);
afterAll(() => w?.end());

const named = (cases: readonly Case[]) => cases.map((one) => [one.name, one] as const);

describe('clients do not notice, and the unit serves again when its module is well', () => {
  it.each(named([...SAMPLE, ...SAMPLE_OF_OTHER_ACTS]))('%s', async (_name, one) => {
    const { wrong, recoveryMs } = await w.endure(one);
    expect(wrong).toEqual([]);
    expect(recoveryMs).toBeLessThan(patience(RECOVERY_MS));
  });
});

it.each(named(OUT_OF_SIGHT.filter((_case, n) => n >= 20 && n < 40 && n % 2 === 0)))(
  'a module that does not tell any more what its objects are keeps all of them (%s)',
  async (_name, one) => {
    const before = w.objects();
    const { wrong } = await w.endure(one);
    expect(wrong).toEqual([]);
    expect(w.objects()).toBe(before);
  },
);

describe('when more units are sick', () => {
  const DEVICE_ERROR = { act: 'rv', number: CODES.CKR_DEVICE_ERROR } as const;

  it('two of three: the third one serves all requests', async () => {
    const { wrong } = await w.endure({ name: '', faults: [{ fn: 'C_Encrypt', ...DEVICE_ERROR }] }, 2);
    expect(wrong).toEqual([]);
  });

  it.each([
    ['fail', DEVICE_ERROR],
    ['hang', { act: 'hang' }],
  ] as const)(
    'all three %s: each request is answered with 5xx in time, and they come back by themselves',
    async (_what, fault) => {
      const { wrong } = await w.endure({ name: '', faults: [{ fn: 'C_Encrypt', ...fault }] }, 3, isServed);
      expect(wrong).toEqual([]);
    },
  );
});

it.each([
  ['C_Sign', 'rotate'],
  ['C_Sign', 'import'],
  ['C_WrapKey', 'create'],
  ['C_Decrypt', 'create'],
] as const)(
  'a bit that one unit flips in any output of %s never makes a key that is acknowledged and bad (%s)',
  async (fn, act) => {
    const { faults, bad } = await flipEach(w, fn, act);
    expect(faults).toBeGreaterThan(0);
    expect(bad).toEqual([]);
  },
);

/** Served, or refused as by a service that cannot now: 500 would be a mistake of ours, 4xx would blame the client. */
function isServed({ status }: Answer): boolean {
  return (status >= 200 && status < 300) || status === 502 || status === 503;
}
