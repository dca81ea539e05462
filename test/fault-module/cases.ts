import type { Fault } from './fault-module.js';

/** What a sick module says: nothing that speaks of the caller's data, and no word about the PIN, which is for good. */
export const CODES = {
  CKR_HOST_MEMORY: 0x2,
  CKR_GENERAL_ERROR: 0x5,
  CKR_FUNCTION_FAILED: 0x6,
  CKR_ARGUMENTS_BAD: 0x7,
  CKR_DEVICE_ERROR: 0x30,
  CKR_DEVICE_MEMORY: 0x31,
  CKR_DEVICE_REMOVED: 0x32,
  CKR_KEY_HANDLE_INVALID: 0x60,
  CKR_OBJECT_HANDLE_INVALID: 0x82,
  CKR_OPERATION_ACTIVE: 0x90,
  CKR_SESSION_CLOSED: 0xb0,
  CKR_SESSION_HANDLE_INVALID: 0xb3,
  CKR_TOKEN_NOT_PRESENT: 0xe0,
  CKR_USER_NOT_LOGGED_IN: 0x101,
} as const;

/** What makes an agent call a function while its unit serves; use of keys and probes do without it. */
const REOPENING: Fault = { fn: 'C_GetTokenInfo', act: 'rv', number: CODES.CKR_DEVICE_REMOVED, times: 2 }; // one may only be told
const FAILURE: Fault = { fn: 'C_EncryptInit', act: 'rv', number: CODES.CKR_DEVICE_ERROR, times: 1 };

/** The functions that an agent calls while its unit serves, and when it opens its token anew. */
const FUNCTIONS: Readonly<Record<string, Fault | undefined>> = {
  C_Initialize: REOPENING,
  C_Finalize: REOPENING,
  C_GetSlotList: REOPENING,
  C_OpenSession: REOPENING,
  C_Login: REOPENING,
  C_CloseAllSessions: REOPENING,
  C_CopyObject: REOPENING,
  C_GetAttributeValue: REOPENING,
  C_CloseSession: FAILURE,
  C_GetTokenInfo: undefined,
  C_FindObjectsInit: undefined,
  C_FindObjects: undefined,
  C_FindObjectsFinal: undefined,
  C_DestroyObject: undefined,
  C_EncryptInit: undefined,
  C_Encrypt: undefined,
  C_DecryptInit: undefined,
  C_Decrypt: undefined,
  C_SignInit: undefined,
  C_Sign: undefined,
  C_GenerateKey: undefined,
  C_WrapKey: undefined,
  C_UnwrapKey: undefined,
  C_GenerateRandom: undefined,
  '*': undefined,
};

const TIMES = [1, 3, 0] as const;

/** Other ways to do wrong; a bit that is flipped is a matter of its own (flips.ts). */
const OTHER_ACTS = [
  ['takes 300 ms longer', { act: 'slow', number: 300 }],
  ['hangs', { act: 'hang', times: 1 }],
  ['crashes', { act: 'kill', times: 1 }],
  ['crashes for ever', { act: 'kill' }],
] as const satisfies readonly (readonly [string, Omit<Fault, 'fn'>])[];

export interface Case {
  readonly name: string;
  /** What brings the agent to call the function, if anything has to, and then the fault. */
  readonly faults: readonly Fault[];
}

/** For each function, every code × number of times, and the other ways to do wrong. */
export const EVERY: readonly (readonly [fn: string, cases: readonly Case[]])[] = Object.entries(FUNCTIONS).map(
  ([fn, provocation]) => {
    const codes = Object.entries(CODES).flatMap(([code, number]) =>
      TIMES.map((times) => [`answers ${code} ${howOften(times)}`, { act: 'rv', number, times }] as const),
    );
    const caseOf = ([what, fault]: readonly [string, Omit<Fault, 'fn'>]): Case => ({
      name: `${fn} ${what}`,
      faults: [...(provocation ? [provocation] : []), { fn, ...fault }],
    });
    return [fn, [...codes, ...OTHER_ACTS].map(caseOf)];
  },
);

/** From some moment on, while its token is opened, the module does not tell any more what its objects are. */
export const OUT_OF_SIGHT: readonly Case[] = Array.from({ length: 60 }, (_, skip) => ({
  name: `after ${skip} attributes`,
  faults: [
    REOPENING,
    { fn: 'C_GetAttributeValue', act: 'rv', number: CODES.CKR_OBJECT_HANDLE_INVALID, skip },
  ] satisfies Fault[],
}));

/** One code and number of times for each function, so that each code and each number comes up. */
export const SAMPLE: readonly Case[] = EVERY.flatMap(([, cases], n) => {
  const codes = cases.length - OTHER_ACTS.length;
  return cases.slice((n * 7) % codes, ((n * 7) % codes) + 1);
});

/** The other ways to do wrong, of functions in use and at the opening. */
export const SAMPLE_OF_OTHER_ACTS: readonly Case[] = EVERY.flatMap(([fn, cases]) => {
  if (fn === 'C_Encrypt') return cases.slice(-OTHER_ACTS.length);
  if (fn === 'C_OpenSession') return cases.slice(-3);
  return fn === '*' ? cases.slice(-1) : [];
});

function howOften(times: number): string {
  return times === 0 ? 'for ever' : times === 1 ? 'once' : `${times} times`;
}
