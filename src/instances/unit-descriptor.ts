import { z } from 'zod';

const zone = z.string().min(1).max(64);

/**
 * A unit whose agent this server starts. Written to unit.json in the unit's directory for the agent; holds no secret.
 * softhsm: the agent makes the token itself, in its own directory. generic: a token that somebody prepared.
 */
const StartedUnit = z.strictObject({
  provider: z.enum(['softhsm', 'generic']),
  zone,
  module: z.string().min(1),
  /** Tokens are found by serial; a label serves until the serial is known. */
  serial: z.string().min(1).optional(),
  label: z.string().min(1).optional(),
  /** What the module wants in C_Initialize (NSS softokn: its configdir). */
  parameters: z.string().optional(),
  /** File that holds the user PIN of a prepared token. */
  pinFile: z.string().min(1).optional(),
  recordStore: z.enum(['token', 'file']),
  /** Id of the data directory that the unit is in: of several servers on one database, that one starts its agent. */
  home: z.uuid().optional(),
});
export type StartedUnit = z.infer<typeof StartedUnit>;

/** A unit whose agent runs by itself. Each server finds it by the agent's name in its own KEYSTEAD_AGENTS_FILE. */
const AgentUnit = z.strictObject({ provider: z.literal('agent'), zone, agent: z.string().min(1) });
export type AgentUnit = z.infer<typeof AgentUnit>;

/** Where a unit is found. */
export type UnitDescriptor = StartedUnit | AgentUnit;

/** The units file of the generic provider (KEYSTEAD_UNITS_FILE). */
export const UnitsFile = z.strictObject({
  units: z
    .array(
      z
        .strictObject({
          module: z.string().min(1),
          serial: z.string().min(1).optional(),
          label: z.string().min(1).optional(),
          zone,
          pinFile: z.string().min(1),
          parameters: z.string().optional(),
          recordStore: z.enum(['token', 'file']).default('token'),
        })
        .refine((unit) => unit.serial !== undefined || unit.label !== undefined, 'names neither serial nor label'),
    )
    .min(1),
});

/** KEYSTEAD_AGENTS_FILE: the agents that run by themselves. `tls` is what this server shows and trusts. */
export const AgentsFile = z
  .strictObject({
    tls: z
      .strictObject({ caFile: z.string().min(1), certFile: z.string().min(1), keyFile: z.string().min(1) })
      .optional(),
    agents: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, hyphens'),
          zone,
          address: z.string(),
        }),
      )
      .min(1)
      .refine((agents) => new Set(agents.map(({ name }) => name)).size === agents.length, 'names an agent twice'),
  })
  .refine(
    ({ tls, agents }) => tls !== undefined || agents.every(({ address }) => !address.startsWith('tls:')),
    'has agents at tls: addresses and no tls member with caFile, certFile and keyFile',
  );
export type AgentsFile = z.infer<typeof AgentsFile>;
