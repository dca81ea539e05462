import {
  assertAct,
  assertAllowed,
  conditionOf,
  KEY_ACTS,
  KEY_STATES,
  type KeyAct,
  type KeyState,
  stateNow,
} from './key-state.js';

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
    else expect(attempt).toThrow(expect.objectContaining({ code: codeOf(act, state) }));
  });
});

function codeOf(act: KeyAct, state: KeyState): string {
  if (act === 'delete') return 'KEY_DELETED';
  return state === 0 ? 'MATERIAL_ABSENT' : 'KEY_STATE';
}

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
    expect(stateNow({ state, expiresAt, materialExpiresAt: null }, now)).toBe(holds);
  });

  it.each([
    [1, past, 0],
    [2, now, 0],
    [1, future, 1],
    [2, future, 2],
    [5, past, 5],
  ] as const)('of a key in state %s whose material expires at %p is %s', (state, materialExpiresAt, holds) => {
    expect(stateNow({ state, expiresAt: null, materialExpiresAt }, now)).toBe(holds);
  });
});

describe('a key whose deletion is scheduled', () => {
  const key = { state: 2, expiresAt: null, materialExpiresAt: null, deletionDueAt: new Date(9) } as const;
  const stillAllowed: readonly KeyAct[] = [
    ...(['read', 'list versions in any state of', 'read policies of', 'read grants of', 'revoke a grant on'] as const),
    ...(['read the public key of', 'remove an alias of', 'get import parameters for'] as const),
    ...(['delete the material of', 'cancel the deletion of'] as const),
  ];
  it.each(Object.keys(KEY_ACTS) as KeyAct[])('%s', (act) => {
    const attempt = () => assertAllowed(act, key, new Date(2));
    if (stillAllowed.includes(act)) expect(attempt).not.toThrow();
    else expect(attempt).toThrow(expect.objectContaining({ code: 'DELETION_PENDING' }));
  });
});

it.each([
  [0, null, 'pending-import'],
  [1, null, 'enabled'],
  [2, null, 'disabled'],
  [3, null, 'disabled'],
  [5, null, null],
  [0, new Date(9), 'pending-deletion'],
  [2, new Date(9), 'pending-deletion'],
] as const)('state %s, to be deleted at %p, is called %s', (state, deletionDueAt, condition) => {
  expect(conditionOf({ state, deletionDueAt })).toBe(condition);
});

it.each(['encrypt', 'update', 'import material into'] as const)('%s: a deleted key is not there', (act) => {
  const key = { state: 5, expiresAt: null, materialExpiresAt: null, deletionDueAt: null } as const;
  expect(() => assertAllowed(act, key, new Date())).toThrow(expect.objectContaining({ code: 'KEY_NOT_FOUND' }));
});
