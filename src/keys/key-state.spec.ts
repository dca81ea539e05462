import { assertAct, KEY_ACTS, KEY_STATES, type KeyAct, type KeyState, stateNow } from './key-state.js';

/** The documented table: which act is allowed in which of the states 1, 2, 3 and 5. */
const DOCUMENTED: Record<string, readonly KeyState[]> = {
  read: [1, 2, 3, 5],
  wrap: [1],
  unwrap: [1, 3],
  rewrap: [1, 3],
  rotate: [1, 3],
  disable: [1],
  enable: [2],
  delete: [1, 2, 3],
  restore: [5],
  purge: [5],
  'list versions of': [1],
  'list versions in any state of': [1, 2, 3, 5],
};

describe.each(Object.keys(KEY_ACTS) as KeyAct[])('%s', (act) => {
  it.each(KEY_STATES)('when the state is %s', (state) => {
    const documented = DOCUMENTED[act];
    const allowed = (KEY_ACTS[act] as readonly KeyState[]).includes(state);
    if (documented !== undefined && state !== 0) expect(allowed).toBe(documented.includes(state));
    const attempt = () => assertAct(act, state);
    if (allowed) expect(attempt).not.toThrow();
    else expect(attempt).toThrow(expect.objectContaining({ code: act === 'delete' ? 'KEY_DELETED' : 'KEY_STATE' }));
  });
});

describe('the state that holds now', () => {
  const [past, future] = [new Date(1), new Date(3)];
  const now = new Date(2);
  it.each([
    [1, past, 3],
    [1, now, 3],
    [1, future, 1],
    [1, null, 1],
    [2, past, 2],
    [5, past, 5],
  ] as const)('of a key in state %s that expires at %p is %s', (state, expiresAt, holds) => {
    expect(stateNow({ state, expiresAt }, now)).toBe(holds);
  });
});
